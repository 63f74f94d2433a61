"""Stories of experiments: measure, predict, report."""
