"""The plots of a report: data in, a Plot out; a module a kind."""
