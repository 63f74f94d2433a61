"""Reads a job's tasks from rows of Ray's state API: which ran where, when, with how many CPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
