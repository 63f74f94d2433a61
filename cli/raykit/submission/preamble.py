"""Hides the lines that Ray itself writes into a driver's log: the user knows what they say."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from raykit.redaction.finder import beginning

SETTING_UP = re.compile(
    rb"\d{4}-\d\d-\d\d [\d:,]+\tINFO job_manager\.py:\d+ -- Runtime env is setting up\.\n"
)
LIKE_SETTING_UP = re.compile(rb"\d{0,4}\Z|\d{4}-[^\n]*\Z")
LONGEST_OPENING = 200


class Preamble:
    """Removes the first occurrence of each of Ray's lines from a stream of bytes.

    "Runtime env is setting up" is the first line, if it comes at all. "Running entrypoint for job"
    is written by another process than the driver: a quick driver's output may come before it.
    """

    def __init__(self, submission_id: str, words: Sequence[str]) -> None:
        # The command of a job that others submitted is one text, which is not quoted.
        commands = {shlex.join(words), *(words if len(words) == 1 else ())}
        opening = f"Running entrypoint for job {submission_id}: "
        self.lines = [f"{opening}{command}\n".encode() for command in commands]
        self.opening: bytes | None = b""
        self.held = b""

    def feed(self, data: bytes) -> bytes:
        """The next bytes of the user; a possible beginning of Ray's line is held back."""
        if self.opening is not None:
            data = self._after_opening(data)
        return self._without_line(self.held + data) if self.lines else data

    def end(self) -> bytes:
        """The bytes that were held back."""
        rest, self.held, self.opening = (self.opening or b"") + self.held, b"", None
        return rest

    def _after_opening(self, data: bytes) -> bytes:
        assert self.opening is not None
        data, self.opening = self.opening + data, None
        if LIKE_SETTING_UP.match(data) and len(data) < LONGEST_OPENING:
            self.opening = data
            return b""
        line = SETTING_UP.match(data)
        return data[line.end() :] if line else data

    def _without_line(self, data: bytes) -> bytes:
        self.held = b""
        for line in self.lines:
            before, separator, after = data.partition(line)
            if separator:
                self.lines = []
                return before + after
        undecided = min(beginning(data, line) for line in self.lines)
        self.held = data[undecided:]
        return data[:undecided]
