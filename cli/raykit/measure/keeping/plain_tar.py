"""A gzipped tar that holds plain files under expected names, and nothing else.

Reading trusts nothing: an archive may come from anybody. Each header is judged by itself, so that
links, devices, long-name records and names that lead elsewhere never get a meaning; sizes are
limited before anything is read, and the archive counts only when it is whole to its last byte.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

BLOCK, CHUNK = 512, 1 << 20
MOST_PADDING = 1 << 20
SPECIAL = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}


class BadArchiveError(Exception):
    """This is no such archive, or not all of it; the text says why."""


class Writable(Protocol):
    """What an archive is written into."""

    def write(self, data: bytes, /) -> object: ...

    def flush(self) -> object: ...


@dataclass(frozen=True)
class Rules:
    """What an archive may hold.

    largest: the most bytes of a file of this name; None: there is no such file. is_folder: whether
    a folder may have this name. most_bytes, most_files: in all. kind: what a file is called in
    errors; writer: the command that writes such archives.
    """

    largest: Callable[[str], int | None]
    is_folder: Callable[[str], bool]
    most_bytes: int
    most_files: int
    kind: str
    writer: str


@dataclass(frozen=True)
class Source:
    """A file to be archived: all bytes that it has when its turn comes. mtime: Unix seconds."""

    name: str
    open: Callable[[], BinaryIO]
    mtime: int = 0


@dataclass(frozen=True)
class Entry:
    """A file in an archive. chunks: its bytes, to be read before the next entry is asked for."""

    name: str
    size: int
    chunks: Iterator[bytes]


def write(out: Writable, sources: Iterable[Source], rules: Rules) -> None:
    """Write an archive. The same files give the same bytes.

    Errors: BadArchiveError for a file that `read` would refuse, or that changed meanwhile.
    """
    total = 0
    with gzip.GzipFile(fileobj=out, mode="wb", filename="", mtime=0) as zipped:
        for source in sources:
            with source.open() as opened:
                size = opened.seek(0, io.SEEK_END)
                opened.seek(0)
                total += size
                _check_size(source.name, size, total, rules)
                zipped.write(_header(source, size))
                _copy(opened, size, zipped, source.name)
        zipped.write(bytes(2 * BLOCK))


def read(stream: BinaryIO, rules: Rules) -> Iterator[Entry]:
    """The files of an archive, in its order.

    Errors: BadArchiveError, at the latest at the end: nothing counts before that.
    """
    with gzip.GzipFile(fileobj=stream, mode="rb") as unzipped:
        seen: set[str] = set()
        total = 0
        while (header := _next_header(unzipped)) is not None:
            if header.type == tarfile.DIRTYPE and rules.is_folder(header.name):
                continue
            _check_header(header, rules)
            total += header.size
            _check_size(header.name, header.size, total, rules)
            if header.name in seen or len(seen) >= rules.most_files:
                raise BadArchiveError(f"{header.name} comes twice, or there are too many files")
            seen.add(header.name)
            chunks = _chunks(unzipped, header.size)
            yield Entry(header.name, header.size, chunks)
            for _ in chunks:
                pass
            _exactly(unzipped, -header.size % BLOCK)
        _check_end(unzipped)


def _header(source: Source, size: int) -> bytes:
    info = tarfile.TarInfo(source.name)
    info.size, info.mode, info.mtime = size, 0o644, source.mtime
    return info.tobuf(tarfile.USTAR_FORMAT)


def _copy(opened: BinaryIO, size: int, out: Writable, name: str) -> None:
    """So many bytes, filled up to a whole block. A log that grows meanwhile is cut there."""
    left = size
    while left:
        chunk = opened.read(min(left, CHUNK))
        if not chunk:
            raise BadArchiveError(f"{name} got shorter while it was read")
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


def _check_header(header: tarfile.TarInfo, rules: Rules) -> None:
    """Errors: BadArchiveError unless it is a plain file with an expected name."""
    if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        kind = SPECIAL.get(header.type, f"something that `{rules.writer}` never writes")
        raise BadArchiveError(f"{header.name[:200]} is {kind}")
    if rules.largest(header.name) is None:
        raise BadArchiveError(f"{header.name[:200]} is no {rules.kind}")


def _check_size(name: str, size: int, total: int, rules: Rules) -> None:
    largest = rules.largest(name)
    if largest is None or not 0 <= size <= largest:
        raise BadArchiveError(f"{name[:200]} has {size} bytes; at most {largest} are taken")
    if total > rules.most_bytes:
        raise BadArchiveError(f"more than {rules.most_bytes >> 20:,} MiB in all")


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
