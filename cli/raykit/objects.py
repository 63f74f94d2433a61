"""A Kubernetes object as plain JSON data: its conditions, its canonical text and its hash."""

from __future__ import annotations

import hashlib
import json
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


def canonical(content: Object) -> str:
    """An object as JSON: keys sorted, no spaces, no escapes. The chart writes the same form."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def hash_of(content: Object, digits: int) -> str:
    """The first hexadecimal digits of the SHA-256 of an object. digits: how many."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()[:digits]
