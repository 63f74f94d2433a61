"""Rules over several fields, sorted by topic."""
