"""Large objects: one `ray.put` that many tasks read, against sending each task its own copy.

`python -m jobs.objects --mib 100 --readers 4` times both ways, with the readers on the driver's own
Ray node and on another one, if there is one. Every reader reads every page, and their sums must
agree.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import ray

from jobs import job, timing
from jobs.objects.numbers import Numbers

EXIT_MEMORY = 3
EXIT_DISAGREE = 4
MIB = 2**20
LIMITS = {"mib": 1_000_000, "readers": 10_000, "repeat": 1_000}
ROUNDS_TO_DECIDE = 4
ROOM = 0.8
"""How much of an object store may be filled before Ray begins to spill."""


@dataclass(frozen=True)
class Place:
    """Where readers run: its name in the table, and the Ray node's id."""

    name: str
    node: str


def read_task(numbers: Numbers) -> float:
    """The body of one Ray task."""
    return numbers.total()


def places(nodes: Sequence[dict[str, Any]], here: str) -> list[Place]:
    """The driver's node and one other, as far as they take tasks."""
    able = [node["NodeID"] for node in nodes if node["Alive"] and node["Resources"].get("CPU", 0)]
    others = [node for node in able if node != here]
    own = [Place("the driver's Ray node", here)] if here in able else []
    return own + ([Place("another Ray node", others[0])] if others else [])


def shortage(mib: int, readers: int, nodes: Sequence[dict[str, Any]]) -> str | None:
    """Why the copies would not fit into the smallest object store; None if they fit."""
    smallest = min(node["Resources"].get("object_store_memory", 0) for node in nodes)
    most = int(smallest * ROOM / MIB)
    if mib * (readers + 1) <= most:
        return None
    return f"{readers} copies of {mib} MiB and the original; the smallest object store takes {most}"


def measure(
    way: str, place: Place, numbers: Numbers, readers: int
) -> tuple[float, float, set[Any]]:
    """Unix start, seconds until all readers have answered, and their answers."""
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(place.node, soft=False)
    task = ray.remote(num_cpus=1, scheduling_strategy=strategy)(read_task)
    began, clock = time.time(), time.perf_counter()
    if way == "put once":
        shared = ray.put(numbers)
        pending = [task.remote(shared) for _ in range(readers)]
    else:
        pending = [task.remote(numbers) for _ in range(readers)]
    answers = set(ray.get(pending))
    return began, time.perf_counter() - clock, answers


def row(
    way: str, place: Place, options: argparse.Namespace, seconds: list[float]
) -> dict[str, Any]:
    """One line of the table."""
    middle = median(seconds)
    return {
        "way": way,
        "where": place.name,
        "readers": options.readers,
        "mib": options.mib,
        "seconds": seconds,
        "median_seconds": middle,
        "mib_per_second": options.mib * options.readers / middle,
    }


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The rows as text."""
    lines = [f"{'where':<22} {'way':<12} {'readers':>7} {'MiB':>7} {'seconds':>9} {'MiB/s':>9}"]
    lines += [
        f"{row['where']:<22} {row['way']:<12} {row['readers']:>7} {row['mib']:>7} "
        f"{row['median_seconds']:>9.4f} {row['mib_per_second']:>9,.0f}"
        for row in rows
    ]
    return lines


def verdicts(rows: Sequence[dict[str, Any]]) -> list[str]:
    """One sentence for each place; undecided if the times of both ways overlap."""
    lines = []
    for where in dict.fromkeys(row["where"] for row in rows):
        times = {row["way"]: row["seconds"] for row in rows if row["where"] == where}
        lines.append(f"On {where}: {_compared(times['put once'], times['send copies'])}")
    return lines


def _compared(put: Sequence[float], copies: Sequence[float]) -> str:
    """A rank test for few samples: every time of one way must be shorter than all of the other."""
    apart = max(put) < min(copies) or max(copies) < min(put)
    if min(len(put), len(copies)) < ROUNDS_TO_DECIDE or not apart:
        return "undecided; try a larger --mib or more --repeat."
    ratio = median(copies) / median(put)
    word = f"{ratio:.1f} times faster" if ratio > 1 else f"{1 / ratio:.1f} times slower"
    return f"one ray.put is {word} than sending copies."


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options; every problem at once, exit status 2."""
    parser = job.OptionParser("objects", description=__doc__.splitlines()[0])
    parser.add_argument("--mib", default="100", help="size of the object (%(default)s)")
    parser.add_argument("--readers", default="4", help="tasks that read it (%(default)s)")
    parser.add_argument("--repeat", default="5", help="times to measure each way (%(default)s)")
    options = parser.parse_args(argv)
    if problems := job.read_counts(options, LIMITS):
        parser.refuse(problems)
    return options


def main(argv: Sequence[str] | None = None) -> int:
    options = parse(argv)
    job.join_ray()
    timing.start("objects", arguments=vars(options))
    nodes = [node for node in ray.nodes() if node["Alive"]]
    if short := shortage(options.mib, options.readers, nodes):
        return job.fail(EXIT_MEMORY, "memory", "the copies would not fit", short)
    numbers = Numbers.make(options.mib * MIB)
    rows, agree = _measure_all(options, nodes, numbers)
    if not agree:
        return job.fail(EXIT_DISAGREE, "disagreement", "readers got different numbers")
    print("\n".join([*table(rows), *verdicts(rows)]))
    if len(nodes) == 1:
        print("There is one Ray node: nothing was read across nodes.")
    timing.result(
        {"rows": rows, "ray_nodes": len(nodes), "agree": agree},
        task_cpus=sum(job.task_cpus()) or None,
        work={"mib": options.mib, "readers": options.readers},
    )
    return 0


def _measure_all(
    options: argparse.Namespace, nodes: Sequence[dict[str, Any]], numbers: Numbers
) -> tuple[list[dict[str, Any]], bool]:
    """Both ways in turn, at each place, after a first reading that starts the workers."""
    expected, agree, rows = {numbers.total()}, True, []
    for place in places(nodes, ray.get_runtime_context().get_node_id()):
        measure("put once", place, Numbers.make(1), options.readers)
        seconds: dict[str, list[float]] = {"put once": [], "send copies": []}
        for repeat in range(options.repeat):
            for way, times in seconds.items():
                began, taken, answers = measure(way, place, numbers, options.readers)
                agree &= answers == expected
                times.append(taken)
                where = {"way": way, "where": place.name, "repeat": repeat}
                timing.record("read", began, taken, **where)
        rows += [row(way, place, options, times) for way, times in seconds.items()]
    return rows, agree


if __name__ == "__main__":
    sys.exit(main())
