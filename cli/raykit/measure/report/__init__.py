"""The report of a run or an experiment: data in, one HTML page without scripts out."""
