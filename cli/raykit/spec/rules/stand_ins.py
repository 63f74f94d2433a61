"""Values in place of wrong ones, so that rules over several fields can check the rest of a spec."""

from __future__ import annotations

import copy
from typing import Any

from raykit.spec.problems import Path
from raykit.spec.wording import annotation_at, fields_of

# One for each required key of the model, and for lists of texts that have a form of their own.
_TEXTS = {
    "apiServer": "192.0.2.0/24",
    "cidr": "192.0.2.0/24",
    "memory": "4Gi",
    "mountPath": "/stand-in",
}
_ANY_TEXT = "stand-in"


def put(value: Any, path: Path) -> None:
    """Remove the value at a path, or replace it by a valid one if it is required."""
    if not path:
        return
    for part in path[:-1]:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return
    last = path[-1]
    if isinstance(value, list) and isinstance(last, int):
        value[last] = copy.deepcopy(_item(path, value[last]))
    elif isinstance(value, dict):
        value.pop(last, None)
        required = _required(path[:-1])
        if last in required:
            value[last] = required[last]


def _item(path: Path, present: Any) -> Any:
    """A valid item of a list. present: the item; it stays where a spec allows anything."""
    fields = fields_of(path)
    if fields is not None:
        return _required(path)
    kind = annotation_at(path)
    if kind is int:
        return 1
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    return _TEXTS.get(name, _ANY_TEXT) if kind is str else present


def _required(path: Path) -> dict[str, Any]:
    """The required keys of a part of the spec, with valid values."""
    known = fields_of(path) or {}
    return {
        key: _required((*path, key)) or _TEXTS.get(key, _ANY_TEXT)
        for key, field in known.items()
        if field.is_required()
    }
