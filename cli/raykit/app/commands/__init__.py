"""One module a topic: options in, one call, exit code out."""
