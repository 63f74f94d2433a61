"""What fields the objects in a head's answers may have, and the rows of Ray's state API.

Each check takes an object of an answer and a field's name, and returns the field's value. Errors:
ValueError if the value has another type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Field = Callable[[Row, str], Any]

LAST_MOMENT = 253_402_300_799_000.0
"""The end of the year 9999 in milliseconds: Python's datetime can show no later time."""


def as_object(value: object) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise ValueError(f"{type(value).__name__} in place of an object")


def as_list(value: object) -> Sequence[Any]:
    if isinstance(value, list):
        return value
    raise ValueError(f"{type(value).__name__} in place of a list")


def text(row: Row, name: str) -> str | None:
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value
    raise ValueError(f"{name} is no text")


def required_text(row: Row, name: str) -> str:
    value = row.get(name)
    if isinstance(value, str):
        return value
    raise ValueError(f"{name} is no text")


def flag(row: Row, name: str) -> bool | None:
    value = row.get(name)
    if isinstance(value, bool | None):
        return value
    raise ValueError(f"{name} is neither true nor false")


def whole(row: Row, name: str) -> int | None:
    value = row.get(name)
    if value is None or (isinstance(value, int) and _is_number(value)):
        return value
    raise ValueError(f"{name} is no whole number")


def moment(row: Row, name: str) -> float | None:
    """Milliseconds since 1970."""
    value = row.get(name)
    if value is None or (_is_number(value) and 0 <= value <= LAST_MOMENT):
        return value
    raise ValueError(f"{name} is no time")


def seconds(row: Row, name: str) -> float | None:
    """Seconds since 1970, of a field in milliseconds; None for 0, Ray's "not yet"."""
    milliseconds = moment(row, name)
    return milliseconds / 1000 if milliseconds else None


def texts(row: Row, name: str) -> Mapping[str, str] | None:
    value = row.get(name)
    if value is None or all(isinstance(item, str) for item in as_object(value).values()):
        return value
    raise ValueError(f"{name} holds other values than texts")


def amounts(row: Row, name: str) -> Mapping[str, float] | None:
    value = row.get(name)
    if value is None or all(_is_number(amount) for amount in as_object(value).values()):
        return value
    raise ValueError(f"{name} holds other values than numbers")


def listing(data: object, fields: Mapping[str, Field]) -> tuple[list[Row], int, str]:
    """Rows of the state API, the number of matching rows that Ray left out, and its warnings.

    Ray leaves out rows twice: its data source returns `num_after_truncation` of `total` rows, and
    the dashboard returns at most its limit of the `num_filtered` rows that match the filters.
    fields: the check of each field that a row is to have. Errors: ValueError if a check fails.
    """
    listed = as_object(as_object(as_object(data).get("data")).get("result"))
    rows: list[Row] = [
        {name: check(row, name) for name, check in fields.items()}
        for row in map(as_object, as_list(listed.get("result")))
    ]
    matching = whole(listed, "num_filtered") or 0
    kept = whole(listed, "num_after_truncation")
    total = whole(listed, "total")
    cut = total - kept if total is not None and kept is not None else 0
    warnings = listed.get("warnings")
    warning = " ".join(map(str, warnings)) if isinstance(warnings, list) else ""
    return rows, max(cut, 0) + max(matching - len(rows), 0), warning


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 2**63


# The rows of the state API: the fields that raykit uses, and the check of each.

TASK: Mapping[str, Field] = {
    **dict.fromkeys(("task_id", "state", "type"), required_text),
    **dict.fromkeys(("name", "func_or_class_name", "node_id", "worker_id", "actor_id"), text),
    **dict.fromkeys(("job_id", "parent_task_id", "error_type", "error_message"), text),
    **dict.fromkeys(("creation_time_ms", "start_time_ms", "end_time_ms"), moment),
    **dict.fromkeys(("attempt_number", "worker_pid"), whole),
    "required_resources": amounts,
}

ACTOR: Mapping[str, Field] = {
    **dict.fromkeys(("actor_id", "state"), required_text),
    **dict.fromkeys(("class_name", "name", "ray_namespace", "node_id", "job_id"), text),
    "pid": whole,
    "required_resources": amounts,
}

NODE: Mapping[str, Field] = {
    **dict.fromkeys(("node_id", "state"), required_text),
    **dict.fromkeys(("node_ip", "node_name", "state_message"), text),
    **dict.fromkeys(("start_time_ms", "end_time_ms"), moment),
    "is_head_node": flag,
    "resources_total": amounts,
    "labels": texts,
}
