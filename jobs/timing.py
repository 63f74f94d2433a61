"""Timing lines: how a job reports what it did and how long it took.

A job writes one line of JSON per event on stdout, between its other output. The format (version 1)
is a contract: programs in any language may print such lines. A line is one object with the keys
`raykit` (the version of the format) and `event` (the kind):

    {"raykit": 1, "event": "start", "job": "fib", "time": 1700000000.0, ...}
    {"raykit": 1, "event": "span", "name": "compute", "start": 1700000000.0, "seconds": 0.52, ...}
    {"raykit": 1, "event": "result", "time": 1700000001.0, "task_cpus": 4,
     "work": {"size": 100000, "tasks": 4}, "data": {...}}
    {"raykit": 1, "event": "error", "time": 1700000001.0, "cause": "data",
     "message": "...", "evidence": ["...", ...]}

`data` belongs to the job; raykit reads no meaning into it. A result also has, if the job knows
them, `task_cpus` (the task CPUs that it could use, a number above 0: the p of speedup) and `work`
(what was done, independent of the cluster and the time: sizes, counts, hashes of the input data and
of the answer). `raykit compare` compares the times of two runs only if their `work` is equal.

`start` also carries `machine`, the driver's: `cpu_model`, `cpu_count`, `boot_id`, `load` (the load
average of the last minute). `start` and `result` carry `throttled_seconds`, how long a CPU limit
has held the driver's container back so far, and `cpu_pressure_seconds`, how long so far any process
on the machine waited for a CPU, and `steal_seconds`, the CPU time that the machine's host has given
to other machines. Each is left out if the operating system does not report it.

`time` and `start` are Unix seconds; `seconds` is a length taken from a monotonic clock. The dots
stand for further attributes, any JSON, which are kept. A `span` is written only if it succeeded.
The `cause` of an `error` is `data` if input data is corrupt, incomplete or unreadable, else
another word; the job then exits with a status other than 0. A job that wrote `start` ends with
`result` or `error`. Numbers are finite: JSON has neither NaN nor Infinity. Times and lengths are
below 1e10; raykit reads no line with a larger one.
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
CPU_TIMES = Path("/proc/stat")


def start(job: str, **fields: Any) -> None:
    """Report that the job begins its work. fields: such as its arguments."""
    emit("start", job=job, time=time.time(), machine=machine(), **_waited(), **fields)


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[dict[str, Any]]:
    """Time the block and write it as one span; yields its attributes, to which you may add."""
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
    """Report the result: the last event of a job that succeeded.

    task_cpus: CPUs that Ray offered to tasks. work: what was done; equal in runs of equal work.
    """
    known = {"task_cpus": task_cpus, "work": None if work is None else dict(work)}
    given = {name: value for name, value in known.items() if value is not None}
    emit("result", time=time.time(), **_waited(), **given, data=dict(data))


def error(cause: str, message: str, evidence: Sequence[str] = ()) -> None:
    """Report why there is no result; the job then exits with a status other than 0."""
    emit("error", time=time.time(), cause=cause, message=message, evidence=list(evidence))


def emit(event: str, **fields: Any) -> None:
    """Write one event as one line.

    Raises ValueError for a number that JSON cannot hold.
    """
    line = json.dumps({"raykit": VERSION, "event": event, **fields}, allow_nan=False) + "\n"
    sys.stdout.flush()
    _write(line.encode())


def machine() -> dict[str, Any]:
    """The machine that this process runs on, without values that cannot be read."""
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


def throttled_seconds() -> float:
    """Seconds so far in which a CPU limit held this container back; 0 where that is not known."""
    return _waited().get("throttled_seconds", 0.0)


def _waited() -> dict[str, float]:
    """Seconds so far: held back by the CPU limit, with a process waiting for a CPU, stolen."""
    counters = {
        "throttled_seconds": re.search(r"^throttled_usec (\d+)$", _read(CPU_STAT), re.MULTILINE),
        "cpu_pressure_seconds": re.search(
            r"^some .*total=(\d+)$", _read(CPU_PRESSURE), re.MULTILINE
        ),
    }
    seconds = {name: int(match[1]) / 1e6 for name, match in counters.items() if match}
    return {**seconds, **_stolen()}


def _stolen() -> dict[str, float]:
    """CPU time stolen so far: the eighth number of the first line of /proc/stat, in ticks."""
    found = re.match(r"cpu(?: +\d+){7} +(\d+)", _read(CPU_TIMES))
    return {"steal_seconds": int(found[1]) / os.sysconf("SC_CLK_TCK")} if found else {}


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
