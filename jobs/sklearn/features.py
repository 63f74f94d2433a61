"""Features of a model from GSOD archives: today's weather, to predict tomorrow's. Knows no Ray."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain
from pathlib import Path

from jobs.gsod.archive import DataProblem, archive_path
from jobs.gsod.reading.gzip_stream import Inflated, Source
from jobs.gsod.reading.tar_stream import TarReader

NAMES = ("season_sin", "season_cos", "latitude", "elevation", "temp", "dewp", "wdsp", "prcp")
MISSING = {"TEMP": 9999.9, "DEWP": 9999.9, "WDSP": 999.9, "PRCP": 99.99}
Row = tuple[float, ...]


def samples(folder: Path, years: Sequence[int], most: int) -> tuple[list[Row], list[float]]:
    """Rows of features (NAMES) and the next day's mean temperature in °F, at most `most` of them.

    A day counts if it has all features and the next day follows. Raises DataProblem.
    """
    features: list[Row] = []
    targets: list[float] = []
    for year in years:
        path = archive_path(folder, year)
        with Inflated(Source(path)) as stream:
            for member in chain.from_iterable(TarReader(stream, path.name)):
                for row, target in _days(member.content, f"{path.name}: {member.name}"):
                    if len(features) < most:
                        features.append(row)
                        targets.append(target)
    return features, targets


def _days(content: bytes, where: str) -> Iterator[tuple[Row, float]]:
    before: tuple[date, Row] | None = None
    for record in csv.DictReader(io.StringIO(content.decode("latin-1"))):
        try:
            day, row = _row(record)
        except (KeyError, TypeError, ValueError) as error:
            raise DataProblem(f"{where}: a row cannot be used", repr(error)) from error
        temp = row[NAMES.index("temp")] if row else math.nan
        if before and row and (day - before[0]).days == 1:
            yield before[1], temp
        before = (day, row) if row else None


def _row(record: dict[str, str]) -> tuple[date, Row]:
    """A day and its features; no features if one of them is missing."""
    day = date.fromisoformat(record["DATE"])
    values = {name: float(record[name]) for name in MISSING}
    if not all(map(math.isfinite, values.values())):
        raise ValueError("not a finite number")
    if any(values[name] == missing for name, missing in MISSING.items()):
        return day, ()
    angle = day.timetuple().tm_yday / 365.25 * 2 * math.pi
    place = float(record["LATITUDE"] or "nan"), float(record["ELEVATION"] or "nan")
    if not all(map(math.isfinite, place)):
        return day, ()
    return day, (math.sin(angle), math.cos(angle), *place, *values.values())
