"""Reads one station's file with a CSV parser: the reference that the fast reader must equal."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jobs.gsod.archive import DataProblem
from jobs.gsod.counts import (
    HIT,
    MISSING,
    REFUSED,
    Quality,
    Question,
    Station,
    country_of,
    days_of,
    is_date,
)

BOM = b"\xef\xbb\xbf"
OPTIONAL = ("NAME", "MAX_ATTRIBUTES")


@dataclass(frozen=True)
class Columns:
    """The indices of the columns that matter; None for an absent optional one."""

    width: int
    station: int
    date: int
    value: int
    name: int | None
    attributes: int | None


class Part(NamedTuple):
    """Lines of one station that were read without CSV.

    start, stop: where they lie in the file, in bytes. missing: the number of missing values.
    """

    start: int
    stop: int
    station_id: str
    station: Station
    missing: int


def read_csv(
    content: bytes, where: str, year: int, question: Question, parts: Sequence[Part] = ()
) -> tuple[dict[str, Station], Quality]:
    """Counters of each station in a file, and its quality.

    Columns are found by header name; unknown ones do not matter. parts: lines that need not be
    parsed, in the file's order. A part is taken if a record of CSV begins where the part does; else
    an open quote before it made its lines a part of something else, and they are parsed.

    Raises DataProblem, naming file and line, if a required column is missing or doubled, a row has
    more or fewer fields than the header, quotes are unbalanced, a byte is NUL, or a row names no
    station.
    """
    records = _Records(content, where)
    columns = find_columns(records.next(), where, question)
    rows = Rows(where, year, question, columns)
    for part in parts:
        _add_until(part.start, records, rows)
        if records.at == part.start:
            rows.add_part(part)
            records.pass_over(part.stop, part.station.rows)
    _add_until(len(content), records, rows)
    rows.quality.files = rows.quality.files_by_csv = 1
    return rows.stations, rows.quality


def _add_until(stop: int, records: _Records, rows: Rows) -> None:
    for fields in records.until(stop):
        if fields:
            rows.add(records.line, fields)


def find_columns(header: list[str], where: str, question: Question) -> Columns:
    """The columns of a header. Raises DataProblem with every problem."""
    names = [name.strip() for name in header]
    required = ("STATION", "DATE", question.column)
    optional = ("NAME",) if question.column != "MAX" else OPTIONAL
    problems = [f"no column {name}" for name in required if name not in names]
    problems += [f"column {n} comes twice" for n in required + optional if names.count(n) > 1]
    if problems:
        raise DataProblem(
            f"{where}:1: the header does not fit", *problems, f"it is {','.join(names)[:200]!r}"
        )
    places = {name: names.index(name) for name in names}
    return Columns(
        len(names),
        places["STATION"],
        places["DATE"],
        places[question.column],
        places.get("NAME"),
        places.get("MAX_ATTRIBUTES") if question.column == "MAX" else None,
    )


def header_columns(header: bytes, question: Question) -> Columns | None:
    """The columns of a single header line; None if it does not fit or is no complete line."""
    try:
        records = _Records(header, "")
        columns = find_columns(records.next(), "", question)
        return columns if records.at == len(header) else None
    except DataProblem:
        return None


@dataclass
class _Cursor:
    """Where the next record of a file begins, and the byte up to which lines are wanted."""

    at: int
    stop: int


def _lines(content: bytes, cursor: _Cursor) -> Iterator[str]:
    """The lines from the cursor on; beyond its stop only if a record goes on there."""
    while cursor.at < len(content):
        stop = cursor.stop if cursor.stop > cursor.at else len(content)
        for line in io.StringIO(content[cursor.at : stop].decode("latin-1"), newline=""):
            cursor.at = after = cursor.at + len(line)
            yield line
            if cursor.at != after:
                break


class _Records:
    """The records of a file, one after the other, in latin-1, so that any byte can be read."""

    def __init__(self, content: bytes, where: str) -> None:
        """Raises DataProblem if a byte is NUL."""
        if b"\0" in content:
            line = content.count(b"\n", 0, content.index(b"\0")) + 1
            raise DataProblem(f"{where}:{line}: a byte is NUL, which no CSV file holds")
        self._where, self._passed_over = where, 0
        # The header; `until` goes on from there. Nothing here refers to itself: a year is read
        # without the cyclic garbage collector.
        begin = len(BOM) if content.startswith(BOM) else 0
        self._cursor = _Cursor(begin, content.find(b"\n") + 1)
        self._reader = csv.reader(_lines(content, self._cursor), strict=True)

    @property
    def at(self) -> int:
        """The byte at which the next record begins."""
        return self._cursor.at

    @property
    def line(self) -> int:
        """The last line of the latest record."""
        return max(self._reader.line_num, 1) + self._passed_over

    def until(self, stop: int) -> Iterator[list[str]]:
        """The records that begin before this byte. Raises DataProblem where it is not CSV."""
        self._cursor.stop = stop
        while self._cursor.at < stop:
            yield self.next()

    def next(self) -> list[str]:
        """The fields of the next record; none at the end. Raises DataProblem if it is not CSV."""
        try:
            return next(self._reader, [])
        except csv.Error as error:
            what = f"{self._where}:{self.line}: not well-formed CSV"
            raise DataProblem(what, str(error)) from error

    def pass_over(self, stop: int, lines: int) -> None:
        """Go on at a byte behind so many lines."""
        self._cursor.at = stop
        self._passed_over += lines


class Rows:
    """Counts the rows of one file, one after the other."""

    def __init__(self, where: str, year: int, question: Question, columns: Columns) -> None:
        self.where, self.question, self.columns = where, question, columns
        self.year = f"{year:04}-"
        self.days = days_of(year)
        self.stations: dict[str, Station] = {}
        self.quality = Quality()

    def add_part(self, part: Part) -> None:
        """Count rows that were read without CSV."""
        self.quality.rows += part.station.rows
        self.quality.missing += part.missing
        known = self.stations.setdefault(part.station_id, part.station)
        if known is not part.station:
            self.quality.duplicate_days += known.absorb(part.station)

    def add(self, line: int, fields: list[str]) -> None:
        """Count the row that ends in this line."""
        columns, quality = self.columns, self.quality
        if len(fields) != columns.width:
            raise DataProblem(
                f"{self.where}:{line}: {len(fields)} fields, where the header has {columns.width}"
            )
        station_id, day = fields[columns.station], fields[columns.date]
        if not station_id.strip():
            raise DataProblem(f"{self.where}:{line}: no STATION")
        quality.rows += 1
        if day in self.days:
            self._count(line, self._station(station_id, fields), 1 << self.days[day], fields)
        elif is_date(day):
            quality.other_years += 1
            quality.note(f"{self.where}:{line}: DATE {day} is not of {self.year[:4]}")
        else:
            quality.bad_dates += 1
            quality.note(f"{self.where}:{line}: DATE {day[:40]!r} is not a day")

    def _station(self, station_id: str, fields: list[str]) -> Station:
        station = self.stations.get(station_id)
        if station is None:
            station = self.stations[station_id] = Station()
            if self.columns.name is not None:
                station.country = country_of(fields[self.columns.name].encode("latin-1"))
        return station

    def _count(self, line: int, station: Station, day: int, fields: list[str]) -> None:
        value, quality = fields[self.columns.value], self.quality
        kind = self.question.classify(value)
        station.rows += 1
        quality.duplicate_days += bool(station.seen & day)
        station.seen |= day
        if kind == MISSING:
            quality.missing += 1
        elif kind == REFUSED:
            quality.refused += 1
            quality.note(f"{self.where}:{line}: {self.question.column} is {value[:40]!r}")
        elif not station.days & day:
            station.days |= day
            if kind == HIT:
                station.hits |= day
                station.derived |= day if self._is_derived(fields) else 0

    def _is_derived(self, fields: list[str]) -> bool:
        at = self.columns.attributes
        return at is not None and fields[at].strip() == "*"
