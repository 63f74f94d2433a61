"""The engine: one year's archive in, its counters out. Knows no Ray."""
