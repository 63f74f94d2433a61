"""Environment variables that raykit gives every Ray that it starts, in pods and on this machine."""

RAY_ENVIRONMENT = {
    # At Ray's default of 15 a worker loses to everything else on its node.
    "RAY_worker_niceness": "0",
    # Ray never forgets a log stream whose reader has left (the dashboard, `ray job logs`): with the
    # 100th it would refuse logs, tasks and nodes (HTTP 429), also those that raykit asks for.
    "RAY_STATE_SERVER_MAX_HTTP_REQUEST": "-1",
    # A run's task strip needs the last events soon after its end; Ray's default is a second.
    "RAY_task_events_report_interval_ms": "200",
    "RAY_COLOR_PREFIX": "0",
    "RAY_TQDM": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}

FIXED_SIZE = {
    # Ray's autoscaler also runs where it may add no node, and then writes "No available node types
    # can fulfill resource requests" into every job's log, as long as tasks wait for a CPU.
    "RAY_SCHEDULER_EVENTS": "0",
}
"""What a cluster gets beside it whose number of nodes no autoscaler changes."""
