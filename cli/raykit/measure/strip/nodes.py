"""The Ray nodes while a job ran: which existed, from when to when, with how many CPUs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

IDLE = "Terminated due to idle"
"""Ray's message for a node that the autoscaler removed because it was idle."""
DIED = "NODE_DIED"
"""Ray's error of a task whose node did not answer any more; some 20 s later Ray calls it dead."""


@dataclass(frozen=True)
class Node:
    """One Ray node.

    start, end: Unix seconds; infinite if Ray names none. why: Ray's message about its end. came: it
    joined after the job's start. went: it ended before the job's end.
    """

    id: str
    name: str
    cpus: float
    start: float = -inf
    end: float = inf
    why: str = ""
    came: bool = False
    went: bool = False

    @property
    def lost(self) -> bool:
        """Whether it ended while the job ran, for another reason than being idle."""
        return self.went and not self.why.startswith(IDLE)


def present(
    rows: Sequence[Mapping[str, Any]],
    start: float | None,
    end: float | None,
    tasks: Sequence[Mapping[str, Any]] = (),
) -> list[Node]:
    """The nodes that existed at some time from `start` to `end`, from rows of Ray's state API.

    Without a start only live nodes count: the times of the others cannot be compared. tasks: rows
    of the job's tasks: a node that a task died with is lost, also if Ray still calls it alive.
    """
    first, last = -inf if start is None else start, inf if end is None else end
    died = _died(tasks)
    nodes = [_node(row, first, last, died.get(row["node_id"])) for row in rows]
    alive = {row["node_id"] for row in rows if row.get("state") == "ALIVE"}
    there = [
        node
        for node in nodes
        if node.start < last and (node.end > first if start is not None else node.id in alive)
    ]
    return _told_apart(there)


def _died(tasks: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """When the first task of a node died with it, by node; Unix seconds."""
    ends = sorted(
        (row["end_time_ms"] / 1000, row["node_id"])
        for row in tasks
        if row.get("error_type") == DIED and row.get("node_id") and row.get("end_time_ms")
    )
    return {node: end for end, node in reversed(ends)}


def _node(row: Mapping[str, Any], first: float, last: float, died: float | None) -> Node:
    began, ended = row.get("start_time_ms") or 0, row.get("end_time_ms") or 0
    start, end = began / 1000 if began else -inf, ended / 1000 if ended else inf
    dead, why = row.get("state") == "DEAD", row.get("state_message") or ""
    if not dead and died is not None:
        dead, end, why = True, died, f"a task there failed with {DIED}"
    role = "head" if row.get("is_head_node") else "worker"
    return Node(
        id=row["node_id"],
        name=f"{role} {row.get('node_name') or row['node_id'][:8]}",
        cpus=float((row.get("resources_total") or {}).get("CPU", 0.0)),
        start=start,
        end=end,
        why=why,
        came=start > first > -inf,
        went=dead and first < end < last,
    )


def _told_apart(nodes: Sequence[Node]) -> list[Node]:
    """Nodes that share a name, such as several on one machine, get the beginning of their ids."""
    often = Counter(node.name for node in nodes)
    return [
        node if often[node.name] == 1 else replace(node, name=f"{node.name} {node.id[:4]}")
        for node in nodes
    ]


def most_offered(nodes: Sequence[Node]) -> float:
    """The most CPUs that the nodes offered at the same time."""
    changes = [(node.start, node.cpus) for node in nodes]
    changes += [(node.end, -node.cpus) for node in nodes]
    offered = most = 0.0
    for _, change in sorted(changes):
        offered += change
        most = max(most, offered)
    return most


def offered_seconds(nodes: Sequence[Node], first: float, last: float) -> float:
    """The CPU seconds that the nodes offered from `first` to `last`, Unix seconds."""
    return sum(node.cpus * max(min(node.end, last) - max(node.start, first), 0.0) for node in nodes)
