"""Ray nodes as they were while a job ran: who was there, from when to when, with how many CPUs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

IDLE = "Terminated due to idle"
"""Ray's words for a node that the autoscaler took away because nothing needed it."""


@dataclass(frozen=True)
class Node:
    """One Ray node. start, end: Unix seconds, infinite where Ray names none.

    came, went: it was not there from the job's start, or not until its end.
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
        """It ended while the job ran, and not for want of work."""
        return self.went and not self.why.startswith(IDLE)


def present(
    rows: Sequence[Mapping[str, Any]], start: float | None, end: float | None
) -> list[Node]:
    """The nodes that were there at some time from `start` to `end`, from rows of Ray's state API.

    Without a start only nodes that are alive count: nothing tells when the others were there.
    """
    first, last = -inf if start is None else start, inf if end is None else end
    nodes = [_node(row, first, last) for row in rows]
    alive = {row["node_id"] for row in rows if row.get("state") == "ALIVE"}
    there = [
        node
        for node in nodes
        if node.start < last and (node.end > first if start is not None else node.id in alive)
    ]
    return _told_apart(there)


def _node(row: Mapping[str, Any], first: float, last: float) -> Node:
    began, ended = row.get("start_time_ms") or 0, row.get("end_time_ms") or 0
    start, end = began / 1000 if began else -inf, ended / 1000 if ended else inf
    role = "head" if row.get("is_head_node") else "worker"
    return Node(
        id=row["node_id"],
        name=f"{role} {row.get('node_name') or row['node_id'][:8]}",
        cpus=float((row.get("resources_total") or {}).get("CPU", 0.0)),
        start=start,
        end=end,
        why=row.get("state_message") or "",
        came=start > first > -inf,
        went=row.get("state") == "DEAD" and first < end < last,
    )


def _told_apart(nodes: Sequence[Node]) -> list[Node]:
    """Nodes of one name, such as several on one machine, get the beginning of their ids."""
    often = Counter(node.name for node in nodes)
    return [
        node if often[node.name] == 1 else replace(node, name=f"{node.name} {node.id[:4]}")
        for node in nodes
    ]


def most_offered(nodes: Sequence[Node]) -> float:
    """The most CPUs that the nodes offered at one time."""
    changes = [(node.start, node.cpus) for node in nodes]
    changes += [(node.end, -node.cpus) for node in nodes]
    offered = most = 0.0
    for _, change in sorted(changes):
        offered += change
        most = max(most, offered)
    return most


def offered_seconds(nodes: Sequence[Node], first: float, last: float) -> float:
    """CPU seconds that the nodes offered from `first` to `last`."""
    return sum(node.cpus * max(min(node.end, last) - max(node.start, first), 0.0) for node in nodes)
