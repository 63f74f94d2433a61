"""The commands about clusters: up, down, status and kind."""
