"""How far would a job scale? A simulator of driver, scheduler and workers, fed with measured times.

    python benchmarks/scale_simulator.py                  the table of docs/scale.md, to 1,000 nodes
    python benchmarks/scale_simulator.py --check RECORD... against runs of scale_overheads.py,
                                                          of fib and of gsod

The driver makes one call after the other, each takes `submit`; a scheduler grants one worker after
the other, each grant takes `grant`; a worker takes `task` beside the work of each task, and goes on
with the next; the driver takes `get` for each result, and `byte` for each byte of it. Nothing else
is limited: no memory, no disk, no network between workers, no failing node. So the times are bounds
from below: where this says that a job stops scaling, it stops there or before.
"""

from __future__ import annotations

import argparse
import heapq
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

NODES = (1, 2, 4, 10, 20, 50, 100, 200, 500, 1000)
CPUS_OF_A_NODE = 2


@dataclass(frozen=True)
class Overheads:
    """Seconds; see above. byte: seconds for a byte of a result."""

    submit: float
    grant: float
    task: float
    get: float
    byte: float


MEASURED = Overheads(submit=0.12e-3, grant=1.9e-3, task=1.4e-3, get=5e-6, byte=1.4e-9)
"""One Ray node of this machine (scale_overheads.py); byte: `objects` between two Ray nodes."""


@dataclass(frozen=True)
class Job:
    """tasks: seconds of work of each, in the order in which the driver calls them."""

    name: str
    tasks: tuple[float, ...]
    result_bytes: int = 100


@dataclass(frozen=True)
class Simulated:
    """seconds: from the first call to the last result; busy: what each part was busy, of that."""

    seconds: float
    driver: float
    scheduler: float
    workers: float

    @property
    def limit(self) -> str:
        """What was busy most: the part that would have to become faster."""
        shares = {"driver": self.driver, "scheduler": self.scheduler, "workers": self.workers}
        return max(shares, key=lambda name: shares[name])


def simulate(job: Job, workers: int, over: Overheads) -> Simulated:
    """One run on so many workers, all of them started but none granted yet."""
    free: list[float] = []
    """When each granted worker can take its next task."""
    granted, scheduler_at, driver_at, worked = 0, 0.0, 0.0, 0.0
    ends: list[float] = []
    for seconds in job.tasks:
        driver_at += over.submit
        wait = free[0] if free else float("inf")
        if granted < workers and wait > driver_at:
            scheduler_at = max(scheduler_at, driver_at) + over.grant
            granted += 1
            ready = scheduler_at
        else:
            ready = heapq.heappop(free)
        began = max(ready, driver_at)
        end = began + over.task + seconds
        worked += over.task + seconds
        heapq.heappush(free, end)
        ends.append(end)
    each = over.get + over.byte * job.result_bytes
    finished = driver_at
    for end in sorted(ends):
        finished = max(finished, end) + each
    driver = len(job.tasks) * (over.submit + each)
    return Simulated(
        finished,
        driver / finished,
        granted * over.grant / finished,
        worked / (min(workers, len(job.tasks)) * finished),
    )


def useful_workers(job: Job, over: Overheads, most: int) -> int:
    """The fewest workers within 5 % of the best time that up to `most` of them give."""
    counts = sorted({min(round(1.1**step), most) for step in range(1, 100)})
    times = {count: simulate(job, count, over).seconds for count in counts}
    best = min(times.values())
    return next(count for count in counts if times[count] <= 1.05 * best)


FIB_SECONDS = 0.25
"""One sequence of 100,000 numbers (benchmarks/README.md)."""
FIB_BYTES = 434_000_000
"""The same as a returned value (jobs/fib/memory.py)."""
GSOD_SECONDS_OF_MB = 0.0082
"""A worker's time for a megabyte of archive: 0.82 s for the 100 MB of 2020."""
GSOD_BYTES = 500_000
"""Station counters of one year."""


