"""Finds the lines of a file, and their columns from the header and one line."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jobs.gsod.counts import Question
from jobs.gsod.reading.csv_reader import Columns, header_columns
from jobs.gsod.reading.patterns import Flags
from jobs.gsod.reading.shape import Shape
from jobs.gsod.reading.tar_stream import Member

MOST_LINES = 366
"""A year has at most 366 days; more lines mean a repeated day."""

MOST_BYTES = 4096
"""NOAA's lines have about 240 bytes; longer ones would only fill the memory for shapes."""

LEAST_LINES = 8
"""CSV reads fewer lines as fast."""

MOST_FILE_BYTES = 2**18
"""A station's year is a third of it; finding very many lines would take much memory."""

STATION_CHARACTERS, DATE_CHARACTERS, VALUE_CHARACTERS = 11, 10, 6
BEFORE_VALUE, LOOKED_AT = 2, 16
"""The bytes of a value that are read, from the comma before it."""

HEADERS_KEPT, PLANS_KEPT = 100, 4_000
NEWLINE, END_OF_LINE = ord("\n"), b'"\n'
SPACE = ord(" ")
"""All lower bytes are control characters."""

OUTLINE = bytes(byte if byte in b'"\n' else ord("x") for byte in range(256))
"""Turns a line into its outline: its quotes and its end, with every other byte alike."""


class Plan(NamedTuple):
    """The positions of the fields in a line, in bytes from its beginning, and its shape.

    value: the comma before the value; name: the field NAME, empty if there is none.
    """

    value: int
    name: slice
    shape: Shape


class Lines(NamedTuple):
    """Lines of one length: where the first begins, the length, their number, and the plan."""

    first: int
    step: int
    rows: int
    plan: Plan


class Header:
    """One header line, and the plans of lines below it by their outline."""

    def __init__(self, line: bytes, question: Question) -> None:
        self.line = line
        plain = line.endswith(END_OF_LINE) and min(line[:-1]) >= SPACE
        columns = header_columns(line, question) if plain else None
        unmarked = question.column == "MAX" and columns and columns.attributes is None
        self._columns = None if unmarked else columns
        self._plans: dict[bytes, Plan | None] = {}

    def plan_of(self, buffer: bytearray, at: int, size: int) -> Plan | None:
        """The plan for lines like this one; None if it differs from NOAA's, or is too long."""
        if size > MOST_BYTES:
            return None
        outline = bytes(buffer[at : at + size].translate(OUTLINE))
        try:
            return self._plans[outline]
        except KeyError:
            if len(self._plans) >= PLANS_KEPT:
                self._plans.clear()
            columns = self._columns
            plan = self._plans[outline] = make_plan(outline, columns) if columns else None
            return plan


