"""Environment variables of every Ray that raykit starts, in pods and on this machine."""

RAY_ENVIRONMENT = {
    # With Ray's default of 15 all other processes of the node come before a worker.
    "RAY_worker_niceness": "0",
    # Ray still counts a log stream after its reader has left (the dashboard, `ray job logs`). From
    # the 100th on it would answer all requests for logs, tasks and nodes with HTTP 429.
    "RAY_STATE_SERVER_MAX_HTTP_REQUEST": "-1",
    # raykit reads a run's task events soon after its end; Ray's default is to report every second.
    "RAY_task_events_report_interval_ms": "200",
    "RAY_COLOR_PREFIX": "0",
    "RAY_TQDM": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}

FIXED_SIZE = {
    # Ray's autoscaler also runs in clusters of fixed size. While tasks wait for a CPU it would
    # write "No available node types can fulfill resource requests" into the log of every job.
    "RAY_SCHEDULER_EVENTS": "0",
    # On KubeRay it would be the second version, which calls such tasks infeasible besides: "There
    # are tasks with infeasible resource requests that cannot be scheduled" (Ray 2.60).
    "RAY_enable_autoscaler_v2": "0",
}
"""Additional variables for clusters without autoscaling."""
