"""Put into words what a cluster that is not ready waits for: a line a group, and the log's."""
