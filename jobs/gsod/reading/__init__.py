"""The engine: reads one year's archive into counters. Does not import Ray."""
