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

from jobs.gsod_calendar import DATE_BYTES, Calendar
from jobs.gsod_counts import COLD, HIT, MISSING, REFUSED, Question, Station, country_of
from jobs.gsod_csv import header_columns
from jobs.gsod_layout import ALL_ARE, Layouts
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
        layouts = self._layouts[header] if header in self._layouts else self._learn(header)
        found = layouts.find(content) if layouts and b"\0" not in content else None
        if found is None:
            return None
        plan, step, lines = found
        station_id = content[plan.station]
        if not _same_station(content, plan.station.start, step, station_id):
            return None
        if plan.date.stop - plan.date.start != DATE_BYTES:
            return None
        kinds = self.values.kinds(content, plan.value, step)
        if kinds is None or REFUSED in kinds:
            return None
        days = self.calendar.days(content, plan.date.start, step, wanted=bool(kinds))
        if days is None:
            return None
        seen, bits = days
        station = Station(lines, seen, seen)
        if kinds and not _count(station, content, plan.attributes, step, bits, kinds):
            return None
        if plan.name is not None:
            station.country = country_of(content[plan.name])
        return station_id.decode("latin-1"), station, kinds.count(MISSING)

    def _learn(self, header: bytes) -> Layouts | None:
        if len(self._layouts) >= HEADERS_KEPT:
            self._layouts.clear()
        columns = header_columns(header, self.question)
        layouts = self._layouts[header] = Layouts(columns, len(header)) if columns else None
        return layouts


def _same_station(content: bytes, start: int, step: int, station: bytes) -> bool:
    """Whether the station is named, and every line names the same."""
    for place, character in enumerate(station, start):
        if not ALL_ARE[character](content[place::step]):
            return False
    return bool(station.strip())


def _count(
    station: Station,
    content: bytes,
    attributes: slice | None,
    step: int,
    bits: list[int],
    kinds: bytes,
) -> bool:
    """Fill in the days that are valid, that are hits, and that are derived; false where a column
    of attributes is not one character wide."""
    marks = b""
    if attributes is not None:
        marks = content[attributes.start :: step]
        if attributes.stop != attributes.start + 1 or b'"' in marks:
            return False
    if MISSING in kinds:
        station.days = sum(compress(bits, kinds.translate(IS_VALID)))
    if HIT in kinds:
        station.hits = sum(compress(bits, kinds.translate(IS_HIT)))
        station.derived = station.hits & sum(compress(bits, marks.translate(IS_STAR)))
    return True
