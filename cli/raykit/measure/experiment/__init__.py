"""Experiments: the plan of repeated runs, what was made, and its arms side by side."""
