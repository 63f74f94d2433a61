"""Stories about records that are kept: export, import, prune."""
