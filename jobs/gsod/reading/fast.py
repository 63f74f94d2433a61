"""Reads station files without parsing every field, if that gives the same result as CSV.

NOAA quotes every field and pads numbers, so within one file all lines have the same length and each
column has its place. A file that breaks one of these rules is left to the CSV parser, which reads
it or says what is wrong and where:

| rule | checked by |
|---|---|
| the header is one line of printable characters and has the columns | `layout.Header` |
| the first line quotes every field, and no field holds a quote | `layout.make_plan` |
| STATION and DATE come first; they and the value are as wide as NOAA's | `layout.make_plan` |
| of MAX, the next column is its mark, one character wide | `layout.make_plan` |
| the file is at most 366 lines, each as long as the first | `layout.Layouts.find` |
| all lines have quotes, commas and ends where the first has them, no control characters | `shape` |
| all lines name the same station, which is not blank | `lines`, here |
| each DATE is a day of the year, later than that of the line before | `lines` |
| each value is a temperature, or missing | `lines` |
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.gsod.counts import Question, Station, country_of
from jobs.gsod.reading.layout import STATION_CHARACTERS, Layouts, Lines
from jobs.gsod.reading.lines import FileLines, LineChecker
from jobs.gsod.reading.tar_stream import Member

Quick = tuple[str, Station, int]
"""A file's station id, its counters and its missing values."""


class FastReader:
    """Reads the files of one year."""

    def __init__(self, year: int, question: Question) -> None:
        self._layouts = Layouts(question)
        self._checker = LineChecker(year, question)

    def read(self, members: Sequence[Member]) -> list[Quick | None]:
        """The counters of each file; None if the CSV parser must read it."""
        layouts = [self._layouts.find(member) for member in members]
        pairs = list(zip(members, layouts, strict=True))
        files = [(member.buffer, lines) for member, lines in pairs if lines]
        checked = iter(self._checker.check(files))
        return [
            _counters(member.buffer, lines, next(checked)) if lines else None
            for member, lines in pairs
        ]


def _counters(buffer: bytearray, lines: Lines, checked: FileLines) -> Quick | None:
    first, _, rows, plan = lines
    good, seen, missing, hits, derived = checked
    station_id = buffer[first + 1 : first + 1 + STATION_CHARACTERS].decode("latin-1")
    if not good or station_id.isspace():
        return None
    country = country_of(bytes(buffer[first + plan.name.start : first + plan.name.stop]))
    station = Station(rows, seen, seen & ~missing, hits, derived, country)
    return station_id, station, missing.bit_count()
