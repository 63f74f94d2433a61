"""Reads one year from where it lies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jobs.gsod.archive import DataProblem, archive_path
from jobs.gsod.counts import Question, YearCounts
from jobs.gsod.reading.year import read_files, read_year
from jobs.gsod.sources.address import BUCKETS, FOLDER, Where
from jobs.gsod.sources.measured import Measured

if TYPE_CHECKING:
    from jobs.gsod.sources.access import Access
    from jobs.gsod.sources.cache import CachedArchive
    from jobs.gsod.sources.download import RemoteArchive


class Reading(NamedTuple):
    """A year's counters, and the seconds of waiting for its bytes."""

    counts: YearCounts
    waited: float


def read(where: Where, year: int, question: Question, threads: int = 1) -> Reading:
    """Read a year as a stream. Raises DataProblem."""
    if where.kind == FOLDER:
        return _read_file(archive_path(Path(where.address), year), year, question, threads)
    return _read_remote(where, year, question, threads)


def _read_file(path: Path, year: int, question: Question, threads: int) -> Reading:
    measured = Measured(path)
    counts = read_year(measured, year, question, threads=threads)
    return Reading(counts, measured.waited)


def _read_remote(where: Where, year: int, question: Question, threads: int) -> Reading:
    # Imported here: folders need no object store.
    from jobs.gsod.sources.access import Access
    from jobs.gsod.sources.download import RemoteArchive
    from jobs.gsod.sources.problems import Missing

    access = Access(where)
    archive = RemoteArchive(access, year)
    try:
        if where.cache:
            return _read_cached(archive, Path(where.cache), year, question, threads)
        return _read_archive(archive, year, question, threads)
    except Missing:
        if where.kind not in BUCKETS:
            raise
    return _read_stations(access, year, question)


def _read_archive(archive: RemoteArchive, year: int, question: Question, threads: int) -> Reading:
    measured = Measured(archive)
    with _remarking(archive):
        counts = read_year(measured, year, question, threads=threads)
    counts.archive["source"] = archive.origin
    return Reading(counts, measured.waited)


def _read_cached(
    remote: RemoteArchive, folder: Path, year: int, question: Question, threads: int
) -> Reading:
    from jobs.gsod.sources.cache import CachedArchive

    archive = CachedArchive(remote, folder)
    measured = Measured(archive)
    try:
        with _remarking(archive):
            counts = read_year(measured, year, question, threads=threads)
            archive.finish(counts.archive["sha256"])
    finally:
        archive.discard()
    counts.archive["source"] = archive.origin
    return Reading(counts, measured.waited)


def _read_stations(access: Access, year: int, question: Question) -> Reading:
    from jobs.gsod.sources.stations import StationFiles

    files = StationFiles(access, year)
    if access.where.cache:
        raise DataProblem(
            f"{year} cannot be cached: {access.where.address} has one file a station",
            "--cache keeps archives: leave it out",
        )
    counts = read_files(files, year, question)
    counts.archive = files.facts
    return Reading(counts, files.waited)


@contextmanager
def _remarking(archive: RemoteArchive | CachedArchive) -> Iterator[None]:
    """Add to a problem with the data what is known of its source."""
    try:
        yield
    except DataProblem as problem:
        if not archive.remarks:
            raise
        raise DataProblem(problem.what, *problem.evidence, *archive.remarks) from problem
