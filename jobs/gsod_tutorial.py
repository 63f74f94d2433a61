"""The article's algorithm as published, for comparison only: every row of a year in memory.

It checks nothing: an archive that is cut short may be read as a smaller one, and a missing value
(9999.9) counts as hot. Columns come from the header, since the article's list of them lost some.
"""

from __future__ import annotations

import csv
import tarfile
import zlib
from collections import namedtuple
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from jobs.gsod_problem import DataProblem

BYTES_PER_BYTE = 8
"""Memory for each byte of CSV: 1.9 KB for a row of about 240 bytes."""

BASE_BYTES = 64 * 2**20


class TutorialYear:
    """One year's rows, as the article keeps them."""

    def __init__(self, folder: str, year: int, high_temp: float) -> None:
        self.path = Path(folder) / f"{year}.tar.gz"
        self.high_temp = float(high_temp)
        self.rows: list[Any] = []
        self.stations: set[str] = set()

    def load_data(self) -> DataProblem | None:
        """Read every row of every member; the problem where that fails."""
        try:
            self._load()
        except (OSError, EOFError, ValueError, TypeError, zlib.error, tarfile.TarError) as error:
            return DataProblem(f"{self.path.name}: the article's loader failed", repr(error))
        return None

    def _load(self) -> None:
        with tarfile.open(self.path, "r:gz") as archive:
            for member in archive.getmembers():
                handle = archive.extractfile(member)
                if handle is None:
                    continue
                reader = csv.reader(handle.read().decode().splitlines(), delimiter=",")
                row = namedtuple("Row", next(reader, []))  # type: ignore[misc]
                self.rows += [row(*fields) for fields in reader]
        self.stations = {row.STATION for row in self.rows}

    def get_row_count(self) -> int:
        return len(self.rows)

    def get_stations(self) -> set[str]:
        return self.stations

    def get_high_temp_count(self, stations: Collection[str] | None = None) -> int:
        hot = (row for row in self.rows if float(row.TEMP) >= self.high_temp)
        return sum(stations is None or row.STATION in stations for row in hot)


def inflated_bytes(path: Path) -> int:
    """The size that a gzip file says it inflates to, from its last four bytes.

    Raises DataProblem for a file that is too short to say.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < 18:
            raise DataProblem(f"{path.name} is cut short")
        file.seek(-4, 2)
        return int.from_bytes(file.read(4), "little")


def fits(inflated: Sequence[int], memories: Sequence[int]) -> bool:
    """Whether the years, all loaded side by side, fit into the memories of the Ray nodes."""
    free = sorted(memories, reverse=True)
    for size in sorted(inflated, reverse=True):
        need = BASE_BYTES + size * BYTES_PER_BYTE
        place = next((index for index, room in enumerate(free) if room >= need), None)
        if place is None:
            return False
        free[place] -= need
    return True
