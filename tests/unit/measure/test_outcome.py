"""Why a job failed, told apart: memory, environment, node, head, command, signal, its own exit."""

import pytest

from raykit.errors import DataError, JobFailedError, JobStoppedError
from raykit.measure import outcome


@pytest.mark.parametrize(
    ("fields", "last_lines", "cause", "said"),
    [
        ({"driver_exit_code": 3}, [], "driver", "FAILED with exit status 3"),
        ({"driver_exit_code": 127}, [], "command-not-found", "its command was not found"),
        ({"driver_exit_code": -9}, [], "out-of-memory", "killed, most likely out of memory"),
        ({"driver_exit_code": 137}, [], "out-of-memory", "killed, most likely out of memory"),
        ({"driver_exit_code": -15}, [], "signal", "signal 15"),
        ({"driver_exit_code": 143}, [], "signal", "signal 15, exit status 143"),
        (
            {"driver_exit_code": 1},
            ["ray.exceptions.OutOfMemoryError: Task was killed due to the node running low"],
            "out-of-memory",
            "out of memory (exit status 1)",
        ),
        (
            {"driver_exit_code": 1},
            ["ray.exceptions.NodeDiedError: Task failed because its node has died"],
            "node-lost",
            "a Ray node was lost",
        ),
        (
            {
                "error_type": "RUNTIME_ENV_SETUP_FAILURE",
                "message": "runtime_env setup failed: no pip",
            },
            [],
            "runtime-env",
            "its runtime environment could not be set up",
        ),
        (
            {"error_type": "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE", "message": "no node"},
            [],
            "unschedulable",
            "no Ray node could take its driver",
        ),
        (
            {"error_type": "JOB_SUPERVISOR_ACTOR_DIED", "message": "The actor died"},
            [],
            "ray",
            "Ray gave up on it",
        ),
        (
            {"cause": "head-lost"},
            [],
            "head-lost",
            "the head was lost before it said how the driver ended",
        ),
        (
            {
                "driver_exit_code": 3,
                "errors": [{"cause": "memory", "message": "out of memory at this size"}],
            },
            ["out of memory at this size"],
            "driver",
            "FAILED with exit status 3",
        ),
    ],
)
def test_a_failure_says_its_cause(make_record, fields, last_lines, cause, said):
    record = make_record(status="FAILED", **fields)
    record.cause = record.cause or outcome.cause(record, last_lines)
    error = outcome.judge(record, last_lines)
    assert isinstance(error, JobFailedError)
    assert (record.cause, said in error.what) == (cause, True)
    assert record.id in error.next or "raykit status" in error.next


def test_an_environment_that_failed_shows_what_pip_said_last(make_record):
    tracebacks = "\n".join(f"  File {number}" for number in range(50))
    record = make_record(
        status="FAILED",
        error_type="RUNTIME_ENV_SETUP_FAILURE",
        message=f"runtime_env setup failed\n{tracebacks}\n\n    ERROR: No matching distribution\n",
    )
    error = outcome.judge(record)
    assert error.evidence[0] == "RUNTIME_ENV_SETUP_FAILURE"
    assert error.evidence[-1].strip() == "ERROR: No matching distribution"
    assert len(error.evidence) == 13


def test_a_data_error_comes_before_rays_status(make_record):
    errors = [{"cause": "data", "message": "cut short", "evidence": ["a:1"], "next": "mend"}]
    for status in ("SUCCEEDED", "FAILED"):
        error = outcome.judge(make_record(status=status, errors=errors))
        assert isinstance(error, DataError)
        assert (error.what, error.evidence, error.next) == ("cut short", ("a:1",), "mend")


def test_other_ends(make_record):
    assert outcome.judge(make_record(status="SUCCEEDED")) is None
    assert isinstance(outcome.judge(make_record(status="STOPPED")), JobStoppedError)
    started = make_record(status="SUCCEEDED", start={"job": "x"})
    assert isinstance(outcome.judge(started), DataError)
    assert outcome.judge(make_record(status="UNFINISHED")) is None
