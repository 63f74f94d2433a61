"""Judges how a run ended: the cause in one word, and the error, which has the exit code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from raykit.errors import (
    DataError,
    InterruptedByUserError,
    JobFailedError,
    JobsApiError,
    JobStoppedError,
    JobTimeoutError,
    RaykitError,
    UsageError,
)
from raykit.measure import hints
from raykit.measure.records import NOT_SUBMITTED, RunRecord

NEXT_LOG = "the whole log: raykit runs show {id} --log"

DATA = "data"
USAGE = "usage"
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
"""Ray's reasons why a driver did not start (JobErrorType, Ray 2.60), as causes."""

OF_MEMORY = re.compile(r"OutOfMemoryError|OOM[ -]?killed|out of memory|MemoryError\b", re.I)
OF_NODE = re.compile(
    r"NodeDiedError|its node has died|node (?:it|this task|the task) was running on"
    r"|\bnode\b[^\n]{0,80}\b(?:has died|was dead|is dead|terminated|preempted)\b",
    re.I,
)
OF_SILENCE = re.compile(r"ActorUnavailableError")
"""A call broke, and Ray does not know yet whether the actor, its node or the network failed."""

MESSAGE_START, MESSAGE_END = 2000, 4000

MOST_REASONS = 6
"""Lines of a message that are shown with an error."""

ENDED = "ended"
STOPPED_BY_US = "stopped-by-us"
WITH_HEAD = "ended-with-its-head"
GOES_ON = "goes-on"
NOT_STOPPED = "not-stopped"
STOP_UNKNOWN = "stop-unknown"
NOT_SENT = "not-sent"
UNCERTAIN = "uncertain"
LACKS_CODE = "lacks-its-code"
"""What became of a job that raykit no longer follows: it ended by itself, was stopped by us, ended
with the head that was started for it, goes on, did not stop when asked, did not answer when asked
to stop, was never submitted, its submission got no answer, or it waits for its code."""

AFTERWARDS = {
    GOES_ON: "raykit attach {name} follows it; raykit stop {name} ends it",
    LACKS_CODE: "raykit attach {name} uploads it and follows the job; raykit stop {name} ends it",
    STOP_UNKNOWN: "raykit stop {name} asks again; raykit attach {name} shows how it ended",
}
"""What to run for a job that may go on."""

USAGE_LINE = re.compile(r"usage: |[^\s:]+: error: ", re.I)
"""What argparse and similar parsers print before they exit with status 2."""

KILLED = (-9, 137)
FIRST_SIGNAL_STATUS, LAST_SIGNAL_STATUS = 129, 192

SAYS = {
    OUT_OF_MEMORY: "out of memory",
    RUNTIME_ENV: "its runtime environment could not be set up",
    NODE_LOST: "a Ray node was lost",
    HEAD_LOST: "the head was lost before it said how the driver ended",
    NOT_FOUND: "its command was not found",
    UNSCHEDULABLE: "no Ray node could take its driver",
    RAY: "Ray gave up on it",
}
NEXT = {
    OUT_OF_MEMORY: "more memory for the pods, or fewer tasks at once; {log}",
    NODE_LOST: "raykit status shows what is up; {log}",
    HEAD_LOST: "submit it again, unless its results are there; the log as far as it was read: "
    "raykit runs show {id} --log",
    UNSCHEDULABLE: "ask for less with --entrypoint-num-cpus, -num-gpus or -memory; raykit status",
}


def cause(record: RunRecord, last_lines: Sequence[str] = ()) -> str | None:
    """Why an ended job failed, in one word; None if it succeeded.

    last_lines: of its log.
    """
    if any(error.get("cause") == "data" for error in record.errors):
        return DATA
    if _refused_its_options(record, last_lines):
        return USAGE
    if record.status == "STOPPED":
        return STOPPED
    if record.status == "SUCCEEDED":
        return NO_RESULT if record.start is not None and not record.results else None
    return _cause_of_failure(record, last_lines) if record.status == "FAILED" else None


def undecided(record: RunRecord, last_lines: Sequence[str]) -> bool:
    """Whether a job failed because an actor went silent, so that its Ray node may have died."""
    failed = cause(record, last_lines) == DRIVER and not record.errors
    return failed and bool(OF_SILENCE.search("\n".join(last_lines)))


def judge(record: RunRecord, last_lines: Sequence[str] = ()) -> RaykitError | None:
    """The error of a run that has ended; None if it succeeded.

    A data error (9) comes before Ray's own status: no number must stand in for bad data. A job that
    was never submitted is an error of the Jobs API (6).
    """
    if record.status == NOT_SUBMITTED:
        return JobsApiError(
            f"the job {record.submission_id} was never submitted: there is nothing to follow",
            evidence=record.message.splitlines()[:MOST_REASONS],
            next=f"raykit runs show {record.id}; then submit it again",
        )
    log = NEXT_LOG.format(id=record.id)
    match record.cause or cause(record, last_lines):
        case None:
            return None
        case "data":
            return _data(record, log)
        case "usage":
            return _usage(record, last_lines)
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
                next=(word == DRIVER and hints.advice(last_lines))
                or NEXT.get(word, "{log}").format(log=log, id=record.id),
            )


def shortened(message: str) -> str:
    """A message without its middle: it begins with Ray's own words and ends with those of pip."""
    if len(message) <= MESSAGE_START + MESSAGE_END:
        return message
    return f"{message[:MESSAGE_START]}\n…\n{message[-MESSAGE_END:]}"


