"""A run record without secrets, as it is written.

Texts that came from outside lose every secret in them. raykit's own words stay, whatever the
secrets are: names of fields, ids, statuses, causes and kinds. Else no raykit could read the record
again.
"""

from __future__ import annotations

from typing import Any

from raykit.measure import events
from raykit.measure.keeping.record import NOT_SUBMITTED, UNFINISHED, RunRecord
from raykit.redaction import redacted

STATUSES = (UNFINISHED, NOT_SUBMITTED, "PENDING", "RUNNING", "STOPPED", "SUCCEEDED", "FAILED")
OF_THE_JOB = ("start", "spans", "results", "errors")
OF_THE_PLACE = (
    *("status", "message", "error_type", "job", "target", "versions", "machine", "cluster"),
    *("tasks", "notes"),
)
WORDS = ("kind", "source", "clock")
"""Fields of those whose values are words of raykit's."""
BY_NAME = ("names", "nodes", "came", "ended", "arms")
"""Fields of those that hold a value for each name of a function, a Ray node or an arm."""


def cleaned(record: RunRecord) -> dict[str, Any]:
    """The record as JSON data in which no text from outside holds a secret."""
    data = record.as_dict()
    for name in OF_THE_JOB:
        data[name] = redacted(data[name], kept=events.FIELDS)
    for name in OF_THE_PLACE:
        data[name] = _cleaned_field(name, data[name])
    return data


def cleaned_target(target: dict[str, Any]) -> dict[str, Any]:
    """A target as records name it, without secrets."""
    return {name: _cleaned_field(name, value) for name, value in target.items()}


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cleaned_field(name, item) for name, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return redacted(value)


def _cleaned_field(name: str, value: Any) -> Any:
    if name in WORDS or (name == "status" and value in STATUSES):
        return value
    if name in BY_NAME and isinstance(value, dict):
        return {redacted(key): _cleaned(item) for key, item in value.items()}
    return _cleaned(value)
