"""The task strip: who was busy when, in at most ten lines, and one verdict in words.

Built from Ray's task events alone, so it serves any job. Times are Unix seconds on the clocks of
the Ray nodes.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

MOST_LINES = 10
MOST_LANES = 100
MOST_NAMES = 20
CELLS = 400
"""A record keeps a lane's busy time as finely as a strip of so many columns can show."""
TOUCHING = 0.0015
"""Ray's task times are whole milliseconds: one that starts in the next one is no overlap."""
LABEL_WIDTH = 28
FULL, PART, IDLE = "█", "▒", "·"
COUNTED_TYPES = frozenset({"NORMAL_TASK", "ACTOR_TASK", "ACTOR_CREATION_TASK"})


@dataclass(frozen=True)
class Task:
    """One attempt of one task: where it ran and when."""

    name: str
    node: str
    start: float
    end: float
    state: str
    attempt: int


@dataclass(frozen=True)
class Lane:
    """What one CPU of one Ray node took, in order, never two tasks at once."""

    node: str
    index: int
    tasks: tuple[Task, ...]

    @property
    def busy(self) -> float:
        return sum(task.end - task.start for task in self.tasks)


def parse(rows: Sequence[Mapping[str, Any]], now: float) -> list[Task]:
    """The tasks that ran, from rows of Ray's state API; one that still runs ends at `now`."""
    ran = (row for row in rows if row.get("type") in COUNTED_TYPES and row.get("start_time_ms"))
    return sorted(
        (_task(row, now) for row in ran), key=lambda task: (task.start, task.end, task.node)
    )


def _task(row: Mapping[str, Any], now: float) -> Task:
    start = row["start_time_ms"] / 1000
    end = row["end_time_ms"] / 1000 if row.get("end_time_ms") else now
    return Task(
        name=row.get("func_or_class_name") or row.get("name") or "?",
        node=row.get("node_id") or "?",
        start=start,
        end=max(start, end),
        state=row.get("state") or "?",
        attempt=row.get("attempt_number") or 0,
    )


def lanes(tasks: Sequence[Task]) -> list[Lane]:
    """Tasks, sorted by start, laid onto lanes: each takes the first of its node that is free."""
    by_node: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        by_node[task.node].append(task)
    return [
        Lane(node, index, tuple(lane))
        for node, own in by_node.items()
        for index, lane in enumerate(_laid(own))
    ]


def _laid(tasks: Sequence[Task]) -> list[list[Task]]:
    """As few rows as can hold the tasks without overlap: as many as ran at once."""
    rows: list[list[Task]] = []
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    for task in tasks:
        while busy and busy[0][0] <= task.start + TOUCHING:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            index = heapq.heappop(free)
            rows[index].append(task)
        else:
            index = len(rows)
            rows.append([task])
        heapq.heappush(busy, (task.end, index))
    return rows


def summarise(
    rows: Sequence[Mapping[str, Any]],
    dropped: int,
    nodes: Sequence[Mapping[str, Any]],
    now: float,
) -> dict[str, Any]:
    """What a record keeps of a job's tasks.

    rows: of Ray's state API; dropped: rows that Ray did not return; nodes: Ray's nodes.
    Returns counts, names, task CPUs offered; where tasks ran also first start, last end, makespan,
    busy seconds, the most tasks at once, task CPUs used, and the busiest lanes with their busy
    intervals.
    """
    tasks = parse(rows, now)
    names = _node_names(nodes)
    summary: dict[str, Any] = {
        "count": len(tasks),
        "dropped": dropped,
        "failed": sum(task.state == "FAILED" for task in tasks),
        "retried": sum(task.attempt > 0 for task in tasks),
        "task_cpus": sum(_cpus(row) for row in nodes if row.get("state") == "ALIVE"),
        "nodes": {names[row["node_id"]]: _cpus(row) for row in nodes},
        "names": dict(Counter(task.name for task in tasks).most_common(MOST_NAMES)),
    }
    return summary | _laid_out(tasks, nodes, names) if tasks else summary


