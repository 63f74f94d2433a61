"""What Ray takes for a task, measured; a job for `raykit submit`, read by scale_simulator.py.

    raykit up --on local --name nodes-2 --nodes 2
    raykit submit benchmarks/scale_overheads.py --on nodes-2

Three overheads come from empty tasks on warm workers, medians of several goes. Then tasks that only
sleep run in several numbers and lengths: they take no CPU, so that Ray nodes which share this
machine can be compared with what the simulator says of real ones.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Any

import ray

SUBMITTED = 400
GRANTS_END = 1.5
"""Seconds after which the driver has given idle workers back."""
CHECKS = ((16, 1.0), (40, 0.1), (100, 0.02))
"""Tasks, seconds each: long ones, short ones, and many so short that overheads decide."""


@ray.remote(num_cpus=1)
def sleep(seconds: float) -> int:
    """One task: how long it takes is known, and it needs no CPU."""
    time.sleep(seconds)
    return 0


def warm_up(p: int) -> None:
    """A worker on every task CPU."""
    for _ in range(3):
        ray.get([sleep.remote(0.3) for _ in range(2 * p)])


def submit_and_get(goes: int) -> tuple[float, float]:
    """Seconds that the driver takes for each call, and for each result that is there already."""
    submits, gets = [], []
    for _ in range(goes):
        began = time.perf_counter()
        references = [sleep.remote(0.0) for _ in range(SUBMITTED)]
        submits.append((time.perf_counter() - began) / SUBMITTED)
        ray.wait(references, num_returns=SUBMITTED)
        began = time.perf_counter()
        ray.get(references)
        gets.append((time.perf_counter() - began) / SUBMITTED)
    return statistics.median(submits), statistics.median(gets)


def task(goes: int, p: int) -> float:
    """Seconds that a worker takes for an empty task, its way to it and back included."""
    times = []
    for _ in range(goes):
        began = time.perf_counter()
        ray.get([sleep.remote(0.0) for _ in range(SUBMITTED)])
        times.append((time.perf_counter() - began) * p / SUBMITTED)
    return statistics.median(times)


def grant(goes: int, empty: float) -> float:
    """Seconds for one empty task alone, on a worker that the raylet grants again, less the task."""
    times = []
    for _ in range(goes):
        time.sleep(GRANTS_END)
        began = time.perf_counter()
        ray.get(sleep.remote(0.0))
        times.append(time.perf_counter() - began)
    return max(statistics.median(times) - empty, 0.0)


def say(event: str, **fields: Any) -> None:
    """One line of raykit's format (jobs/timing.py), which any program may print."""
    print(json.dumps({"raykit": 1, "event": event, **fields}), flush=True)


def makespan(count: int, seconds: float, goes: int) -> float:
    """Seconds that so many sleeping tasks take, from the first call to the last result."""
    times = []
    for _ in range(goes):
        began, clock = time.time(), time.perf_counter()
        ray.get([sleep.remote(seconds) for _ in range(count)])
        times.append(time.perf_counter() - clock)
        say("span", name="makespan", start=began, seconds=times[-1], tasks=count, each=seconds)
    return statistics.median(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--goes", type=int, default=3, help="times each is measured (%(default)s)")
    options = parser.parse_args()
    ray.init(log_to_driver=False, logging_level="WARNING")
    say("start", job="scale-overheads", time=time.time(), arguments=vars(options))
    cpus = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    p = sum(cpus)
    warm_up(p)
    submit, get = submit_and_get(options.goes)
    empty = task(options.goes, p)
    data = {
        "nodes": len(cpus),
        "p": p,
        "submit": submit,
        "get": get,
        "task": empty,
        "grant": grant(options.goes, empty),
        "checks": [
            {"tasks": count, "each": each, "seconds": makespan(count, each, options.goes)}
            for count, each in CHECKS
        ],
    }
    say("result", time=time.time(), task_cpus=p, data=data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
