"""The lines that Ray itself writes into a driver's log; they repeat what the user knows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from raykit.redaction import beginning

SETTING_UP = re.compile(
    rb"\d{4}-\d\d-\d\d [\d:,]+\tINFO job_manager\.py:\d+ -- Runtime env is setting up\.\n"
)
LIKE_SETTING_UP = re.compile(rb"\d{0,4}\Z|\d{4}-[^\n]*\Z")
LONGEST_OPENING = 200


class Preamble:
    """Takes Ray's lines out of a stream of bytes, each once.

    "Runtime env is setting up" comes first or not at all. "Running entrypoint for job" is written
    by another process than the driver, so that a quick driver's output may stand before it.
    """

    def __init__(self, submission_id: str, words: Sequence[str]) -> None:
        # A job that others submitted has its command as one text, which was never quoted.
        commands = {shlex.join(words), *(words if len(words) == 1 else ())}
        opening = f"Running entrypoint for job {submission_id}: "
        self.lines = [f"{opening}{command}\n".encode() for command in commands]
        self.opening: bytes | None = b""
        self.held = b""

    def feed(self, data: bytes) -> bytes:
        """The user's bytes so far; what could be the beginning of Ray's line is held back."""
        if self.opening is not None:
            data = self._after_opening(data)
        return self._without_line(self.held + data) if self.lines else data

    def end(self) -> bytes:
        """What was held back."""
        rest, self.held, self.opening = (self.opening or b"") + self.held, b"", None
        return rest

    def _after_opening(self, data: bytes) -> bytes:
        assert self.opening is not None
        data, self.opening = self.opening + data, None
        if LIKE_SETTING_UP.match(data) and len(data) < LONGEST_OPENING:
            self.opening = data
            return b""
        found = SETTING_UP.match(data)
        return data[found.end() :] if found else data

    def _without_line(self, data: bytes) -> bytes:
        self.held = b""
        for line in self.lines:
            before, found, after = data.partition(line)
            if found:
                self.lines = []
                return before + after
        undecided = min(beginning(data, line) for line in self.lines)
        self.held = data[undecided:]
        return data[:undecided]
