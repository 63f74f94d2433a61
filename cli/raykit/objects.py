"""A Kubernetes object as plain JSON data, and what its conditions say."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
"""One Kubernetes object, as the API server sends it."""


def condition(item: Object, kind: str) -> Object | None:
    """The condition of that type in the object's status; None where there is none."""
    conditions = (item.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == kind), None)


def holds(item: Object, kind: str) -> bool:
    """Whether that condition is `True`."""
    return (condition(item, kind) or {}).get("status") == "True"