class Layouts:
    """Finds the layouts of files; those with the same header and outline of line share one."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self._headers: dict[bytes, Header] = {}
        self._last = Header(b"\0", question)

    def find(self, member: Member) -> Lines | None:
        """The lines of a file and their plan.

        None unless its first line has each field quoted and without a quote inside, STATION and
        DATE first, the value as wide as NOAA writes it, and the whole file can be lines of that
        length. LineChecker then checks whether they are. It does so for the lines of `runs` and
        `cut`, too.
        """
        _, buffer, start, stop = member
        header = self._header_of(member)
        if header is None:
            return None
        first = start + len(header.line)
        step = buffer.find(b"\n", first, stop) + 1 - first
        if step <= 0:
            return None
        count, rest = divmod(stop - first, step)
        if rest or count > MOST_LINES:
            return None
        plan = header.plan_of(buffer, first, step)
        return Lines(first, step, count, plan) if plan else None

    def runs(self, member: Member) -> Iterator[Lines]:
        """The lines of a file in runs: lines of one length, one behind the other."""
        _, buffer, start, stop = member
        header = self._header_of(member)
        first = start + len(header.line) if header else stop
        if not header or not 0 < stop - first <= MOST_FILE_BYTES:
            return
        # From the end of the header on, so that every line lies between two ends.
        text = np.frombuffer(buffer, np.uint8, stop - first + 1, first - 1)
        ends = (text == NEWLINE).nonzero()[0]
        lengths = ends[1:] - ends[:-1]
        for begin, count in _long_runs(lengths[1:] != lengths[:-1], len(lengths)):
            step, at = int(lengths[begin]), first + int(ends[begin])
            plan = header.plan_of(buffer, at + count // 2 * step, step)
            if plan:
                yield Lines(at, step, count, plan)

    def cut(self, member: Member, lines: Lines, good: Flags, follows: Flags) -> Iterator[Lines]:
        """The lines that passed their checks, in runs of which each line follows the one before.

        Other lines in a row may be of a station that moved: they get a plan of their own.
        """
        header = self._header_of(member)
        breaks = (good[1:] != good[:-1]) | ~follows[1:]
        for begin, count in _long_runs(breaks, lines.rows):
            at, plan = lines.first + begin * lines.step, lines.plan
            if not good[begin]:
                middle = at + count // 2 * lines.step
                other = header.plan_of(member.buffer, middle, lines.step) if header else None
                if other is None or other is plan:
                    continue
                plan = other
            yield Lines(at, lines.step, count, plan)

    def _header_of(self, member: Member) -> Header | None:
        """The header that a file begins with; None if its first line cannot be one."""
        _, buffer, start, stop = member
        if not buffer.startswith(self._last.line, start, stop):
            end = buffer.find(b"\n", start, stop) + 1
            if not 0 < end - start <= MOST_BYTES:
                return None
            self._last = self._header(bytes(buffer[start:end]))
        return self._last

    def _header(self, line: bytes) -> Header:
        if line not in self._headers:
            if len(self._headers) >= HEADERS_KEPT:
                self._headers.clear()
            self._headers[line] = Header(line, self.question)
        return self._headers[line]


def _long_runs(breaks: Flags, lines: int) -> Iterator[tuple[int, int]]:
    """The first line and the number of lines of each run that is worth it.

    breaks: for each line but the first, whether a run begins with it.
    """
    begins = [0, *(breaks.nonzero()[0] + 1).tolist()]
    counts = map(operator.sub, [*begins[1:], lines], begins)
    pairs = zip(begins, counts, strict=True)
    return ((begin, count) for begin, count in pairs if count >= LEAST_LINES)


def make_plan(outline: bytes, columns: Columns) -> Plan | None:
    """The plan for lines with this outline; None if their fields differ from NOAA's."""
    fields = outline[1:-2].split(b'"x"')
    quoted = outline[:1] == b'"' and outline.endswith(END_OF_LINE)
    if not quoted or outline.count(b'"') != 2 * len(fields) or len(fields) != columns.width:
        return None
    widths = [len(field) for field in fields]
    starts = [1 + sum(widths[:index]) + 3 * index for index in range(len(widths))]
    usual = (STATION_CHARACTERS, DATE_CHARACTERS, VALUE_CHARACTERS)
    if (columns.station, columns.date) != (0, 1):
        return None
    if (widths[0], widths[1], widths[columns.value]) != usual:
        return None
    if columns.attributes is not None and (
        columns.attributes != columns.value + 1 or widths[columns.attributes] != 1
    ):
        return None
    value = starts[columns.value] - BEFORE_VALUE
    # The bytes that are read end inside the line: the value is not in its last column.
    if value + LOOKED_AT > len(outline) - len(END_OF_LINE):
        return None
    name = slice(0, 0)
    if columns.name is not None:
        name = slice(starts[columns.name], starts[columns.name] + widths[columns.name])
    structure = b'","'.join(bytes(width) for width in widths)
    return Plan(value, name, Shape(b'"' + structure + END_OF_LINE))
