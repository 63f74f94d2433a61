"""A gzip file as a stream of inflated pieces, judged strictly: header, CRC, length, end, size.

igzip (python-isal) does the work where it is installed, zlib elsewhere; both are held to the same
checks here. Memory is a few pieces, whatever the size of the file.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from jobs.gsod_problem import DataProblem

codec: Any
try:
    codec = import_module("isal.isal_zlib")
except ImportError:
    codec = zlib

CODEC_ERRORS: tuple[type[Exception], ...] = (zlib.error, codec.error)
ENGINE = codec.__name__.rpartition(".")[2]
READ_BYTES = 256 * 2**10
PIECE_BYTES = 2**20
RAW_DEFLATE = -15
TRAILER_BYTES = 8
FHCRC, FEXTRA, FNAME, FCOMMENT = 2, 4, 8, 16


@dataclass(frozen=True)
class Limits:
    """What a year of GSOD never exceeds, but a decompression bomb does.

    total: inflated bytes; ratio: inflated to compressed bytes, judged from `ratio_from` bytes on.
    """

    total: int = 8 * 2**30
    ratio: int = 200
    ratio_from: int = 64 * 2**20


@dataclass
class Source:
    """What was read: known in full once the last piece has been taken."""

    path: Path
    bytes: int = 0
    inflated: int = 0
    sha256: str = ""
    _hash: Any = field(default_factory=hashlib.sha256, repr=False)


def pieces(source: Source, limits: Limits | None = None) -> Iterator[bytes]:
    """The inflated content, piece by piece; fills in `source`.

    Raises DataProblem for a file that is not gzip, is cut short, has a wrong checksum or length,
    has other bytes after its end, or inflates beyond the limits.
    """
    try:
        with source.path.open("rb") as file:
            yield from _Inflater(source, file, limits or Limits()).run()
    except OSError as error:
        raise DataProblem(f"{source.path.name}: cannot be read", str(error)) from error
    source.sha256 = source._hash.hexdigest()


class _Inflater:
    """One pass over one file."""

    def __init__(self, source: Source, file: IO[bytes], limits: Limits) -> None:
        self.source, self.file, self.limits = source, file, limits
        self.buffer = b""

    def run(self) -> Iterator[bytes]:
        if not self._fill(2):
            self._fail("is empty")
        while self.buffer or self._fill(1):
            self._header()
            yield from self._body()

    def _fill(self, count: int) -> bool:
        """Hold at least `count` unread bytes; false where the file ends before."""
        while len(self.buffer) < count:
            more = self.file.read(READ_BYTES)
            if not more:
                return False
            self.source.bytes += len(more)
            self.source._hash.update(more)
            self.buffer += more
        return True

    def _take(self, count: int) -> bytes:
        if not self._fill(count):
            self._fail("is cut short")
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def _header(self) -> None:
        first = self.source.inflated == 0
        if not self._fill(2) or self.buffer[:2] != b"\x1f\x8b":
            self._fail_not_gzip() if first else self._fail("has other bytes after its end")
        fixed = self._take(10)
        if fixed[2] != 8 or fixed[3] & 0xE0:
            self._fail("has a gzip header that no gzip program writes")
        flags = fixed[3]
        if flags & FEXTRA:
            self._take(int.from_bytes(self._take(2), "little"))
        for flag in (FNAME, FCOMMENT):
            while flags & flag and self._take(1) != b"\0":
                pass
        if flags & FHCRC:
            self._take(2)

    def _body(self) -> Iterator[bytes]:
        stream = codec.decompressobj(RAW_DEFLATE)
        crc, length = 0, 0
        while not stream.eof:
            pending = self.buffer or self._next_read()
            try:
                piece = stream.decompress(pending, PIECE_BYTES)
            except CODEC_ERRORS as error:
                self._fail("is corrupt", f"inflating: {error}")
            self.buffer = stream.unused_data if stream.eof else stream.unconsumed_tail
            crc, length = codec.crc32(piece, crc), length + len(piece)
            self._count(len(piece))
            if piece:
                yield piece
        trailer = self._take(TRAILER_BYTES)
        if int.from_bytes(trailer[:4], "little") != crc:
            self._fail("is corrupt", "its CRC does not match its content")
        if int.from_bytes(trailer[4:], "little") != length % 2**32:
            self._fail("is corrupt", "its length does not match its content")

    def _next_read(self) -> bytes:
        if not self._fill(1):
            self._fail("is cut short", "it ends inside the compressed data")
        return self.buffer

    def _count(self, count: int) -> None:
        source, limits = self.source, self.limits
        source.inflated += count
        if source.inflated > limits.total:
            self._fail(f"inflates to more than {limits.total:,} bytes: not a year of GSOD")
        if source.inflated > max(limits.ratio_from, limits.ratio * source.bytes):
            self._fail(f"inflates to over {limits.ratio} times its size: not a year of GSOD")

    def _fail_not_gzip(self) -> None:
        looks = bytes(self.buffer[:60])
        page = b"<html" in self.buffer[:1000].lower() or b"<!doctype" in self.buffer[:1000].lower()
        hint = "it looks like a web page saved under this name" if page else ""
        self._fail("is not a gzip file", f"it begins with {looks!r}", hint)

    def _fail(self, what: str, *evidence: str) -> None:
        raise DataProblem(f"{self.source.path.name} {what}", *filter(None, evidence))
