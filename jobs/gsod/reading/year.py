"""Reads one year's `.tar.gz` into counters. The rest of the job calls only this module."""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from jobs.gsod.archive import DataProblem
from jobs.gsod.counts import Quality, Question, Station, YearCounts
from jobs.gsod.reading.csv_reader import Part, read_csv
from jobs.gsod.reading.formats import APPLE_DOUBLE, BEGINNING, CSV_FILE, GZIP, OP_FILE, name_format
from jobs.gsod.reading.gzip_stream import Archive, Inflated, Limits, Source
from jobs.gsod.reading.op_reader import inflate, read_op
from jobs.gsod.reading.read_ahead import Ahead, Stream
from jobs.gsod.reading.tar_stream import Member, TarReader

try:
    from jobs.gsod.reading.fast import FastReader
except ImportError:
    WITH_NUMPY = False
else:
    WITH_NUMPY = True

SCRATCH_BYTES = 2**20

if TYPE_CHECKING:
    from jobs.gsod.reading.fast import Quick


class Files(Protocol):
    """The stations' files of a year, in lists whose members share memory with the next list."""

    archive: str
    skipped: Counter[str]

    def __iter__(self) -> Iterator[list[Member]]: ...


def read_year(
    path: Archive,
    year: int,
    question: Question,
    limits: Limits | None = None,
    threads: int = 1,
) -> YearCounts:
    """Read one archive as a stream, in memory that does not depend on its size.

    Members are CSV files, or `.op` or `.op.gz` files of the format before 2019. With two threads
    one inflates while the other counts. Without NumPy all CSV files are read by the CSV parser: the
    same answer or the same error, but slower.

    Raises DataProblem if the archive is incomplete, not well-formed, or has no station's file.
    """
    source, counts = Source(path), YearCounts(year)
    with contextlib.ExitStack() as opened:
        opened.enter_context(_without_garbage_collector())
        stream: Stream = opened.enter_context(Inflated(source, limits))
        if threads > 1:
            stream = opened.enter_context(Ahead(stream))
        archive = TarReader(stream, path.name)
        try:
            _add_files(counts, archive, question)
        except DataProblem:
            _read_on(stream)
            raise
    counts.archive = {
        "file": path.name,
        "bytes": source.bytes,
        "inflated_bytes": source.inflated,
        "sha256": source.sha256,
    }
    return counts


def read_files(files: Files, year: int, question: Question) -> YearCounts:
    """Read the stations' files of one year, which are in no archive. Raises DataProblem."""
    counts = YearCounts(year)
    with _without_garbage_collector():
        _add_files(counts, files, question)
    return counts


@contextlib.contextmanager
def _without_garbage_collector() -> Iterator[None]:
    """Turn the cyclic garbage collector off: this code makes no cycles, and looking takes time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _add_files(counts: YearCounts, archive: Files, question: Question) -> None:
    read_quickly = FastReader(counts.year, question).read if WITH_NUMPY else _not_at_all
    for members in archive:
        for member, read in zip(members, read_quickly(members), strict=True):
            if isinstance(read, list):
                _add_slowly(counts, member, archive, question, read)
            else:
                counts.add_file(*read)
    if not counts.quality.files:
        raise DataProblem(f"{archive.archive} holds no station's file")
    counts.quality.skipped_members = archive.skipped


def _read_on(stream: Stream) -> None:
    """Read to the end: if the compressed data is damaged, raise that, which is the cause."""
    scratch = memoryview(bytearray(SCRATCH_BYTES))
    while stream.readinto(scratch):
        pass


def _not_at_all(members: Sequence[Member]) -> list[Quick | list[Part]]:
    return [[] for _ in members]


def _add_slowly(
    counts: YearCounts, member: Member, archive: Files, question: Question, parts: list[Part]
) -> None:
    """Add a file that differs from NOAA's CSV files; `parts` of it need no parsing."""
    where, content = f"{archive.archive}: {member.name}", member.content
    if member.name.endswith(".op.gz") and content.startswith(GZIP):
        content = inflate(content, where)
    known = name_format(content[:BEGINNING])
    if known == APPLE_DOUBLE:
        # macOS adds such a file for every file of an archive.
        archive.skipped[APPLE_DOUBLE] += 1
    elif known == OP_FILE:
        _add_stations(counts, *read_op(content, where, counts.year, question))
    elif known and known != CSV_FILE:
        raise DataProblem(f"{where} is {known}, not CSV")
    else:
        _add_stations(counts, *read_csv(content, where, counts.year, question, parts))


def _add_stations(counts: YearCounts, stations: dict[str, Station], quality: Quality) -> None:
    counts.quality.add(quality)
    for station_id, station in stations.items():
        counts.add(station_id, station)
