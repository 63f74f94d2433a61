"""The timing lines of a job: what `jobs/timing.py` writes, or any job prints itself.

A line is a JSON object such as

    {"raykit": 1, "event": "span", "name": "compute", "start": 1795476606.5, "seconds": 0.3}

`raykit` is the format's version; `event` is `start`, `span`, `result` or `error`. Everything else
that a job prints is the user's and passes through unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FORMAT = 1
KINDS = frozenset({"start", "span", "result", "error"})
MARK = b'{"raykit"'
LONGEST_LINE = 16 << 20
"""A line longer than this is never taken for a timing line, so memory stays flat."""

Event = Mapping[str, Any]


def parse(line: bytes) -> Event | None:
    """The event of one line, or None where the line is the user's."""
    text = line.strip()
    if not text.startswith(MARK):
        return None
    try:
        event = json.loads(text)
    except ValueError:
        return None
    known = event.get("raykit") == FORMAT and event.get("event") in KINDS
    return event if known else None


@dataclass
class EventFilter:
    """Splits a driver log into what the user should see and the events in it.

    Feed chunks in order. Bytes are shown at once, but for a line that begins as a timing line
    does: it is held until its end.
    """

    events: list[Event] = field(default_factory=list)
    held: bytes = b""
    inside_line: bool = False

    def feed(self, chunk: bytes) -> bytes:
        """The bytes to show; events found are appended to `events`."""
        data, self.held = self.held + chunk, b""
        return b"".join(self._line(line) for line in _lines(data))

    def end(self) -> bytes:
        """What was held: the log's last line, where it has no end."""
        rest, self.held = self.held, b""
        event = None if self.inside_line else parse(rest)
        if event is not None:
            self.events.append(event)
            return b""
        return rest

    def _line(self, line: bytes) -> bytes:
        whole = line.endswith(b"\n")
        if self.inside_line:
            self.inside_line = not whole
            return line
        if whole:
            event = parse(line)
            if event is None:
                return line
            self.events.append(event)
            return b""
        if len(line) < LONGEST_LINE and (MARK.startswith(line) or line.startswith(MARK)):
            self.held = line
            return b""
        self.inside_line = True
        return line


def _lines(data: bytes) -> list[bytes]:
    """Lines by LF alone, ends kept: a carriage return belongs to the line that it redraws."""
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
