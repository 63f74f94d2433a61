"""One station's file read without parsing every field, where that gives what CSV gives.

NOAA quotes every field and pads numbers, so that within one file all lines have the same length and
each column the same place. The first line is taken apart whole. Of every other line these are
checked: its length and its end, that it names the same station, that its DATE is a day of the year
which no other line has, that each column which is taken stands between its quotes and commas, and
that its value is a temperature or missing. A file that differs in any of these is left to the CSV
parser, which says what is wrong and where. Columns that nobody asked for are not looked at.
"""

from __future__ import annotations

from itertools import compress

from jobs.gsod_calendar import DATE_BYTES, Bits, Calendar
from jobs.gsod_counts import COLD, HIT, MISSING, REFUSED, Question, Station, country_of
from jobs.gsod_csv import Columns, header_columns
from jobs.gsod_layout import ALL_ARE, Layout, Layouts
from jobs.gsod_values import Values

HEADERS_KEPT = 100
IS_HIT = bytes(kind == HIT for kind in range(256))
IS_VALID = bytes(kind in (COLD, HIT) for kind in range(256))
IS_STAR = bytes(character == ord("*") for character in range(256))


class FastReader:
    """Reads the files of one year; keeps what it learned of headers, layouts and values."""

    def __init__(self, year: int, question: Question) -> None:
        self.question = question
        self.calendar = Calendar(year)
        self.values = Values(question)
        self._layouts: dict[bytes, Layouts | None] = {}

    def read(self, content: bytes) -> tuple[str, Station, int] | None:
        """A file's station id, its counters and its missing values; None where CSV must decide."""
        header = content[: content.find(b"\n") + 1]
        layouts = self._layouts_of(header)
        if layouts is None or b"\0" in content:
            return None
        layout = layouts.find(content)
        columns = layouts.columns
        if layout is None or not _same_station(content, layout, columns.station):
            return None
        days = self._days(content, layout, columns.date)
        kinds = self._kinds(content, layout, columns.value)
        if days is None or kinds is None or REFUSED in kinds:
            return None
        return _count(content, layout, columns, days, kinds)

    def _days(self, content: bytes, layout: Layout, index: int) -> tuple[int, Bits] | None:
        if len(layout.fields[index]) != DATE_BYTES:
            return None
        return self.calendar.days(content, layout.starts[index], layout.step)

    def _kinds(self, content: bytes, layout: Layout, index: int) -> bytes | None:
        width = len(layout.fields[index])
        return self.values.kinds(content, layout.starts[index], layout.step, width)

    def _layouts_of(self, header: bytes) -> Layouts | None:
        if header not in self._layouts:
            if len(self._layouts) >= HEADERS_KEPT:
                self._layouts.clear()
            columns = header_columns(header, self.question)
            self._layouts[header] = Layouts(columns, len(header)) if columns else None
        return self._layouts[header]


def _count(
    content: bytes, layout: Layout, columns: Columns, days: tuple[int, Bits], kinds: bytes
) -> tuple[str, Station, int] | None:
    seen, bits = days
    fields = layout.fields
    country = "" if columns.name is None else country_of(fields[columns.name].decode("latin-1"))
    station = Station(layout.lines, seen, seen, country=country)
    if HIT in kinds or MISSING in kinds:
        marks = _marks(content, layout, columns.attributes)
        if marks is None:
            return None
        bits = list(bits)
        station.days = sum(compress(bits, kinds.translate(IS_VALID)))
        station.hits = sum(compress(bits, kinds.translate(IS_HIT)))
        station.derived = station.hits & sum(compress(bits, marks.translate(IS_STAR)))
    return fields[columns.station].decode("latin-1"), station, kinds.count(MISSING)


def _same_station(content: bytes, layout: Layout, index: int) -> bool:
    """Whether the station is named, and every line names the same."""
    station, step = layout.fields[index], layout.step
    for place, character in enumerate(station, layout.starts[index]):
        if not ALL_ARE[character](content[place::step]):
            return False
    return bool(station.strip())


def _marks(content: bytes, layout: Layout, index: int | None) -> bytes | None:
    """One character of each line from a column of that width; None for another width."""
    if index is None:
        return b""
    if len(layout.fields[index]) != 1:
        return None
    marks = content[layout.starts[index] :: layout.step]
    return None if b'"' in marks else marks
