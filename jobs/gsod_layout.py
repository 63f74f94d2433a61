"""Where the columns of a file stand, and whether they stand there in every line.

One step through the bytes (`content[at::step]`) takes one character of every line, in C.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jobs.gsod_csv import Columns

FEWEST_LINES, MOST_LINES = 4, 366
"""Below, the checks cost more than they save; above, some day must come twice."""

PLANS_KEPT = 1_000

ALL_ARE: list[Callable[[bytes], bool]] = [
    (bytes([character]) * MOST_LINES).startswith for character in range(256)
]
"""For each byte: whether all bytes of a text, at most one for each possible line, are that byte."""

QUOTE, COMMA, NEWLINE = b'",\n'


@dataclass(frozen=True)
class Plan:
    """What the lengths of a first line's fields say: where each column starts in the file, and
    where which character must be in every line."""

    starts: tuple[int, ...]
    frame: tuple[tuple[int, Callable[[bytes], bool]], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """One file: the length of its lines, their number, the first line's fields."""

    step: int
    lines: int
    fields: list[bytes]
    starts: tuple[int, ...]


class Layouts:
    """Finds the layouts of files with one header; files of equal field lengths share a plan."""

    def __init__(self, columns: Columns, header_bytes: int) -> None:
        self.columns = columns
        self.header_bytes = header_bytes
        self._plans: dict[tuple[int, ...], Plan] = {}

    def find(self, content: bytes) -> Layout | None:
        """The layout of a file.

        None unless its first line has all columns, quoted and without a quote inside, and every
        line has its length, its end, and the same quotes and commas around each column that is
        taken.
        """
        at = self.header_bytes
        step = content.find(b"\n", at) + 1 - at
        if step < 1:
            return None
        lines, rest = divmod(len(content) - at, step)
        if rest or not FEWEST_LINES <= lines <= MOST_LINES:
            return None
        first = content[at : at + step]
        fields = first[1:-2].split(b'","')
        if len(fields) != self.columns.width or first.count(b'"') != 2 * len(fields):
            return None
        plan = self._plan(fields)
        for place, all_are in plan.frame:
            if not all_are(content[place::step]):
                return None
        return Layout(step, lines, fields, plan.starts)

    def _plan(self, fields: list[bytes]) -> Plan:
        key = tuple(map(len, fields))
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= PLANS_KEPT:
                self._plans.clear()
            plan = self._plans[key] = make_plan(key, self.columns, self.header_bytes)
        return plan


def make_plan(lengths: tuple[int, ...], columns: Columns, offset: int) -> Plan:
    """Lay out lines that begin at `offset` and whose fields, all quoted, have these lengths."""
    starts = [offset + 1]
    for length in lengths[:-1]:
        starts.append(starts[-1] + length + 3)
    end_of_line = starts[-1] + lengths[-1]
    frame = {offset: QUOTE, end_of_line: QUOTE, end_of_line + 1: NEWLINE}
    for index in columns.taken:
        end = starts[index] + lengths[index]
        frame |= {starts[index] - 1: QUOTE, end: QUOTE}
        if index:
            frame[starts[index] - 2] = COMMA
        if index < len(lengths) - 1:
            frame[end + 1] = COMMA
    checks = tuple((place, ALL_ARE[character]) for place, character in sorted(frame.items()))
    return Plan(tuple(starts), checks)
