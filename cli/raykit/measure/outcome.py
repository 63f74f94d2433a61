"""What a run's end means: its cause in a word, and the error that its exit code comes from."""

from __future__ import annotations

import re
from collections.abc import Sequence

from raykit.errors import DataError, JobFailedError, JobStoppedError, RaykitError
from raykit.measure.records import RunRecord

NEXT_LOG = "the whole log: raykit runs show {id} --log"

DATA = "data"
NO_RESULT = "no-result"
STOPPED = "stopped"
OUT_OF_MEMORY = "out-of-memory"
RUNTIME_ENV = "runtime-env"
NODE_LOST = "node-lost"
HEAD_LOST = "head-lost"
NOT_FOUND = "command-not-found"
UNSCHEDULABLE = "unschedulable"
SIGNAL = "signal"
DRIVER = "driver"
RAY = "ray"

BY_ERROR_TYPE = {
    "RUNTIME_ENV_SETUP_FAILURE": RUNTIME_ENV,
    "JOB_SUPERVISOR_ACTOR_START_TIMEOUT": UNSCHEDULABLE,
    "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE": UNSCHEDULABLE,
}
"""Ray's words for what kept a driver from starting (JobErrorType, Ray 2.60)."""

OF_MEMORY = re.compile(r"OutOfMemoryError|OOM[ -]?killed|out of memory|MemoryError\b", re.I)
OF_NODE = re.compile(
    r"NodeDiedError|its node has died|node (?:it|this task|the task) was running on"
    r"|\bnode\b[^\n]{0,80}\b(?:has died|was dead|is dead|terminated|preempted)\b",
    re.I,
)
OF_SILENCE = re.compile(r"ActorUnavailableError")
"""A call was cut off, and Ray does not know yet whether actor, node or network failed."""

KILLED = (-9, 137)
FIRST_SIGNAL_STATUS, LAST_SIGNAL_STATUS = 129, 192

SAYS = {
    OUT_OF_MEMORY: "out of memory",
    RUNTIME_ENV: "its runtime environment could not be set up",
    NODE_LOST: "a Ray node was lost",
    HEAD_LOST: "the head was lost, and its driver with it",
    NOT_FOUND: "its command was not found",
    UNSCHEDULABLE: "no Ray node could take its driver",
    RAY: "Ray gave it up",
}
NEXT = {
    OUT_OF_MEMORY: "more memory for the pods, or fewer tasks at once; {log}",
    NODE_LOST: "raykit status shows what is up; {log}",
    HEAD_LOST: "submit it again; what was read of the log is kept: raykit runs show {id} --log",
    UNSCHEDULABLE: "ask for less with --entrypoint-num-cpus, -num-gpus or -memory; raykit status",
}


def cause(record: RunRecord, last_lines: Sequence[str] = ()) -> str | None:
    """Why a job that ended did not do what it should, in one word; None where it did."""
    if any(error.get("cause") == "data" for error in record.errors):
        return DATA
    if record.status == "STOPPED":
        return STOPPED
    if record.status == "SUCCEEDED":
        return NO_RESULT if record.start is not None and not record.results else None
    return _cause_of_failure(record, last_lines) if record.status == "FAILED" else None


def undecided(record: RunRecord, last_lines: Sequence[str]) -> bool:
    """Whether a job failed of something that went silent, which may have been a Ray node."""
    failed = cause(record, last_lines) == DRIVER and not record.errors
    return failed and bool(OF_SILENCE.search("\n".join(last_lines)))


def judge(record: RunRecord, last_lines: Sequence[str] = ()) -> RaykitError | None:
    """The error of a run that has ended; design: data errors come before Ray's own status."""
    log = NEXT_LOG.format(id=record.id)
    match record.cause or cause(record, last_lines):
        case None:
            return None
        case "data":
            return _data(record, log)
        case "no-result":
            what = "the job started and SUCCEEDED, but never gave a result"
            return DataError(what, evidence=last_lines, next=log)
        case "stopped":
            return JobStoppedError(
                f"the job {record.submission_id} was stopped",
                evidence=[record.message] if record.message else [],
                next=log,
            )
        case word:
            return JobFailedError(
                f"the job {record.submission_id} FAILED{_because(record, word)}",
                evidence=[*_reasons(record, word), *last_lines],
                next=NEXT.get(word, "{log}").format(log=log, id=record.id),
            )


def _cause_of_failure(record: RunRecord, last_lines: Sequence[str]) -> str:
    said = "\n".join([record.message, *last_lines])
    if record.error_type in BY_ERROR_TYPE:
        return BY_ERROR_TYPE[record.error_type]
    if record.errors:
        return DRIVER
    if record.driver_exit_code in KILLED or OF_MEMORY.search(said):
        return OUT_OF_MEMORY
    if OF_NODE.search(said):
        return NODE_LOST
    if record.driver_exit_code == 127:
        return NOT_FOUND
    if record.driver_exit_code is None:
        return RAY
    return SIGNAL if signal_of(record.driver_exit_code) else DRIVER


def signal_of(status: int) -> int | None:
    """The signal that ended a driver, given as itself below 0 or as a shell tells it."""
    if status < 0:
        return -status
    return status - 128 if FIRST_SIGNAL_STATUS <= status <= LAST_SIGNAL_STATUS else None


def _data(record: RunRecord, log: str) -> DataError:
    first = next(error for error in record.errors if error.get("cause") == "data")
    return DataError(
        str(first.get("message", "the input data cannot be used")),
        evidence=[str(line) for line in first.get("evidence", [])],
        next=str(first.get("next") or log),
    )


def _because(record: RunRecord, word: str) -> str:
    status = record.driver_exit_code
    number = None if status is None else signal_of(status)
    ended = "" if status is None else f"exit status {status}"
    ended = f"signal {number}, {ended}" if number else ended
    if word == OUT_OF_MEMORY and status in KILLED:
        return f": killed, most likely out of memory ({ended})"
    if word in SAYS:
        return f": {SAYS[word]}" + (f" ({ended})" if ended else "")
    return f" with {ended}" if ended else ""


def _reasons(record: RunRecord, word: str) -> list[str]:
    own = [str(error.get("message")) for error in record.errors if error.get("message")]
    if own or record.driver_exit_code is not None:
        return own
    lines = [line for line in record.message.splitlines() if line.strip()]
    # What pip or conda said stands at the end, below Ray's own tracebacks.
    shown = lines[-12:] if word == RUNTIME_ENV else lines[:6]
    return ([record.error_type] if record.error_type else []) + shown
