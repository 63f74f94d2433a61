"""The one thing jobs share: how a job says what it did and how long it took.

A job writes one line of JSON per event on stdout, among whatever else it prints. The format is a
contract (version 1) that any program in any language may print itself. A line is one object with
the keys `raykit` (the version of the format) and `event` (the kind):

    {"raykit": 1, "event": "start", "job": "fib", "time": 1700000000.0, ...}
    {"raykit": 1, "event": "span", "name": "compute", "start": 1700000000.0, "seconds": 0.52, ...}
    {"raykit": 1, "event": "result", "time": 1700000001.0, "data": {...}}
    {"raykit": 1, "event": "error", "time": 1700000001.0, "cause": "data",
     "message": "...", "evidence": ["...", ...]}

`start` and `result` also carry `throttled_seconds`, how long a CPU limit has held the driver's
container back so far, where its cgroup (version 2) can be read.

`time` and `start` are Unix seconds; `seconds` is a length taken from a monotonic clock. The dots
stand for further attributes, any JSON, which are kept. A `span` is written when it has ended well.
The `cause` of an `error` is `data` where input data is corrupt, incomplete or unreadable, or
another word; a job exits with a status other than 0 after it. A job that wrote `start` ends with
`result` or `error`. Numbers are finite: JSON has neither NaN nor Infinity.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VERSION = 1
STDOUT = 1
CPU_STAT = Path("/sys/fs/cgroup/cpu.stat")


def start(job: str, **fields: Any) -> None:
    """Say that the job begins its work, with what it was asked to do."""
    emit("start", job=job, time=time.time(), **_throttled(), **fields)


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[dict[str, Any]]:
    """Time what happens inside and write it as one span; yields its attributes, to add to."""
    began, clock = time.time(), time.perf_counter()
    yield attributes
    record(name, began, time.perf_counter() - clock, **attributes)


def record(name: str, start: float, seconds: float, **attributes: Any) -> None:
    """Write a span that was timed elsewhere, such as inside a task."""
    emit("span", name=name, start=start, seconds=seconds, **attributes)


def result(data: Mapping[str, Any]) -> None:
    """Say what came out: the last event of a job that ended well."""
    emit("result", time=time.time(), **_throttled(), data=dict(data))


def error(cause: str, message: str, evidence: Sequence[str] = ()) -> None:
    """Say why there is no result; the job then exits with a status other than 0."""
    emit("error", time=time.time(), cause=cause, message=message, evidence=list(evidence))


def emit(event: str, **fields: Any) -> None:
    """Write one event as one line.

    Raises ValueError for a number that JSON cannot hold.
    """
    line = json.dumps({"raykit": VERSION, "event": event, **fields}, allow_nan=False) + "\n"
    sys.stdout.flush()
    _write(line.encode())


def _throttled() -> dict[str, float]:
    try:
        counters = dict(line.split() for line in CPU_STAT.read_text("ascii").splitlines())
        return {"throttled_seconds": int(counters["throttled_usec"]) / 1e6}
    except (OSError, ValueError, KeyError):
        return {}


def _write(data: bytes) -> None:
    # One write keeps a line whole beside what other processes print to the same file.
    written = os.write(STDOUT, data)
    while written < len(data):
        written += os.write(STDOUT, data[written:])
