"""Whether a record of another machine holds what a raykit would have written there.

A record that was written here is trusted. One from an archive may be made by anybody, and the code
that shows or compares it takes its parts as they come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from raykit.measure import events
from raykit.measure.records import RunRecord


def check(record: RunRecord) -> None:
    """Errors: ValueError naming the fields that no raykit writes so."""
    parts: dict[str, tuple[Any, Callable[[Any], bool]]] = {
        "phases": ([phase.as_dict() for phase in record.phases], _is_phase),
        "spans": (record.spans, lambda part: _is_event("span", part)),
        "results": (record.results, lambda part: _is_event("result", part)),
        "errors": (record.errors, lambda part: _is_event("error", part)),
        "start": ([] if record.start is None else [record.start], _is_start),
        "notes": (record.notes, lambda part: isinstance(part, str)),
        "job": ([record.job], _is_job),
        "machine": ([record.machine], _is_flat),
        "target": ([record.target], _is_flat),
        "versions": ([record.versions], _is_flat),
        "clock": ([record.clock], _is_flat),
        "log": ([record.log], _is_flat),
        "tasks": ([record.tasks], _is_summary),
        "cluster": ([record.cluster], _is_cluster),
        "started": ([record.started, record.ended or 0], events.is_number),
    }
    wrong = [name for name, (items, is_sound) in parts.items() if not all(map(is_sound, items))]
    if wrong:
        raise ValueError(f"unusable fields {', '.join(wrong)}")


def _is_flat(part: object) -> bool:
    """A mapping to plain values."""
    return isinstance(part, dict) and all(
        value is None or isinstance(value, str | bool) or events.is_number(value)
        for value in part.values()
    )


def _is_phase(part: Mapping[str, Any]) -> bool:
    numbers = all(events.is_number(part[name]) for name in ("start", "seconds", "resolution"))
    return numbers and all(isinstance(part[name], str) for name in ("name", "source", "clock"))


def _is_event(kind: str, part: object) -> bool:
    return isinstance(part, dict) and events.is_event(
        {**part, "raykit": events.FORMAT, "event": kind}
    )


def _is_start(part: object) -> bool:
    machine = part.get("machine") if isinstance(part, dict) else None
    return _is_event("start", part) and (machine is None or _is_flat(machine))


def _is_job(part: Mapping[str, Any]) -> bool:
    words = [part["name"], *_list(part["arguments"]), *_list(part.get("entrypoint"))]
    fields = ("arguments", "entrypoint", "code")
    lists = all(isinstance(part.get(name, []), list) for name in fields)
    return lists and all(isinstance(word, str) for word in words)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


COUNTS = (
    *("count", "dropped", "failed", "retried", "task_cpus", "first_start", "last_end", "makespan"),
    *("busy_seconds", "most_at_once", "most_cpus_asked", "least_cpus_asked", "cpus_used"),
    *("cpu_seconds", "cpu_seconds_offered", "least_wait", "lanes_used"),
)


def _is_summary(tasks: Mapping[str, Any]) -> bool:
    """Task events as `strip.summarise` gives them."""
    numbers = all(events.is_number(tasks[name]) for name in COUNTS if name in tasks)
    flat = all(_is_flat(tasks[name]) for name in ("nodes", "came", "names") if name in tasks)
    nested = _is_table(tasks.get("ended", {}), _is_end) and _is_table(
        tasks.get("arms", {}), _is_arm
    )
    lanes = tasks.get("lanes", [])
    return numbers and flat and nested and isinstance(lanes, list) and all(map(_is_lane, lanes))


def _is_table(part: object, is_row: Callable[[Any], bool]) -> bool:
    return isinstance(part, dict) and all(map(is_row, part.values()))


def _is_end(part: object) -> bool:
    """When and why a Ray node ended."""
    return isinstance(part, dict) and _is_flat(part) and {"time", "why", "lost"} <= set(part)


def _is_arm(part: object) -> bool:
    names = ("times", "seconds", "tasks", "cpus")
    return isinstance(part, dict) and all(events.is_number(part.get(name)) for name in names)


def _is_lane(lane: object) -> bool:
    if not isinstance(lane, dict):
        return False
    texts = all(isinstance(lane.get(name, ""), str) for name in ("node", "kind", "name"))
    numbers = all(events.is_number(lane.get(name)) for name in ("cpu", "busy_seconds"))
    pairs = [lane.get("intervals"), lane.get("failed", [])]
    lists = all(isinstance(each, list) and all(map(_is_pair, each)) for each in pairs)
    return texts and numbers and lists and "node" in lane


def _is_pair(part: object) -> bool:
    return isinstance(part, list) and len(part) == 2 and all(map(events.is_number, part))


def _is_cluster(cluster: Mapping[str, Any]) -> bool:
    tables = [cluster.get(name, []) for name in ("nodes", "pods", "bring_up")]
    rows = [row for table in tables for row in _list(table)]
    if not all(isinstance(part, list) for part in tables) or not all(map(_is_mapping, rows)):
        return False
    return all(isinstance(row.get("name"), str) for row in rows) and all(
        events.is_number(phase.get("seconds")) for phase in tables[2]
    )


def _is_mapping(part: object) -> bool:
    return isinstance(part, dict)
