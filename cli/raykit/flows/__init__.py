"""What commands do, each a list of steps over `submission/` and `clusters/`."""
