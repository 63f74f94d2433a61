"""Reads one station's file with a CSV parser: the reference that the fast reader must equal."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

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


def read_csv(
    content: bytes, where: str, year: int, question: Question
) -> tuple[dict[str, Station], Quality]:
    """Counters of each station in a file, and its quality.

    Columns are found by header name; unknown ones do not matter. Raises DataProblem, naming file
    and line, if a required column is missing or doubled, a row has more or fewer fields than the
    header, quotes are unbalanced, a byte is NUL, or a row names no station.
    """
    rows = _rows(content, where)
    _, header = next(rows, (0, []))
    columns = find_columns(header, where, question)
    reading = _Reading(where, year, question, columns)
    for line, fields in rows:
        if fields:
            reading.row(line, fields)
    reading.quality.files = reading.quality.files_by_csv = 1
    return reading.stations, reading.quality


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
        rows = list(_rows(header, ""))
        return find_columns(rows[0][1], "", question) if len(rows) == 1 else None
    except DataProblem:
        return None


def _rows(content: bytes, where: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of each record; latin-1, so that any byte can be read."""
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise DataProblem(f"{where}:{line}: a byte is NUL, which no CSV file holds")
    text = io.StringIO(content.removeprefix(BOM).decode("latin-1"), newline="")
    reader = csv.reader(text, strict=True)
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            line = max(reader.line_num, 1)
            raise DataProblem(f"{where}:{line}: not well-formed CSV", str(error)) from error
        yield reader.line_num, fields


class _Reading:
    """The rows of one file, one after the other."""

    def __init__(self, where: str, year: int, question: Question, columns: Columns) -> None:
        self.where, self.question, self.columns = where, question, columns
        self.year = f"{year:04}-"
        self.days = days_of(year)
        self.stations: dict[str, Station] = {}
        self.quality = Quality()

    def row(self, line: int, fields: list[str]) -> None:
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
