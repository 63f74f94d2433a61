"""raykit's jobs: `python -m jobs.NAME` runs one on a Ray cluster."""
