"""Where the columns of a file stand, and whether they stand there in every line.

One step through the bytes (`content[at::step]`) takes one character of every line, in C.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jobs.gsod_csv import Columns

FEWEST_LINES, MOST_LINES = 4, 366
"""Below, the checks cost more than they save; above, some day must come twice."""

PLANS_KEPT = 4_000

Check = Callable[[bytes], bool]

ALL_ARE: list[Check] = [(bytes([character]) * MOST_LINES).startswith for character in range(256)]
"""For each byte: whether all bytes of a text, at most one for each possible line, are that byte."""

QUOTE, COMMA, NEWLINE = b'",\n'
SHAPE = bytes(each if each in (QUOTE, COMMA, NEWLINE) else ord("x") for each in range(256))
"""Turns a line into its shape: its structure with every other character alike."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a first line's shape says, for the columns that are taken.

    Where each begins and ends in the file's first line, and which character must be where in every
    line. `attributes` and `name` are None where there is no such column.
    """

    station: slice
    date: slice
    value: slice
    attributes: slice | None
    name: slice | None
    frame: tuple[tuple[int, Check], ...]


class Layouts:
    """Finds the plans of files with one header; files of the same shape share one."""

    def __init__(self, columns: Columns, header_bytes: int) -> None:
        self.columns = columns
        self.header_bytes = header_bytes
        self._plans: dict[bytes, Plan | None] = {}

    def find(self, content: bytes) -> tuple[Plan, int, int] | None:
        """A file's plan, the length of its lines, and their number.

        None unless its first line has all columns, quoted and without a quote inside, and every
        line has its length, its end, and the same quotes and commas around each column that is
        taken.
        """
        at = self.header_bytes
        end = content.find(b"\n", at) + 1
        step = end - at
        if step < 1:
            return None
        lines, rest = divmod(len(content) - at, step)
        if rest or not FEWEST_LINES <= lines <= MOST_LINES:
            return None
        plan = self._plan(content[at:end].translate(SHAPE))
        if plan is None:
            return None
        for place, all_are in plan.frame:
            if not all_are(content[place::step]):
                return None
        return plan, step, lines

    def _plan(self, shape: bytes) -> Plan | None:
        try:
            return self._plans[shape]
        except KeyError:
            if len(self._plans) >= PLANS_KEPT:
                self._plans.clear()
            plan = self._plans[shape] = make_plan(shape, self.columns, self.header_bytes)
            return plan


def make_plan(shape: bytes, columns: Columns, offset: int) -> Plan | None:
    """Lay out lines of a shape that begin at `offset`; None where fields are not simply quoted."""
    fields = shape[1:-2].split(b'","')
    whole = shape[:1] == b'"' and shape[-2:] == b'"\n' and shape.count(b'"') == 2 * len(fields)
    if not whole or len(fields) != columns.width:
        return None
    places, at = [], offset + 1
    for field in fields:
        places.append(slice(at, at + len(field)))
        at += len(field) + 3
    return Plan(
        station=places[columns.station],
        date=places[columns.date],
        value=places[columns.value],
        attributes=None if columns.attributes is None else places[columns.attributes],
        name=None if columns.name is None else places[columns.name],
        frame=_frame(places, columns, offset),
    )


def _frame(places: list[slice], columns: Columns, offset: int) -> tuple[tuple[int, Check], ...]:
    """The quotes and commas around each column that is taken, and those that end a line."""
    end_of_line = places[-1].stop
    frame = {offset: QUOTE, end_of_line: QUOTE, end_of_line + 1: NEWLINE}
    for index in columns.taken:
        start, end = places[index].start, places[index].stop
        frame |= {start - 1: QUOTE, end: QUOTE}
        if index:
            frame[start - 2] = COMMA
        if index < columns.width - 1:
            frame[end + 1] = COMMA
    return tuple((place, ALL_ARE[character]) for place, character in sorted(frame.items()))


def pairs(first: bytes, second: bytes) -> bytearray:
    """The bytes of two texts in turn."""
    joined = bytearray(2 * len(first))
    joined[::2], joined[1::2] = first, second
    return joined
