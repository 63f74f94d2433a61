"""What a run's end means: the error that its exit code comes from, or None."""

from __future__ import annotations

from collections.abc import Sequence

from raykit.errors import DataError, JobFailedError, JobStoppedError, RaykitError
from raykit.measure.records import RunRecord

NEXT_LOG = "the whole log: raykit runs show {id} --log"


def judge(record: RunRecord, last_lines: Sequence[str] = ()) -> RaykitError | None:
    """The error of a run that has ended; design: data errors come before Ray's own status."""
    data = [error for error in record.errors if error.get("cause") == "data"]
    if data:
        return DataError(
            str(data[0].get("message", "the input data cannot be used")),
            evidence=[str(line) for line in data[0].get("evidence", [])],
            next=str(data[0].get("next") or NEXT_LOG.format(id=record.id)),
        )
    if record.status == "FAILED":
        return JobFailedError(
            _failed(record),
            evidence=[*_reasons(record), *last_lines],
            next=NEXT_LOG.format(id=record.id),
        )
    if record.status == "STOPPED":
        return JobStoppedError(
            f"the job {record.submission_id} was stopped",
            evidence=[record.message] if record.message else [],
            next=NEXT_LOG.format(id=record.id),
        )
    if record.status == "SUCCEEDED" and record.start is not None and not record.results:
        return DataError(
            "the job started and SUCCEEDED, but never gave a result",
            evidence=last_lines,
            next=NEXT_LOG.format(id=record.id),
        )
    return None


def _failed(record: RunRecord) -> str:
    code = record.driver_exit_code
    cause = {
        None: "",
        127: ": its command was not found (exit status 127)",
        137: ": killed, most likely out of memory (exit status 137)",
        -9: ": killed, most likely out of memory (signal 9)",
    }.get(code, f" with exit status {code}")
    if record.error_type == "RUNTIME_ENV_SETUP_FAILURE":
        cause = ": its runtime environment could not be set up"
    return f"the job {record.submission_id} FAILED{cause}"


def _reasons(record: RunRecord) -> list[str]:
    own = [str(error.get("message")) for error in record.errors if error.get("message")]
    if own or record.driver_exit_code is not None:
        return own
    first = record.message.strip().splitlines()[:6]
    return ([f"{record.error_type}"] if record.error_type else []) + first
