"""The one thing jobs share: how a job says what it did and how long it took.

A job writes one line of JSON per event on stdout, among whatever else it prints. The format is a
contract (version 1) that any program in any language may print itself. A line is one object with
the keys `raykit` (the version of the format) and `event` (the kind):

    {"raykit": 1, "event": "start", "job": "fib", "time": 1700000000.0, ...}
    {"raykit": 1, "event": "span", "name": "compute", "start": 1700000000.0, "seconds": 0.52, ...}
    {"raykit": 1, "event": "result", "time": 1700000001.0, "task_cpus": 4,
     "work": {"size": 100000, "tasks": 4}, "data": {...}}
    {"raykit": 1, "event": "error", "time": 1700000001.0, "cause": "data",
     "message": "...", "evidence": ["...", ...]}

`data` belongs to the job; nothing in it has a meaning for raykit. Beside it stand, where the job
knows them, `task_cpus` (the task CPUs that were there to use, a number above 0: the p of speedup)
and `work` (what was done, whatever the cluster and the time it took: sizes, counts, hashes of the
input data and of the answer). `raykit compare` sets two runs side by side where `work` is equal.

`start` also carries `machine`, the driver's: `cpu_model`, `cpu_count`, `boot_id`, `load` (the load
average of the last minute). `start` and `result` carry `throttled_seconds`, how long a CPU limit
has held the driver's container back so far, and `cpu_pressure_seconds`, how long so far somebody
on the machine waited for a CPU. Each is left out where the operating system does not say it.

`time` and `start` are Unix seconds; `seconds` is a length taken from a monotonic clock. The dots
stand for further attributes, any JSON, which are kept. A `span` is written when it has ended well.
The `cause` of an `error` is `data` where input data is corrupt, incomplete or unreadable, or
another word; a job exits with a status other than 0 after it. A job that wrote `start` ends with
`result` or `error`. Numbers are finite: JSON has neither NaN nor Infinity.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VERSION = 1
STDOUT = 1
CPU_STAT = Path("/sys/fs/cgroup/cpu.stat")
CPU_PRESSURE = Path("/proc/pressure/cpu")


def start(job: str, **fields: Any) -> None:
    """Say that the job begins its work, with what it was asked to do."""
    emit("start", job=job, time=time.time(), machine=machine(), **_waited(), **fields)


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[dict[str, Any]]:
    """Time what happens inside and write it as one span; yields its attributes, to add to."""
    began, clock = time.time(), time.perf_counter()
    yield attributes
    record(name, began, time.perf_counter() - clock, **attributes)


def record(name: str, start: float, seconds: float, **attributes: Any) -> None:
    """Write a span that was timed elsewhere, such as inside a task."""
    emit("span", name=name, start=start, seconds=seconds, **attributes)


def result(
    data: Mapping[str, Any],
    *,
    task_cpus: float | None = None,
    work: Mapping[str, Any] | None = None,
) -> None:
    """Say what came out: the last event of a job that ended well.

    task_cpus: CPUs that Ray offered to tasks; work: what was done, equal in runs of equal work.
    """
    known = {"task_cpus": task_cpus, "work": None if work is None else dict(work)}
    told = {name: value for name, value in known.items() if value is not None}
    emit("result", time=time.time(), **_waited(), **told, data=dict(data))


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


def machine() -> dict[str, Any]:
    """The machine that this process runs on; what cannot be read is left out."""
    model = re.search(r"^model name\s*:\s*(.+)$", _read(Path("/proc/cpuinfo")), re.MULTILINE)
    facts = {
        "cpu_model": model.group(1) if model else platform.processor() or None,
        "cpu_count": os.cpu_count(),
        "boot_id": _read(Path("/proc/sys/kernel/random/boot_id")).strip() or None,
        "load": _load(),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def _waited() -> dict[str, float]:
    """Seconds until now: the container held back by its limit, somebody waiting for a CPU."""
    counters = {
        "throttled_seconds": re.search(r"^throttled_usec (\d+)$", _read(CPU_STAT), re.MULTILINE),
        "cpu_pressure_seconds": re.search(
            r"^some .*total=(\d+)$", _read(CPU_PRESSURE), re.MULTILINE
        ),
    }
    return {name: int(found[1]) / 1e6 for name, found in counters.items() if found}


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _write(data: bytes) -> None:
    # One write keeps a line whole beside what other processes print to the same file.
    written = os.write(STDOUT, data)
    while written < len(data):
        written += os.write(STDOUT, data[written:])
