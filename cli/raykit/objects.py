"""A Kubernetes object as plain JSON data: conditions, owners of fields, canonical text, hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

Object = dict[str, Any]
"""One Kubernetes object, as the API server sends it."""

IDENTITY = ("name", "namespace")


def ray_cluster_of(items: Iterable[Object]) -> Object:
    """The RayCluster among the objects that a spec becomes; there is one."""
    return next(item for item in items if item["kind"] == "RayCluster")


def condition(item: Object, kind: str) -> Object | None:
    """The condition of type `kind` in the object's status; None if it has no such condition."""
    conditions = (item.get("status") or {}).get("conditions") or []
    return next((entry for entry in conditions if entry.get("type") == kind), None)


def holds(item: Object, kind: str) -> bool:
    """Whether the condition of type `kind` has the status `True`."""
    return (condition(item, kind) or {}).get("status") == "True"


def seconds(time: str) -> float:
    """A time of Kubernetes, such as `2026-11-26T10:00:00Z`, in Unix seconds."""
    return datetime.fromisoformat(time).timestamp()


def last_seen(event: Object) -> float:
    """When what an event reports last happened, Unix seconds; 0 if it has no time.

    Most events know the second alone. The newer form, by which the scheduler reports, has its first
    time as `eventTime`, and the last one in a series.
    """
    again = (event.get("series") or {}).get("lastObservedTime")
    time = again or event.get("lastTimestamp") or event.get("eventTime")
    return seconds(time) if time else 0.0


def canonical(content: Object) -> str:
    """An object as JSON: keys sorted, no spaces, no escapes. The chart writes the same form."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def hash_of(content: Object, digits: int) -> str:
    """The first hexadecimal digits of the SHA-256 of an object. digits: how many."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()[:digits]


def owners(item: Object, *path: str) -> set[str]:
    """The field managers that have set a field of an object, or a part of it.

    path: of the field, such as `"spec", "workerGroupSpecs"`. Statuses do not count.
    """
    entries = [entry for entry in _managed(item) if not entry.get("subresource")]
    return {entry.get("manager", "") for entry in entries if _has(entry.get("fieldsV1"), path)}


def last_applied(item: Object, manager: str) -> str:
    """The time at which a manager last applied an object, else that of its creation; empty if it
    has none."""
    times = [
        entry.get("time", "")
        for entry in _managed(item)
        if (entry.get("manager"), entry.get("operation")) == (manager, "Apply")
    ]
    return str(max([item["metadata"].get("creationTimestamp", ""), *times]))


def last_changed(item: Object, manager: str) -> str:
    """The time at which a manager last applied or changed an object, else that of its creation."""
    mine = [entry for entry in _managed(item) if entry.get("manager") == manager]
    times = [entry.get("time", "") for entry in mine if not entry.get("subresource")]
    return str(max([item["metadata"].get("creationTimestamp", ""), *times]))


def applied_by(item: Object, manager: str) -> Object | None:
    """The part of an object that a manager applied: to be changed and applied again by it.

    None if it applied nothing. Fields of others are left out, so that they stay theirs.
    """
    for entry in _managed(item):
        if entry.get("manager") == manager and entry.get("operation") == "Apply":
            part = _part(item, entry.get("fieldsV1") or {})
            metadata = {key: item["metadata"][key] for key in IDENTITY if key in item["metadata"]}
            kinds = {key: item[key] for key in ("apiVersion", "kind") if key in item}
            return {**kinds, **part, "metadata": {**part.get("metadata", {}), **metadata}}
    return None


def _managed(item: Object) -> list[Object]:
    return item["metadata"].get("managedFields") or []


def _has(fields: Any, path: Sequence[str]) -> bool:
    for key in path:
        fields = fields.get(f"f:{key}") if isinstance(fields, dict) else None
    return fields is not None


def _part(value: Any, fields: Any) -> Any:
    """The part of a value that an entry of `managedFields` names.

    `f:` names a field, `k:` an item of a list by its keys, `v:` an item by its value; a field
    without parts is owned whole.
    """
    inner = {key: fields[key] for key in fields if key != "."} if isinstance(fields, dict) else {}
    if inner and isinstance(value, list):
        pairs = [(entry, key) for entry in value for key in inner if _is_item(entry, key)]
        return [_part(entry, inner[key]) for entry, key in pairs]
    if inner and isinstance(value, dict):
        names = {key.removeprefix("f:"): key for key in inner}
        return {name: _part(value[name], inner[names[name]]) for name in names if name in value}
    return value


def _is_item(entry: Any, key: str) -> bool:
    form, _, text = key.partition(":")
    try:
        wanted = json.loads(text)
    except ValueError:
        return False
    if form == "k" and isinstance(entry, dict) and isinstance(wanted, dict):
        return all(entry.get(name) == value for name, value in wanted.items())
    return form == "v" and bool(entry == wanted)
