"""The ground under the jobs: `jobs.NAME` runs as `python -m jobs.NAME` on a Ray cluster."""
