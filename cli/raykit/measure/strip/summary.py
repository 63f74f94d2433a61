"""Summarises a job's tasks for its record: which ran where and when, and on which Ray nodes.

The source is Ray's task events, so it works for any job. Times are Unix seconds on the clocks of
the Ray nodes. If Ray left out events, only counts are kept: a part of them measures nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import inf
from typing import Any

from raykit.measure.strip.lanes import ACTOR, TOUCHING, Lane, laid_out
from raykit.measure.strip.nodes import Node, most_offered, offered_seconds, present
from raykit.measure.strip.tasks import LOCAL_ARM, Arm, Row, Task, parse

MOST_LANES = 100
MOST_NAMES = 20
CELLS = 400
"""A record keeps a lane's busy time as precisely as a strip of so many columns can show."""


def summarise(
    rows: Sequence[Row],
    dropped: int,
    nodes: Sequence[Row],
    now: float,
    *,
    during: tuple[float | None, float | None] = (None, None),
    arms: Sequence[Arm] = (),
    actors: Sequence[Row] = (),
) -> dict[str, Any]:
    """The summary of a job's tasks for its record.

    rows, nodes, actors: of Ray's state API. dropped: number of task rows that Ray left out. now:
    the end of tasks that still run. during: the job's start and end. arms: its own timings.
    Returns counts, names, the nodes that existed, and the most task CPUs that they offered at once.
    If tasks ran and no row is missing, also: first start, last end, makespan; seconds of CPUs held
    and offered; the busiest lanes with their busy intervals and tasks (see `_one_by_one`); the
    tasks of each arm.
    """
    tasks = parse(rows, now, actors)
    there = present(nodes, *during, rows)
    summary: dict[str, Any] = {
        "count": len(tasks),
        "dropped": dropped,
        "failed": sum(task.state == "FAILED" for task in tasks),
        "retried": sum(task.attempt > 0 for task in tasks),
        "task_cpus": most_offered(there),
        "nodes": {node.name: node.cpus for node in there},
        "came": {node.name: node.start for node in there if node.came},
        "ended": {
            node.name: {"time": node.end, "why": node.why, "lost": node.lost}
            for node in there
            if node.went
        },
        "names": _counted_names(tasks),
    }
    if not tasks or dropped:
        return summary
    return summary | _measured(tasks, there) | {"arms": _in_arms(tasks, arms)}


def _measured(tasks: Sequence[Task], nodes: Sequence[Node]) -> dict[str, Any]:
    by_id = {node.id: node for node in nodes}
    lanes = laid_out(tasks, {node.id: int(node.cpus) for node in nodes})
    names = _counted_names(tasks)
    first, last = tasks[0].start, max(task.end for task in tasks)
    kept = set(sorted(lanes, key=lambda lane: -lane.busy)[:MOST_LANES])
    holding = [lane for lane in lanes if lane.holds and lane.busy > 0]
    return {
        "first_start": first,
        "last_end": last,
        "makespan": last - first,
        "busy_seconds": sum(task.end - task.start for task in tasks),
        "most_at_once": _most_at_once(tasks),
        "most_cpus_asked": max(task.cpus for task in tasks),
        "least_cpus_asked": min(task.cpus for task in tasks),
        "cpus_used": sum(max(int(lane.holds), 1) for lane in holding),
        "cpu_seconds": sum(_held(lane) for lane in holding),
        "cpu_seconds_offered": offered_seconds(nodes, first, last),
        "least_wait": min((t.start - t.created for t in tasks if t.created), default=0.0),
        "last_finished": max((t.end for t in tasks if t.state == "FINISHED"), default=None),
        "waited_for_each_other": one_submitted_after_another(tasks),
        "lanes_used": len(lanes),
        "lanes": [
            {
                **_kept(lane, by_id.get(lane.node), (last - first) / CELLS),
                "tasks": _one_by_one(lane, first, list(names)),
            }
            for lane in lanes
            if lane in kept
        ],
    }


def _held(lane: Lane) -> float:
    """The CPU seconds that a lane's tasks held; a task may hold a part of a CPU."""
    if lane.kind == ACTOR:
        return lane.busy * lane.holds
    return sum(min(task.cpus, 1.0) * (task.end - task.start) for task in lane.tasks)


def _kept(lane: Lane, node: Node | None, gap: float) -> dict[str, Any]:
    failed = [[task.start, task.end] for task in lane.tasks if task.state == "FAILED"]
    return {
        "node": node.name if node else lane.node[:8],
        "kind": lane.kind,
        "cpu": lane.index,
        "name": lane.name,
        "busy_seconds": lane.busy,
        "intervals": _joined(lane.intervals, gap),
        **({"failed": failed} if failed else {}),
    }


def _counted_names(tasks: Sequence[Task]) -> dict[str, int]:
    """The most frequent names of tasks, with how many have them."""
    return dict(Counter(task.name for task in tasks).most_common(MOST_NAMES))


def _one_by_one(lane: Lane, first: float, names: Sequence[str]) -> list[list[int]]:
    """Each task of a lane: milliseconds after the first task's start, its length in milliseconds,
    and the place of its name in `names`, -1 where it is not among them."""
    places = {name: place for place, name in enumerate(names)}
    return [
        [
            round((task.start - first) * 1000),
            round((task.end - task.start) * 1000),
            places.get(task.name, -1),
        ]
        for task in lane.tasks
    ]


def _joined(intervals: Sequence[tuple[float, float]], gap: float) -> list[list[float]]:
    """Busy intervals, joined if they are closer than `gap`, so that a record stays small."""
    joined: list[list[float]] = []
    for start, end in intervals:
        if joined and start - joined[-1][1] <= gap:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return joined


def _most_at_once(tasks: Sequence[Task]) -> int:
    moments = [(task.start + TOUCHING, 1) for task in tasks]
    moments += [(max(task.end, task.start + TOUCHING), -1) for task in tasks]
    running = most = 0
    for _, change in sorted(moments):
        running += change
        most = max(most, running)
    return max(most, 1)


def one_submitted_after_another(tasks: Sequence[Task]) -> bool:
    """Whether each of three or more plain tasks was created only after the one before had ended.

    Ends are on a Ray node's clock, creations on the driver's. If a task seems to start before it
    was created, the clocks disagree and the answer is no.
    """
    if len(tasks) < 3 or any(task.actor or task.created is None for task in tasks):
        return False
    known = [(task.created or 0.0, task.start, task.end) for task in tasks]
    sane = all(created <= start + TOUCHING for created, start, _ in known)
    return sane and all(
        created + TOUCHING >= end for (_, _, end), (created, _, _) in pairwise(known)
    )


def _in_arms(tasks: Sequence[Task], arms: Sequence[Arm]) -> dict[str, Any]:
    """Seconds, tasks and CPU seconds of each arm except the local one.

    A task belongs to the arm in which it was created: both times are on the driver's clock.
    """
    timed = sorted((arm for arm in arms if arm.name != LOCAL_ARM), key=lambda arm: arm.start)
    totals: dict[str, dict[str, float]] = {}
    for arm in timed:
        own = totals.setdefault(arm.name, dict.fromkeys(("times", "seconds", "tasks", "cpus"), 0))
        own["times"] += 1
        own["seconds"] += arm.seconds
    starts = [arm.start - TOUCHING for arm in timed]
    for task in tasks:
        made = -inf if task.created is None else task.created
        index = bisect_right(starts, made) - 1
        if index < 0 or made > timed[index].start + timed[index].seconds:
            continue
        own = totals[timed[index].name]
        own["tasks"] += 1
        own["cpus"] += task.cpus * (task.end - task.start)
    return totals
