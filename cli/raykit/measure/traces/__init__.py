"""The times of a run in the formats of other tools: Chrome trace for Perfetto, OTLP."""
