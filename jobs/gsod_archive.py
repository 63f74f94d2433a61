"""The seam behind which archives are read: one year's `.tar.gz` in, its counters out."""

from __future__ import annotations

from pathlib import Path

from jobs.gsod_ahead import ahead
from jobs.gsod_counts import Question, YearCounts
from jobs.gsod_csv import read_csv
from jobs.gsod_fast import FastReader
from jobs.gsod_inflate import Limits, Source, pieces
from jobs.gsod_problem import DataProblem
from jobs.gsod_tar import TarReader


def read_year(
    path: Path,
    year: int,
    question: Question,
    limits: Limits | None = None,
    threads: int = 1,
) -> YearCounts:
    """Read one archive as a stream, in memory that does not depend on its size.

    With two threads one inflates while the other counts. Raises DataProblem where the archive is
    not whole, not well-formed, or holds no station's file.
    """
    source = Source(path)
    inflated = pieces(source, limits)
    archive = TarReader(ahead(inflated) if threads > 1 else inflated, path.name)
    reader = MemberReader(path.name, year, question)
    for name, content in archive:
        reader.read(name, content)
    counts = reader.counts
    if not counts.quality.files:
        raise DataProblem(f"{path.name} holds no station's file")
    counts.quality.skipped_members = archive.skipped
    counts.archive = {
        "file": path.name,
        "bytes": source.bytes,
        "inflated_bytes": source.inflated,
        "sha256": source.sha256,
    }
    return counts


class MemberReader:
    """Counts one station's file after the other: the fast way, or by CSV where that does not do."""

    def __init__(self, archive: str, year: int, question: Question) -> None:
        self.archive, self.question = archive, question
        self.counts = YearCounts(year)
        self._fast = FastReader(year, question)

    def read(self, name: str, content: bytes) -> None:
        quick = self._fast.read(content)
        if quick is None:
            self._read_csv(name, content)
            return
        station_id, station, missing = quick
        quality = self.counts.quality
        quality.files += 1
        quality.rows += station.rows
        quality.missing += missing
        self.counts.add(station_id, station)

    def _read_csv(self, name: str, content: bytes) -> None:
        where = f"{self.archive}: {name}"
        stations, quality = read_csv(content, where, self.counts.year, self.question)
        self.counts.quality.add(quality)
        for station_id, station in stations.items():
            self.counts.add(station_id, station)


def archive_path(folder: Path, year: int) -> Path:
    """The archive of a year in a folder.

    Raises DataProblem, listing the years that are there, where it is missing.
    """
    path = folder / f"{year}.tar.gz"
    if path.is_file():
        return path
    there = years_in(folder)
    listed = "years there: " + ranges(there) if there else "no year's archive is there"
    looked = listed if folder.is_dir() else "that folder does not exist on this Ray node"
    raise DataProblem(f"{year}.tar.gz is not in {folder}", looked)


def years_in(folder: Path) -> list[int]:
    """The years whose archives lie in a folder."""
    names = (path.name.removesuffix(".tar.gz") for path in folder.glob("*.tar.gz"))
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


def ranges(years: list[int]) -> str:
    """Years as text: runs of three or more are written `first..last`."""
    runs: list[list[int]] = []
    for year in years:
        if runs and year == runs[-1][-1] + 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    texts = [f"{run[0]}..{run[-1]}" if len(run) > 2 else " ".join(map(str, run)) for run in runs]
    return " ".join(texts)
