"""A Kubernetes object as plain JSON data, and helpers to read its conditions."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
"""One Kubernetes object, as the API server sends it."""


def condition(item: Object, kind: str) -> Object | None:
    """The condition of type `kind` in the object's status; None if it has no such condition."""
    conditions = (item.get("status") or {}).get("conditions") or []
    return next((entry for entry in conditions if entry.get("type") == kind), None)


def holds(item: Object, kind: str) -> bool:
    """Whether the condition of type `kind` has the status `True`."""
    return (condition(item, kind) or {}).get("status") == "True"
