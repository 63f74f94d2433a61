"""Merge the `patch` of a spec into a pod template, after everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raykit.objects import Object


def merged(base: Mapping[str, Any], patch: Mapping[str, Any]) -> Object:
    """The base merged with a patch, as by JSON merge patch (RFC 7386) with one difference.

    Lists whose items all have a `name` are merged item by item, as `kubectl` merges containers,
    volumes and env: an item with a known name is patched, any other is added. Other lists replace
    the base's list. null removes a key.
    """
    result = dict(base)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged_value(result.get(key), value)
    return result


def _merged_value(old: Any, new: Any) -> Any:
    if isinstance(new, Mapping):
        return merged(old if isinstance(old, Mapping) else {}, new)
    if isinstance(new, list) and new and _named(new) and isinstance(old, list) and _named(old):
        return _merged_list(old, new)
    return new


def _merged_list(old: Sequence[Object], new: Sequence[Object]) -> list[Object]:
    patches = {item["name"]: item for item in new}
    known = [item["name"] for item in old]
    kept = [merged(item, patches.get(item["name"], {})) for item in old]
    return kept + [dict(item) for item in new if item["name"] not in known]


def _named(items: Sequence[Any]) -> bool:
    return all(isinstance(item, Mapping) and isinstance(item.get("name"), str) for item in items)
