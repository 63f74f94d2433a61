"""What a Ray 2.60.0 head answers, as recorded from a real one.

`tests/local/test_fake_head.py` compares each of these with a real head again.
"""

from __future__ import annotations

from typing import Any

NODE = "f" * 56
MOST_ROWS = 10_000
BODY_BYTES = 104_857_600
OPEN = ("/", "/api/authentication_mode", "/api/gcs_healthz", "/api/healthz")

VERSION = {"version": "4", "ray_version": "2.60.0", "ray_commit": "b7f4", "session_name": "s_1"}
NO_TOKEN = "Unauthorized: Missing authentication token"
WRONG_TOKEN = "Forbidden: Invalid authentication token"
NO_ADDRESS = "404: Not Found"
NO_JOB = "Job {id} does not exist"
NO_PACKAGE = "Package gcs://{name} does not exist"
NO_FILE = "A file is not found at: /tmp/ray/session_1/logs/{name}"
NO_NODE = "Agent for node id: {id} doesn't exist."
TOO_LARGE = f"Maximum request body size {BODY_BYTES} exceeded."
TOO_MANY_ROWS = (
    "Given limit {limit} exceeds the supported limit 10000. Use a lower limit, or set the "
    "`RAY_MAX_LIMIT_FROM_API_SERVER` environment variable to a larger value."
)
TOO_BUSY = (
    "Max number of in-progress requests=100 reached. To set a higher limit, set environment "
    "variable: export RAY_STATE_SERVER_MAX_HTTP_REQUEST='xxx'. Max allowed = 100"
)
FAILED = (
    "Job entrypoint command failed with exit code {code}, last available logs (truncated to 20,000 "
    "chars):\n{log}"
)
EXISTS = """Traceback (most recent call last):
  File "ray/dashboard/modules/job/job_head.py", line 419, in submit_job
    resp = await job_agent_client.submit_job_internal(submit_request)
RuntimeError: Request failed with status code 400: Traceback (most recent call last):
  File "ray/dashboard/modules/job/job_manager.py", line 553, in submit_job
    raise ValueError(
ValueError: Job with submission_id {id} already exists. Please use a different submission_id.
.
"""

JOB: dict[str, Any] = {
    "type": "SUBMISSION",
    "job_id": "01000000",
    "submission_id": "job-1",
    "driver_info": {"id": "01000000", "node_ip_address": "127.0.0.1", "pid": "27229"},
    "status": "RUNNING",
    "entrypoint": "python -m jobs.fib",
    "message": "Job is currently running.",
    "error_type": None,
    "start_time": 1_700_000_000_000,
    "end_time": None,
    "metadata": None,
    "runtime_env": None,
    "driver_agent_http_address": "http://127.0.0.1:45081",
    "driver_node_id": NODE,
    "driver_exit_code": None,
}
TASK: dict[str, Any] = {
    "task_id": "67a2e8cfa5a06db3ffffffffffffffffffffffff01000000",
    "attempt_number": 0,
    "name": "fib",
    "state": "FINISHED",
    "job_id": "01000000",
    "actor_id": None,
    "type": "NORMAL_TASK",
    "func_or_class_name": "fib",
    "parent_task_id": "ffffffffffffffffffffffffffffffffffffffff01000000",
    "node_id": NODE,
    "worker_id": "98790d31dcadf8b599168fef8b9b628edafc4467963a434bcf05265c",
    "worker_pid": 27035,
    "error_type": None,
    "required_resources": {"CPU": 1.0},
    "creation_time_ms": 1_700_000_000_097.0,
    "start_time_ms": 1_700_000_000_114.0,
    "end_time_ms": 1_700_000_000_458.0,
    "error_message": None,
}
"""What raykit reads of a task row; Ray sends more."""
NODE_ROW: dict[str, Any] = {
    "node_id": NODE,
    "node_ip": "127.0.0.1",
    "is_head_node": True,
    "state": "ALIVE",
    "state_message": None,
    "node_name": "127.0.0.1",
    "resources_total": {"CPU": 2.0, "memory": 16810903962.0, "node:__internal_head__": 1.0},
    "labels": {"ray.io/node-id": NODE},
    "start_time_ms": 1_700_000_000_000,
    "end_time_ms": 0,
}
ACTOR: dict[str, Any] = {
    "actor_id": "3b1a4a3cd2e1d2a5f0f1b7f501000000",
    "class_name": "Loader",
    "state": "ALIVE",
    "job_id": "01000000",
    "name": "",
    "node_id": NODE,
    "pid": 27036,
}
"""What raykit reads of an actor row; Ray sends more."""
