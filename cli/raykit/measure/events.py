"""Reads the timing lines of a job, which `jobs/timing.py` writes or any job prints itself.

A timing line is a JSON object that begins in the first column, such as

    {"raykit": 1, "event": "span", "name": "compute", "start": 1795476606.5, "seconds": 0.3}

`raykit` is the format's version; `event` is `start`, `span`, `result` or `error`. All other output
is the user's and passes through unchanged, even a line that only looks similar.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

FORMAT = 1
MARK = b'{"raykit"'
LONGEST_LINE = 16 << 20
"""A longer line, in bytes, is never held as a timing line, so that memory use stays bounded."""

DEEPEST = 100
"""Levels of lists and objects in an event: much deeper data could not be copied and written."""

LARGEST = 1e10
"""Of times and lengths, in seconds, three centuries: sums and ratios of larger ones overflow."""

Event = Mapping[str, Any]

FIELDS = frozenset(
    {
        *("raykit", "event", "job", "time", "name", "start", "seconds", "arm", "task_cpus"),
        *("work", "data", "cause", "message", "evidence", "next", "arguments", "machine"),
        *("cpu_pressure_seconds", "cpu_model", "cpu_count", "boot_id", "load", "memory_bytes"),
        *("size", "tasks", "returns"),
    }
)
"""The fields of timing lines that raykit reads; a job may add others."""


def parse(line: bytes) -> Event | None:
    """The event of one line; None if the line is the user's."""
    if not line.startswith(MARK) or len(line) > LONGEST_LINE:
        return None
    try:
        event = loads(line)
    except (ValueError, RecursionError):
        return None
    return event if is_event(event) else None


@dataclass
class EventFilter:
    """Splits a driver log into the user's bytes and the events in it.

    Feed chunks in order. Bytes are returned at once, except a line that begins like a timing line:
    it is held until its end. The result depends only on the bytes, not on the chunks.
    """

    events: list[Event] = field(default_factory=list)
    held: bytes = b""
    inside_line: bool = False

    def feed(self, chunk: bytes) -> bytes:
        """The user's bytes of the next chunk; its events are appended to `events`."""
        # A carriage return belongs to the line that it redraws: only LF ends a line.
        lines, newline, rest = (self.held + chunk).rpartition(b"\n")
        self.held = b""
        shown = self._lines(lines + newline) if newline else b""
        if not self.inside_line and len(rest) < LONGEST_LINE and _may_begin(rest):
            self.held = rest
            return shown
        self.inside_line = self.inside_line or bool(rest)
        return shown + rest

    def end(self) -> bytes:
        """The held bytes: the log's last line, if it has no line end and is no event."""
        rest, self.held = self.held, b""
        return rest if self._take(rest) is None else b""

    def _lines(self, lines: bytes) -> bytes:
        """The user's part of complete lines; the first may have begun in an earlier chunk."""
        inside, self.inside_line = self.inside_line, False
        if MARK not in lines:
            return lines
        first, *others = [line + b"\n" for line in lines.split(b"\n")[:-1]]
        visible = first if inside or self._take(first) is None else b""
        return visible + b"".join(line for line in others if self._take(line) is None)

    def _take(self, line: bytes) -> Event | None:
        event = parse(line)
        if event is not None:
            self.events.append(event)
        return event


def _may_begin(line: bytes) -> bool:
    """Whether this beginning of a line can still become a timing line."""
    return bool(line) and (line.startswith(MARK) or MARK.startswith(line))


def is_event(event: Any) -> bool:
    """Whether it is one of the four kinds, with the fields of its kind."""
    if not isinstance(event, dict) or event.get("raykit") != FORMAT:
        return False
    shape = _SHAPES.get(str(event.get("event")))
    return shape is not None and _timed(event) and shape(event) and _is_shallow(event)


def _is_shallow(value: Any, levels: int = DEEPEST) -> bool:
    """Whether data is nested no deeper than so many levels."""
    if not isinstance(value, dict | list):
        return True
    items = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in items)


def _timed(event: Event) -> bool:
    return "time" not in event or is_seconds(event["time"])


def _is_span(event: Event) -> bool:
    numbers = is_seconds(event.get("start")) and is_seconds(event.get("seconds"))
    return numbers and event["seconds"] >= 0 and isinstance(event.get("name"), str)


def is_seconds(value: object) -> TypeGuard[int | float]:
    """Whether a value is a time or a length in seconds that can be calculated with."""
    return is_number(value) and abs(value) < LARGEST


def _is_error(event: Event) -> bool:
    texts = isinstance(event.get("cause"), str) and isinstance(event.get("message"), str)
    return texts and isinstance(event.get("evidence", []), list)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a finite number, and no truth value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


_SHAPES: dict[str, Callable[[Event], bool]] = {
    "start": lambda event: isinstance(event.get("job"), str),
    "span": _is_span,
    "result": lambda event: "data" in event,
    "error": _is_error,
}


def loads(text: str | bytes) -> Any:
    """JSON as data, of which every number can be used as a float.

    Errors: ValueError for what is no JSON, NaN and Infinity included, and for a number that is too
    large; RecursionError for text that is nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse, parse_float=_finite, parse_int=_whole)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large for a number")
    return value


def _whole(text: str) -> int:
    _finite(text)
    return int(text)
