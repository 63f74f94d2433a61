"""Station files read without parsing every field, where that gives what CSV gives.

NOAA quotes every field and pads numbers, so that within one file all lines have the same length and
each column the same place. The first line is taken apart whole. Of every other line these are
checked: its length and its end, that it names the same station, that its DATE is a later day of the
year than the line before has, that each column which is taken stands between its quotes and commas,
and that its value is a temperature or missing. A file that differs in any of these is left to the
CSV parser, which says what is wrong and where. Columns that nobody asked for are not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.gsod.counts import Question, Station, country_of
from jobs.gsod.reading.layout import STATION_CHARACTERS, Found, Layouts
from jobs.gsod.reading.lines import FileLines, LineJudge
from jobs.gsod.reading.tar_stream import Member

Quick = tuple[str, Station, int]
"""A file's station id, its counters and its missing values."""


class FastReader:
    """Reads the files of one year."""

    def __init__(self, year: int, question: Question) -> None:
        self._layouts = Layouts(question)
        self._judge = LineJudge(year, question)

    def read(self, members: Sequence[Member]) -> list[Quick | None]:
        """What each file says; None where CSV must decide."""
        layouts = list(map(self._layouts.find, members))
        pairs = list(zip(members, layouts, strict=True))
        judged = iter(self._judge.judge([(each.buffer, found) for each, found in pairs if found]))
        return [
            _quick(member.buffer, found, next(judged)) if found else None for member, found in pairs
        ]


def _quick(buffer: bytearray, found: Found, lines: FileLines) -> Quick | None:
    first, _, rows, plan = found
    good, seen, missing, hits, derived = lines
    station_id = buffer[first + 1 : first + 1 + STATION_CHARACTERS].decode("latin-1")
    if not good or station_id.isspace():
        return None
    country = country_of(bytes(buffer[first + plan.name.start : first + plan.name.stop]))
    station = Station(rows, seen, seen & ~missing, hits, derived, country)
    return station_id, station, missing.bit_count()