def interrupted(record: RunRecord, status: str, fate: str) -> InterruptedByUserError:
    """The error of a run that the user interrupted.

    status: the job's last status in Ray's words; fate: one of the words above.
    """
    name = record.submission_id
    afterwards = {its_fate: text.format(name=name) for its_fate, text in AFTERWARDS.items()}
    what, next_ = {
        STOPPED_BY_US: (
            f"interrupted: the job {name} was stopped and its log saved",
            f"raykit runs show {record.id}",
        ),
        WITH_HEAD: (
            f"interrupted: the job {name} was {status}; it ended with its head",
            f"raykit runs show {record.id}",
        ),
        GOES_ON: (f"interrupted: the job {name} goes on", afterwards[GOES_ON]),
        LACKS_CODE: (
            f"interrupted: the job {name} waits until its local code is on the head",
            afterwards[LACKS_CODE],
        ),
        NOT_STOPPED: (
            f"interrupted: the job {name} was asked to stop and is still {status}",
            f"raykit stop {name} asks again; raykit ps shows it",
        ),
        STOP_UNKNOWN: (
            f"interrupted: the job {name} was asked to stop; whether it did is unknown",
            afterwards[STOP_UNKNOWN],
        ),
        NOT_SENT: ("interrupted before the job was submitted", "run the same command again"),
        UNCERTAIN: (
            f"interrupted while the job {name} was submitted: whether the head has it is unknown",
            afterwards[GOES_ON],
        ),
    }[fate]
    return InterruptedByUserError(what, next=next_)


def timed_out(record: RunRecord, status: str, fate: str, seconds: float) -> JobTimeoutError:
    """The error of a job that ran into its time-out.

    status: its last status in Ray's words; fate: one of the words above; seconds: the time-out.
    """
    name, pending = record.submission_id, status == "PENDING"
    if fate in (STOPPED_BY_US, WITH_HEAD):
        still = "was still PENDING" if pending else "still ran"
        ended = "it was stopped" if fate == STOPPED_BY_US else "it ended with its head"
        return JobTimeoutError(
            f"the job {name} {still} after {seconds:g} s: {ended}",
            evidence=[
                *_message_of(record, pending),
                "its local head was started for this submission only; the log is saved",
            ],
            next=NEXT[UNSCHEDULABLE]
            if pending
            else "give it a longer --timeout, or keep a head: raykit up --on local",
        )
    if fate == NOT_SENT:
        return JobTimeoutError(
            f"the job {name} was not submitted within {seconds:g} s, and is not submitted later",
            evidence=_message_of(record, pending),
            next="give it a longer --timeout",
        )
    if fate == STOP_UNKNOWN:
        return JobTimeoutError(
            f"the job {name} was asked to stop after {seconds:g} s; whether it did is unknown",
            evidence=_message_of(record, pending),
            next=AFTERWARDS[STOP_UNKNOWN].format(name=name),
        )
    if fate == LACKS_CODE:
        return JobTimeoutError(
            f"the job {name} still waits for its local code after {seconds:g} s",
            next=AFTERWARDS[LACKS_CODE].format(name=name),
        )
    still = "is still PENDING" if pending else "still runs"
    return JobTimeoutError(
        f"the job {name} {still} after {seconds:g} s",
        evidence=_message_of(record, pending),
        next=AFTERWARDS[GOES_ON].format(name=name),
    )


def _message_of(record: RunRecord, pending: bool) -> list[str]:
    """Ray's reasons why it has not started a job yet; none for a job that runs."""
    return record.message.splitlines()[:MOST_REASONS] if pending else []


def _cause_of_failure(record: RunRecord, last_lines: Sequence[str]) -> str:
    text = "\n".join([record.message, *last_lines])
    if record.error_type in BY_ERROR_TYPE:
        return BY_ERROR_TYPE[record.error_type]
    if record.errors:
        return DRIVER
    if record.driver_exit_code in KILLED or OF_MEMORY.search(text):
        return OUT_OF_MEMORY
    if OF_NODE.search(text):
        return NODE_LOST
    if record.driver_exit_code == 127:
        return NOT_FOUND
    if record.driver_exit_code is None:
        return RAY
    return SIGNAL if signal_of(record.driver_exit_code) else DRIVER


def signal_of(status: int) -> int | None:
    """The signal in an exit status: negative as Python has it, or 128 more as in shells."""
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


def _refused_its_options(record: RunRecord, last_lines: Sequence[str]) -> bool:
    """Whether a job refused its options: by an event of it, or in the manner of argparse."""
    if any(error.get("cause") == USAGE for error in record.errors):
        return True
    began = record.start is not None or record.errors
    says_so = any(USAGE_LINE.match(line) for line in last_lines)
    return record.status == "FAILED" and record.driver_exit_code == 2 and not began and says_so


def _usage(record: RunRecord, last_lines: Sequence[str]) -> UsageError:
    evidence = [
        text
        for error in record.errors
        for text in (error.get("message"), *(error.get("evidence") or []))
        if text
    ]
    return UsageError(
        f"the job {record.submission_id} refused its options",
        evidence=[str(text) for text in evidence] or last_lines[-1:],
        next=f"raykit submit {shlex.quote(record.job['name'])} -- --help",
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
    # The errors of pip or conda are at the end, below Ray's own tracebacks.
    shown = lines[-12:] if word == RUNTIME_ENV else lines[:MOST_REASONS]
    return ([record.error_type] if record.error_type else []) + shown
