"""The tutorial's algorithm as published, for comparison only: every row of a year in memory.

It checks nothing: an archive that is cut short may be read as a smaller one, and a missing value
(9999.9) counts as hot. Columns come from the header, since the tutorial's list of them lost some.
"""

from __future__ import annotations

import csv
import tarfile
import time
import zlib
from collections import namedtuple
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from jobs import job, timing
from jobs.gsod.archive import DataProblem, archive_path

BYTES_PER_BYTE = 8
"""Memory for each byte of CSV: 1.9 KB for a row of about 240 bytes."""

BASE_BYTES = 64 * 2**20


class TutorialYear:
    """One year's rows, as the tutorial keeps them."""

    def __init__(self, folder: str, year: int, high_temp: float) -> None:
        self.path = Path(folder) / f"{year}.tar.gz"
        self.high_temp = float(high_temp)
        self.rows: list[Any] = []
        self.stations: set[str] = set()

    def load_data(self) -> DataProblem | None:
        """Read every row of every member; return the problem if that fails."""
        try:
            self._load()
        except (OSError, EOFError, ValueError, TypeError, zlib.error, tarfile.TarError) as error:
            return DataProblem(f"{self.path.name}: the tutorial's loader failed", repr(error))
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
    """The inflated size of a gzip file, as its last four bytes give it.

    Raises DataProblem for a file that is too short to have them.
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


class MemoryShortage(Exception):
    """The years do not fit into the cluster's memory, all rows loaded side by side."""


def compare_years(folder: Path, years: Sequence[int], high_temp: float) -> dict[str, Any]:
    """Load all years at once, intersect their stations, count over the intersection.

    Raises DataProblem, or MemoryShortage before anything is loaded.
    """
    # Imported here so that the loader above works without Ray.
    import ray

    from jobs.gsod.on_ray import SPREAD, cpu_share

    _check_memory(folder, years)
    share = cpu_share(len(years), sum(job.task_cpus()))
    remote = ray.remote(num_cpus=share, scheduling_strategy=SPREAD)(TutorialYear)
    actors = [remote.remote(str(folder), year, high_temp) for year in years]
    began, clock = time.time(), time.perf_counter()
    results = ray.get([actor.load_data.remote() for actor in actors])
    problems = [result for result in results if result]
    if problems:
        raise problems[0]
    seconds = time.perf_counter() - clock
    timing.record("load", began, seconds, method="tutorial")
    stations = ray.get([actor.get_stations.remote() for actor in actors])
    common = set.intersection(*stations)
    hits = ray.get([actor.get_high_temp_count.remote(common) for actor in actors])
    rows = ray.get([actor.get_row_count.remote() for actor in actors])
    answers = [
        {"year": year, "hits": count, "rows": size, "stations": len(names)}
        for year, count, size, names in zip(years, hits, rows, stations, strict=True)
    ]
    return {"common_stations": len(common), "years": answers, "load_seconds": seconds}


def _check_memory(folder: Path, years: Sequence[int]) -> None:
    import ray

    size = ray.remote(num_cpus=0)(archive_size)
    sizes = ray.get([size.remote(str(folder), year) for year in years])
    problem = next((size for size in sizes if isinstance(size, DataProblem)), None)
    if problem:
        raise problem
    memories = [int(node["Resources"].get("memory", 0)) for node in ray.nodes() if node["Alive"]]
    if not fits(sizes, memories):
        raise MemoryShortage(
            f"{sum(sizes) / 1e9:.1f} GB of CSV, about eight times that as rows; "
            f"Ray offers {sum(memories) / 1e9:.1f} GB on {len(memories)} Ray nodes"
        )


def archive_size(folder: str, year: int) -> int | DataProblem:
    """The body of a Ray task: the inflated size of an archive, in bytes."""
    try:
        return inflated_bytes(archive_path(Path(folder), year))
    except DataProblem as problem:
        return problem


def lines(answer: dict[str, Any]) -> list[str]:
    """The tutorial's three lines, and a warning about them."""
    return [
        f"Number of stations in common: {answer['common_stations']}",
        *(
            f"{year['year']} - High temp count for common stations: {year['hits']}"
            for year in answer["years"]
        ),
        "Read by the tutorial's loader: nothing is checked, a missing value counts as hot.",
    ]