def _laid_out(
    tasks: Sequence[Task], nodes: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> dict[str, Any]:
    found = lanes(tasks)
    first, last = tasks[0].start, max(task.end for task in tasks)
    offered = {row["node_id"]: int(_cpus(row)) for row in nodes}
    taken = Counter(lane.node for lane in found if lane.busy > 0)
    kept = set(sorted(found, key=lambda lane: -lane.busy)[:MOST_LANES])
    return {
        "first_start": first,
        "last_end": last,
        "makespan": last - first,
        "busy_seconds": sum(lane.busy for lane in found),
        "most_at_once": len(_laid(tasks)),
        "cpus_used": sum(min(count, offered.get(node, count)) for node, count in taken.items()),
        "lanes_used": len(found),
        "lanes": [
            {
                "node": names.get(lane.node, lane.node[:8]),
                "cpu": lane.index,
                "busy_seconds": lane.busy,
                "intervals": _merged(lane.tasks, (last - first) / CELLS),
            }
            for lane in found
            if lane in kept
        ],
    }


def _node_names(nodes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """A name for each Ray node by id; nodes at one address are told apart by their ids."""
    plain = {row["node_id"]: _node_name(row) for row in nodes}
    often = Counter(plain.values())
    return {
        node: name if often[name] == 1 else f"{name} {node[:4]}" for node, name in plain.items()
    }


def _node_name(row: Mapping[str, Any]) -> str:
    role = "head" if row.get("is_head_node") else "worker"
    return f"{role} {row.get('node_name') or row['node_id'][:8]}"


def _cpus(row: Mapping[str, Any]) -> float:
    return float((row.get("resources_total") or {}).get("CPU", 0.0))


def _merged(tasks: Sequence[Task], gap: float) -> list[list[float]]:
    """The lane's busy intervals, those closer than `gap` joined: a record stays small."""
    merged = [[tasks[0].start, tasks[0].end]]
    for _, task in pairwise(tasks):
        if task.start - merged[-1][1] <= gap:
            merged[-1][1] = max(merged[-1][1], task.end)
        else:
            merged.append([task.start, task.end])
    return merged


def draw(summary: Mapping[str, Any], width: int = 80) -> list[str]:
    """The strip's lines, at most ten of `width` columns: a title, a line a CPU, what was cut."""
    found = summary.get("lanes") or []
    if not found:
        return []
    busiest = sorted(range(len(found)), key=lambda index: -found[index]["busy_seconds"])
    shown = [found[index] for index in sorted(busiest[: MOST_LINES - 2])]
    labels = [_label(lane) for lane in shown]
    label_width = max(map(len, labels))
    columns = max(width - label_width - len(" || 100%"), 10)
    span = summary["makespan"] or TOUCHING
    lines = [f"{_counted(summary['count'])} over {span:.2f} s"]
    for lane, label in zip(shown, labels, strict=True):
        bar = _bar(lane["intervals"], summary["first_start"], span, columns)
        share = min(lane["busy_seconds"] / span, 1)
        lines.append(f"{label.ljust(label_width)} |{bar}| {share:4.0%}")
    return lines + _cut(summary, len(shown))


def _label(lane: Mapping[str, Any]) -> str:
    node, cpu = str(lane["node"]), f" cpu {lane['cpu']}"
    room = LABEL_WIDTH - len(cpu)
    return (node if len(node) <= room else "…" + node[1 - room :]) + cpu


def _cut(summary: Mapping[str, Any], shown: int) -> list[str]:
    less_busy = summary.get("lanes_used", shown) - shown
    cut = [f"{less_busy} less busy CPUs"] if less_busy else []
    if summary.get("dropped"):
        cut.append(f"{_counted(summary['dropped'])} that Ray did not report")
    return [f"not shown: {', '.join(cut)}"] if cut else []


def _counted(tasks: int) -> str:
    return "1 task" if tasks == 1 else f"{tasks:,} tasks"


def _bar(intervals: Sequence[Sequence[float]], first: float, span: float, columns: int) -> str:
    cell = span / columns
    covered = [0.0] * columns
    for start, end in intervals:
        low = min(int((start - first) / cell), columns - 1)
        high = min(int((end - first) / cell), columns - 1)
        for column in range(low, high + 1):
            left = first + column * cell
            covered[column] += max(min(end, left + cell) - max(start, left), 0.0)
    return "".join(
        FULL if part > 0.66 * cell else PART if part > 0.02 * cell else IDLE for part in covered
    )


def verdict(summary: Mapping[str, Any]) -> str:
    """One sentence on how the task CPUs were used."""
    if not summary:
        return "Ray's task events could not be read, so nothing is said about its task CPUs."
    if not summary.get("count"):
        return "The job ran no Ray task: everything happened in the driver."
    offered, most = int(summary["task_cpus"]), summary.get("most_at_once", 0)
    if offered < 1:
        return f"{_counted(summary['count'])} ran, though the cluster offers no task CPU."
    if summary["count"] == 1:
        return f"One task ran, on one of {offered} task CPUs." if offered > 1 else "One task ran."
    if summary["busy_seconds"] <= summary["count"] * TOUCHING:
        return "The tasks were too short to tell which of them ran at the same time."
    if offered > 1 and most == 1:
        return f"One of {offered} task CPUs was busy at a time: is ray.get inside the loop?"
    return _spread(summary, offered, most)


def _spread(summary: Mapping[str, Any], offered: int, most: int) -> str:
    used = summary.get("cpus_used", 0)
    share = summary["busy_seconds"] / (summary["makespan"] * offered or TOUCHING)
    if most > offered and share > 1.15:
        return (
            f"Up to {most} tasks ran at once on {offered} task CPUs: "
            "actors or small CPU requests share them."
        )
    if used < offered:
        return (
            f"{used} of {offered} task CPUs were ever busy; "
            f"together the {offered} were busy {share:.0%} of the makespan."
        )
    if offered == 1:
        return f"The one task CPU was busy {min(share, 1):.0%} of the makespan."
    return f"All {offered} task CPUs were used, busy {min(share, 1):.0%} of the makespan."
