"""The task strip: who was busy when, in at most ten lines, and one verdict in words.

Built from Ray's task events alone, so it serves any job. Times are Unix seconds on the clocks of
the Ray nodes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

MOST_LINES = 10
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
    """One CPU of one Ray node: the tasks that it took, in order, never two at once."""

    node: str
    index: int
    tasks: tuple[Task, ...]

    @property
    def busy(self) -> float:
        return sum(task.end - task.start for task in self.tasks)


def parse(rows: Sequence[Mapping[str, Any]], now: float) -> list[Task]:
    """The tasks that ran, from rows of Ray's state API; one that still runs ends at `now`."""
    tasks = []
    for row in rows:
        began = row.get("start_time_ms")
        if row.get("type") not in COUNTED_TYPES or not began:
            continue
        ended = row.get("end_time_ms")
        tasks.append(
            Task(
                name=row.get("func_or_class_name") or row.get("name") or "?",
                node=row.get("node_id") or "?",
                start=began / 1000,
                end=max(ended / 1000 if ended else now, began / 1000),
                state=row.get("state") or "?",
                attempt=row.get("attempt_number") or 0,
            )
        )
    return sorted(tasks, key=lambda task: (task.start, task.end, task.node))


def lanes(tasks: Sequence[Task]) -> list[Lane]:
    """Tasks laid onto CPUs: each takes the first lane of its node that is free when it starts."""
    by_node: dict[str, list[list[Task]]] = defaultdict(list)
    for task in tasks:
        own = by_node[task.node]
        free = next((lane for lane in own if lane[-1].end <= task.start + 0.0015), None)
        if free is None:
            own.append([task])
        else:
            free.append(task)
    return [
        Lane(node, index, tuple(lane))
        for node, own in by_node.items()
        for index, lane in enumerate(own)
    ]


def summarise(
    rows: Sequence[Mapping[str, Any]],
    dropped: int,
    nodes: Sequence[Mapping[str, Any]],
    now: float,
) -> dict[str, Any]:
    """What a record keeps of a job's tasks.

    rows: of Ray's state API; dropped: rows that Ray did not return; nodes: Ray's nodes.
    Returns counts, first start, last end, makespan, busy seconds, task CPUs offered, the lanes'
    intervals (merged) for the strip, attempts beyond the first, and names with their counts.
    """
    tasks = parse(rows, now)
    names = {row["node_id"]: _node_name(row) for row in nodes}
    counts: dict[str, int] = defaultdict(int)
    for task in tasks:
        counts[task.name] += 1
    summary: dict[str, Any] = {
        "count": len(tasks),
        "dropped": dropped,
        "failed": sum(task.state == "FAILED" for task in tasks),
        "retried": sum(task.attempt > 0 for task in tasks),
        "task_cpus": sum(_cpus(row) for row in nodes if row.get("state") == "ALIVE"),
        "nodes": {names.get(row["node_id"], "?"): _cpus(row) for row in nodes},
        "names": dict(sorted(counts.items(), key=lambda item: -item[1])[:20]),
    }
    if not tasks:
        return summary
    laid = lanes(tasks)
    first, last = tasks[0].start, max(task.end for task in tasks)
    return summary | {
        "first_start": first,
        "last_end": last,
        "makespan": last - first,
        "busy_seconds": sum(lane.busy for lane in laid),
        "lanes": [
            {
                "node": names.get(lane.node, lane.node[:8]),
                "cpu": lane.index,
                "busy_seconds": lane.busy,
                "intervals": _merged(lane.tasks, (last - first) / 400),
            }
            for lane in laid
        ],
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
    """The strip's lines: a title, a line a CPU, and what was cut."""
    found = summary.get("lanes") or []
    if not found:
        return []
    shown = sorted(found, key=lambda lane: -lane["busy_seconds"])[: MOST_LINES - 2]
    shown = [lane for lane in found if lane in shown]
    labels = [f"{lane['node'][-24:]} cpu {lane['cpu']}" for lane in shown]
    label_width = max(map(len, labels))
    columns = max(width - label_width - 9, 10)
    span = summary["makespan"] or 1e-9
    lines = [f"{summary['count']} tasks over {span:.2f} s on {len(found)} task CPUs used"]
    for lane, label in zip(shown, labels, strict=True):
        bar = _bar(lane["intervals"], summary["first_start"], span, columns)
        share = min(lane["busy_seconds"] / span, 1)
        lines.append(f"{label.ljust(label_width)} |{bar}| {share:4.0%}")
    cut = []
    if len(found) > len(shown):
        cut.append(f"{len(found) - len(shown)} less busy CPUs not shown")
    if summary.get("dropped"):
        cut.append(f"{summary['dropped']} tasks not reported by Ray")
    return lines + ([f"cut: {', '.join(cut)}"] if cut else [])


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
    if not summary.get("lanes"):
        return "The job ran no Ray task: everything happened in the driver."
    offered = max(int(summary["task_cpus"]), 1)
    used = len([lane for lane in summary["lanes"] if lane["busy_seconds"] > 0])
    many = summary["count"] > 1
    if offered > 1 and most_at_once(summary) <= 1 and many:
        return (
            f"One of {offered} task CPUs was busy at a time: is ray.get inside the loop?"
            if used > 0
            else f"None of {offered} task CPUs was busy long enough to be seen."
        )
    share = summary["busy_seconds"] / (summary["makespan"] * offered or 1e-9)
    if used < offered and many:
        return f"{used} of {offered} task CPUs were ever busy, {min(share, 1):.0%} of the time."
    if share > 1.15:
        return (
            f"Up to {most_at_once(summary)} tasks ran at once on {offered} task CPUs: "
            "actors or small CPU requests share them."
        )
    return f"All {offered} task CPUs were used, busy {min(share, 1):.0%} of the makespan."


def most_at_once(summary: Mapping[str, Any]) -> int:
    """The largest number of lanes busy at the same time, touching ends apart."""
    edges = []
    for lane in summary["lanes"]:
        for start, end in lane["intervals"]:
            edges += [(start + 0.002, 1), (max(end, start + 0.003), -1)]
    running = most = 0
    for _, step in sorted(edges, key=lambda edge: (edge[0], edge[1])):
        running += step
        most = max(most, running)
    return most
