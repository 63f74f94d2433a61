"""The beginning of a record: all that a list of runs needs, without its spans and tasks.

A record may have 100 kB, and most of it comes after its head. Reading heads alone makes a list of
10,000 runs five times as fast (benchmarks/runs_list.py).
"""

from __future__ import annotations

from typing import Any

from raykit.measure import events

END = b'\n  "phases": '
"""The first field after the head. A text in JSON holds no line end, so this is a key of the record
itself: of all keys only those are indented by two spaces."""


def parse(data: bytes) -> dict[str, Any]:
    """The fields of a record that stand before its phases; all, where it has no phases.

    Errors: ValueError, RecursionError where it is cut short or no JSON object.
    """
    if not data[-8:].rstrip().endswith(b"}"):
        raise ValueError("it is cut short")
    end = data.find(END)
    head = data if end < 0 else data[:end].rstrip().removesuffix(b",") + b"}"
    fields = events.loads(head)
    if not isinstance(fields, dict):
        raise ValueError("it is no JSON object")
    return fields
