"""Lays tasks onto lanes: one for each CPU of a Ray node, one for each actor, more for the rest."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from raykit.measure.strip.tasks import Task

TOUCHING = 0.0015
"""Ray's task times are whole milliseconds: a task that starts one later does not overlap."""
CPU, ACTOR, MORE = "cpu", "actor", "more"
"""Kinds of lanes: a CPU, an actor, or more, for tasks without a CPU or beyond the node's CPUs."""
FULL = 1 - 1e-9


@dataclass(frozen=True)
class Lane:
    """The tasks of one CPU or one actor of a Ray node, or of a row beyond both, in order.

    holds: CPUs that the lane holds while it is busy. name: an actor's class; else empty.
    """

    node: str
    kind: str
    index: int
    tasks: tuple[Task, ...]
    holds: float = 1.0
    name: str = ""

    @property
    def intervals(self) -> list[tuple[float, float]]:
        """The times when it was busy: ordered intervals that do not overlap."""
        merged: list[tuple[float, float]] = []
        for task in self.tasks:
            if merged and task.start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], task.end))
            else:
                merged.append((task.start, task.end))
        return merged

    @property
    def busy(self) -> float:
        """Seconds during which it was busy."""
        return sum(end - start for start, end in self.intervals)


def laid_out(tasks: Sequence[Task], cpus: Mapping[str, int]) -> list[Lane]:
    """The lanes of tasks that are sorted by start. cpus: of each Ray node, by its id."""
    plain: dict[str, list[Task]] = defaultdict(list)
    by_actor: dict[tuple[str, str], list[Task]] = defaultdict(list)
    for task in tasks:
        if task.actor:
            by_actor[task.node, task.actor].append(task)
        else:
            plain[task.node].append(task)
    order = {node: index for index, node in enumerate(dict.fromkeys(task.node for task in tasks))}
    lanes = [lane for node, own in plain.items() for lane in _of_node(node, own, cpus.get(node))]
    lanes += _of_actors(by_actor)
    return sorted(lanes, key=lambda lane: order[lane.node])


def _of_actors(by_actor: Mapping[tuple[str, str], Sequence[Task]]) -> list[Lane]:
    lanes: list[Lane] = []
    seen: dict[tuple[str, str], int] = defaultdict(int)
    for (node, _), own in by_actor.items():
        name = own[0].name.split(".")[0]
        lanes.append(Lane(node, ACTOR, seen[node, name], tuple(own), own[0].cpus, name))
        seen[node, name] += 1
    return lanes


def _of_node(node: str, tasks: Sequence[Task], cpus: int | None) -> list[Lane]:
    # If nothing is known of a node, assume that every task had a CPU.
    node_cpus = _Cpus(len(tasks) if cpus is None else cpus)
    beyond = [task for task in tasks if not node_cpus.take(task)]
    lanes = [Lane(node, CPU, index, tuple(own)) for index, own in sorted(node_cpus.taken.items())]
    return lanes + [Lane(node, MORE, i, tuple(own), 0.0) for i, own in enumerate(rows_of(beyond))]


@dataclass
class _Cpus:
    """The CPUs of one node, onto which tasks are laid in the order of their starts."""

    count: int
    taken: dict[int, list[Task]] = field(default_factory=lambda: defaultdict(list))
    load: dict[int, float] = field(default_factory=dict)
    running: list[tuple[float, int, float]] = field(default_factory=list)
    free: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.free = list(range(self.count))

    def take(self, task: Task) -> bool:
        """Lay a task onto the CPUs it asks for; False if it asks for none or too few are free."""
        self._release(task.start)
        chosen = self._chosen(task.cpus)
        part = min(task.cpus, 1.0)
        for index in chosen:
            self.taken[index].append(task)
            self.load[index] = self.load.get(index, 0.0) + part
            heapq.heappush(self.running, (task.end, index, part))
        return bool(chosen)

    def _release(self, moment: float) -> None:
        while self.running and self.running[0][0] <= moment + TOUCHING:
            _, index, part = heapq.heappop(self.running)
            self.load[index] -= part
            if self.load[index] <= 1 - FULL:
                del self.load[index]
                heapq.heappush(self.free, index)

    def _chosen(self, cpus: float) -> list[int]:
        if cpus <= 0:
            return []
        if cpus < 1:
            shared = [i for i, load in self.load.items() if load + cpus <= 2 - FULL]
            if shared:
                return [min(shared)]
        wanted = max(int(cpus), 1)
        return [heapq.heappop(self.free) for _ in range(wanted)] if len(self.free) >= wanted else []


def rows_of(tasks: Sequence[Task]) -> list[list[Task]]:
    """The fewest rows that hold the tasks without overlap: as many as ran at once."""
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
