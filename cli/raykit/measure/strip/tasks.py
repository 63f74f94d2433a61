"""Summarises a job's tasks for its record: which ran where and when, and on which Ray nodes.

The source is Ray's task events, so it works for any job. Times are Unix seconds on the clocks of
the Ray nodes. If Ray left out events, only counts are kept: a part of them measures nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Any

from raykit.measure.strip.lanes import ACTOR as ACTOR_LANE
from raykit.measure.strip.lanes import TOUCHING, Lane, laid_out
from raykit.measure.strip.nodes import Node, most_offered, offered_seconds, present

MOST_LANES = 100
MOST_NAMES = 20
CELLS = 400
"""A record keeps a lane's busy time as precisely as a strip of so many columns can show."""
NORMAL, ACTOR, CREATION = "NORMAL_TASK", "ACTOR_TASK", "ACTOR_CREATION_TASK"
LOCAL_ARM = "local"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """One attempt of one task.

    start, end: on the Ray node's clock. cpus: those that it held while it ran; for an actor's
    method, those of its actor. actor: the actor's id; None for a plain task. created: on the
    submitter's clock.
    """

    name: str
    node: str
    start: float
    end: float
    state: str
    attempt: int
    cpus: float = 1.0
    actor: str | None = None
    created: float | None = None


@dataclass(frozen=True)
class Arm:
    """One timing of an arm by the job itself. start: Unix seconds on the driver's clock."""

    name: str
    start: float
    seconds: float


def parse(rows: Sequence[Row], now: float, actors: Sequence[Row] = ()) -> list[Task]:
    """The tasks that ran, from rows of Ray's state API; tasks that still run end at `now`."""
    homes = _homes(rows, actors)
    holds = {row["actor_id"]: _cpus_asked(row, 0.0) for row in rows if row.get("type") == CREATION}
    ran = (row for row in rows if row.get("type") in (NORMAL, ACTOR, CREATION))
    return sorted(
        (_task(row, now, homes, holds) for row in ran if row.get("start_time_ms")),
        key=lambda task: (task.start, task.end, task.node),
    )


def lacks_nodes(rows: Sequence[Row]) -> bool:
    """Whether a task ran of which neither its own row nor one of its actor names the Ray node."""
    homes = _homes(rows, ())
    return any(
        row.get("start_time_ms") and not row.get("node_id") and row.get("actor_id") not in homes
        for row in rows
        if row.get("type") in (NORMAL, ACTOR, CREATION)
    )


def _homes(rows: Sequence[Row], actors: Sequence[Row]) -> dict[str, str]:
    """The Ray node of each actor: Ray does not say where an actor's creation ran."""
    known = [row for row in (*actors, *rows) if row.get("actor_id") and row.get("node_id")]
    return {row["actor_id"]: row["node_id"] for row in known}


def _task(row: Row, now: float, homes: Mapping[str, str], holds: Mapping[str, float]) -> Task:
    start = row["start_time_ms"] / 1000
    end = row["end_time_ms"] / 1000 if row.get("end_time_ms") else now
    actor = row.get("actor_id")
    return Task(
        name=row.get("func_or_class_name") or row.get("name") or "?",
        node=row.get("node_id") or homes.get(actor or "") or "?",
        start=start,
        end=max(start, end),
        state=row.get("state") or "?",
        attempt=row.get("attempt_number") or 0,
        cpus=holds.get(actor, 0.0) if actor else _cpus_asked(row, 1.0),
        actor=actor,
        created=row["creation_time_ms"] / 1000 if row.get("creation_time_ms") else None,
    )


def _cpus_asked(row: Row, unknown: float) -> float:
    resources = row.get("required_resources")
    return unknown if resources is None else float(resources.get("CPU", 0.0))


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
    there = present(nodes, *during)
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
    if lane.kind == ACTOR_LANE:
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
    found: dict[str, dict[str, float]] = {}
    for arm in timed:
        own = found.setdefault(arm.name, dict.fromkeys(("times", "seconds", "tasks", "cpus"), 0))
        own["times"] += 1
        own["seconds"] += arm.seconds
    starts = [arm.start - TOUCHING for arm in timed]
    for task in tasks:
        made = -inf if task.created is None else task.created
        index = bisect_right(starts, made) - 1
        if index < 0 or made > timed[index].start + timed[index].seconds:
            continue
        own = found[timed[index].name]
        own["tasks"] += 1
        own["cpus"] += task.cpus * (task.end - task.start)
    return found