def archive_mb(year: int) -> float:
    """About how large NOAA's archive of a year is: straight lines through 1929, 1980 and 2020."""
    if year <= 1980:
        return 0.05 + (year - 1929) / (1980 - 1929) * (60 - 0.05)
    return min(60 + (year - 1980) / (2020 - 1980) * 40, 100)


def gsod_tasks(parts: int) -> tuple[float, ...]:
    """One task a year from 1929 to 2025, or so many equal parts of each year."""
    return tuple(
        GSOD_SECONDS_OF_MB * archive_mb(year) / parts
        for year in range(1929, 2026)
        for _ in range(parts)
    )


JOBS = (
    Job("fib, 4,000 tasks", (FIB_SECONDS,) * 4000),
    Job("fib, 400 tasks of 10", (10 * FIB_SECONDS,) * 400),
    Job("fib, 40 tasks, sequences returned", (FIB_SECONDS,) * 40, FIB_BYTES),
    Job("gsod, a task a year", gsod_tasks(1), GSOD_BYTES),
    Job("gsod, 20 parts a year", gsod_tasks(20), GSOD_BYTES // 20),
)


def table(jobs: Sequence[Job] = JOBS, nodes: Sequence[int] = NODES) -> str:
    """Speedups over one task CPU as Markdown, and where each job stops."""
    lines = ["| Ray nodes of 2 CPUs | " + " | ".join(job.name for job in jobs) + " |"]
    lines.append("|---:" * (len(jobs) + 1) + "|")
    alone = [simulate(job, 1, MEASURED).seconds for job in jobs]
    for count in nodes:
        runs = [simulate(job, count * CPUS_OF_A_NODE, MEASURED) for job in jobs]
        cells = [f"{one / run.seconds:,.1f}" for one, run in zip(alone, runs, strict=True)]
        lines.append(f"| {count:,} | " + " | ".join(cells) + " |")
    most = max(nodes) * CPUS_OF_A_NODE
    ends = [useful_workers(job, MEASURED, most) for job in jobs]
    lines.append("| CPUs that still help | " + " | ".join(f"{end:,}" for end in ends) + " |")
    limits = [simulate(job, most, MEASURED).limit for job in jobs]
    lines.append("| busiest at the end | " + " | ".join(limits) + " |")
    return "\n".join(lines)


def check(path: Path) -> str:
    """What a run took, and what the simulator says of it."""
    record = json.loads(path.read_text("utf-8"))
    result = record["results"][-1]
    data = result["data"]
    if "checks" in data:
        return check_sleep(data)
    p = int(result["task_cpus"])
    if "tasks_seconds" in data:
        job = Job("fib", (median(data["local_seconds"]) / data["tasks"],) * data["tasks"])
        return line(job, data["ray_nodes"], p, median(data["tasks_seconds"]), MEASURED)
    loads = [span for span in record["spans"] if span["name"].startswith("load:")]
    job = Job("gsod", tuple(span["seconds"] for span in loads), GSOD_BYTES)
    return line(job, data["ray_nodes_used"], p, data["makespan_seconds"], MEASURED)


def check_sleep(data: dict[str, Any]) -> str:
    """A run of scale_overheads.py, held against its own overheads."""
    over = Overheads(data["submit"], data["grant"], data["task"], data["get"], 0.0)
    return "\n".join(
        line(
            Job("sleep", (case["each"],) * case["tasks"]),
            data["nodes"],
            data["p"],
            case["seconds"],
            over,
        )
        for case in data["checks"]
    )


def line(job: Job, nodes: int, p: int, took: float, over: Overheads) -> str:
    """One comparison."""
    seconds = simulate(job, p, over).seconds
    count, each = len(job.tasks), sum(job.tasks) / len(job.tasks)
    return (
        f"{job.name}, {nodes} Ray nodes, p = {p}: {count} tasks of {each:.3g} s took {took:.2f} s, "
        f"simulated {seconds:.2f} s ({took / seconds:.2f} times)"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", type=Path, nargs="+", metavar="RECORD", help="a record.json")
    options = parser.parse_args()
    print("\n".join(map(check, options.check)) if options.check else table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
