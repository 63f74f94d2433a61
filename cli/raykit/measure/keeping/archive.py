"""An archive of runs: a gzipped tar that holds plain files under plain names, and nothing else.

    raykit-runs/<id>/record.json, driver.log, events.jsonl     one run
    raykit-runs/<id>/experiment.json                           one experiment

Reading trusts nothing: an archive may come from anybody. Each header is judged by itself, so that
links, devices, long-name records and names that lead elsewhere never get a meaning; sizes are
limited before anything is read, and the archive counts only when it is whole to its last byte.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from raykit.measure import run_ids
from raykit.measure.experiment.experiments import FILE
from raykit.measure.keeping.files import TRAVELS
from raykit.measure.records import EVENTS, LOG, RECORD

ROOT = "raykit-runs"
NAME = re.compile(rf"{ROOT}/({run_ids.PLAIN.pattern})/({'|'.join(map(re.escape, TRAVELS))})")
FOLDER = re.compile(rf"{ROOT}(/{run_ids.PLAIN.pattern})?/?")

BLOCK, CHUNK = 512, 1 << 20
LARGEST = {RECORD: 64 << 20, FILE: 64 << 20, LOG: 2 << 30, EVENTS: 1 << 30}
"""Bytes of one file. A record of the largest cluster that was measured has 100 kB."""
MOST_BYTES, MOST_FILES = 4 << 30, 200_000
MOST_PADDING = 1 << 20
SPECIAL = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}


class BadArchiveError(Exception):
    """This is no archive of runs, or not all of it; the text says why."""


class Writable(Protocol):
    """What an archive is written into."""

    def write(self, data: bytes, /) -> object: ...

    def flush(self) -> object: ...


@dataclass(frozen=True)
class File:
    """A file to be archived: all bytes that it has when its turn comes."""

    run: str
    name: str
    path: Path


@dataclass(frozen=True)
class Entry:
    """A file in an archive. chunks: its bytes, to be read before the next entry is asked for."""

    run: str
    name: str
    chunks: Iterator[bytes]


def write(out: Writable, files: Iterable[File]) -> None:
    """Write an archive. The same files give the same bytes.

    Errors: BadArchiveError for a file that `read` would refuse, or that changed meanwhile.
    """
    total = 0
    with gzip.GzipFile(fileobj=out, mode="wb", filename="", mtime=0) as zipped:
        for file in files:
            with _opened(file) as source:
                size = source.seek(0, io.SEEK_END)
                source.seek(0)
                total += size
                _check_size(file.name, size, total)
                zipped.write(_header(file, size))
                _copy(source, size, zipped, file)
        zipped.write(bytes(2 * BLOCK))


def _opened(file: File) -> BinaryIO:
    try:
        return file.path.open("rb")
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadArchiveError(f"{file.name} of {file.run} cannot be read: {reason}") from error


def read(stream: BinaryIO) -> Iterator[Entry]:
    """The files of an archive, in its order.

    Errors: BadArchiveError, at the latest at the end: nothing counts before that.
    """
    with gzip.GzipFile(fileobj=stream, mode="rb") as unzipped:
        seen: set[tuple[str, str]] = set()
        total = 0
        while (header := _next_header(unzipped)) is not None:
            if header.type == tarfile.DIRTYPE and FOLDER.fullmatch(header.name):
                continue
            run, name = _names(header)
            total += header.size
            _check_size(name, header.size, total)
            if (run, name) in seen or len(seen) >= MOST_FILES:
                raise BadArchiveError(f"{header.name} comes twice, or there are too many files")
            seen.add((run, name))
            chunks = _chunks(unzipped, header.size)
            yield Entry(run, name, chunks)
            for _ in chunks:
                pass
            _exactly(unzipped, -header.size % BLOCK)
        _check_end(unzipped)


def _header(file: File, size: int) -> bytes:
    info = tarfile.TarInfo(f"{ROOT}/{file.run}/{file.name}")
    info.size, info.mode = size, 0o644
    info.mtime = int(run_ids.started(file.run) or 0)
    return info.tobuf(tarfile.USTAR_FORMAT)


def _copy(source: BinaryIO, size: int, out: Writable, file: File) -> None:
    """So many bytes, filled up to a whole block. A log that grows meanwhile is cut there."""
    left = size
    while left:
        chunk = source.read(min(left, CHUNK))
        if not chunk:
            raise BadArchiveError(f"{file.name} of {file.run} got shorter while it was read")
        out.write(chunk)
        left -= len(chunk)
    out.write(bytes(-size % BLOCK))


def _next_header(unzipped: gzip.GzipFile) -> tarfile.TarInfo | None:
    """The next header; None at the first block of zeros, which begins the end."""
    block = _exactly(unzipped, BLOCK)
    if not block.strip(b"\0"):
        return None
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise BadArchiveError(f"a header of it is damaged: {error}") from error


def _names(header: tarfile.TarInfo) -> tuple[str, str]:
    """The run and the file that a header names."""
    if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        kind = SPECIAL.get(header.type, "something that `raykit runs export` never writes")
        raise BadArchiveError(f"{header.name[:200]} is {kind}")
    names = NAME.fullmatch(header.name)
    if names is None:
        raise BadArchiveError(f"{header.name[:200]} is no file of a run")
    return names[1], names[2]


def _check_size(name: str, size: int, total: int) -> None:
    if not 0 <= size <= LARGEST[name]:
        raise BadArchiveError(f"a {name} of {size} bytes; at most {LARGEST[name]} are taken")
    if total > MOST_BYTES:
        raise BadArchiveError(f"more than {MOST_BYTES >> 30} GiB in all; export fewer runs at once")


def _chunks(unzipped: gzip.GzipFile, size: int) -> Iterator[bytes]:
    while size:
        chunk = _some(unzipped, min(size, CHUNK))
        if not chunk:
            raise BadArchiveError("it is cut short")
        size -= len(chunk)
        yield chunk


def _exactly(unzipped: gzip.GzipFile, size: int) -> bytes:
    return b"".join(_chunks(unzipped, size))


def _check_end(unzipped: gzip.GzipFile) -> None:
    """The second block of zeros, and nothing but zeros up to the checksum at the very end."""
    padding, size = _exactly(unzipped, BLOCK), 0
    while not padding.strip(b"\0"):
        size += len(padding)
        padding = _some(unzipped, CHUNK)
        if not padding:
            return
        if size > MOST_PADDING:
            break
    raise BadArchiveError("something follows its end")


def _some(unzipped: gzip.GzipFile, most: int) -> bytes:
    """At most so many bytes; none at the end, whose checksum was right then."""
    try:
        return unzipped.read(most)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadArchiveError(f"it is damaged: {error}") from error
    except OSError as error:
        raise BadArchiveError(f"it cannot be read: {error.strerror or error}") from error
