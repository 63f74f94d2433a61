"""A gzip file as a stream of inflated pieces, judged strictly: header, CRC, length, end, size.

igzip (python-isal) does the work where it is installed, zlib elsewhere; both are held to the same
checks here. Memory is a few pieces, whatever the size of the file.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
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
PIECE_BYTES = 512 * 2**10
GZIP = 31
"""Window bits that ask a codec for gzip's header and trailer too."""

MAGIC = b"\x1f\x8b"


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


def pieces(source: Source, limits: Limits | None = None) -> Iterator[bytes]:
    """The inflated content, piece by piece; fills in `source`.

    Raises DataProblem for a file that is not gzip, is cut short, has a wrong checksum or length,
    has other bytes after its end, or inflates beyond the limits.
    """
    try:
        with source.path.open("rb") as file:
            inflater = _Inflater(source, file, limits or Limits())
            yield from inflater.run()
    except OSError as error:
        raise DataProblem(f"{source.path.name}: cannot be read", str(error)) from error
    source.sha256 = inflater.sha256()


class _Inflater:
    """One pass over one file."""

    def __init__(self, source: Source, file: IO[bytes], limits: Limits) -> None:
        self.source, self.file, self.limits = source, file, limits
        self.buffer = b""
        self._hash = hashlib.sha256()

    def run(self) -> Iterator[bytes]:
        self._read()
        if not self.buffer:
            self._fail("is empty")
        if self.buffer[:2] != MAGIC[: len(self.buffer)]:
            self._fail_not_gzip()
        while self.buffer:
            yield from self._member()
            self._read()
            if self.buffer and self.buffer[:2] != MAGIC[: len(self.buffer)]:
                self._fail("has other bytes after its end")

    def _read(self) -> None:
        """Hold some unread bytes, if there are any left."""
        if self.buffer:
            return
        self.buffer = self.file.read(READ_BYTES)
        self.source.bytes += len(self.buffer)
        self._hash.update(self.buffer)

    def _member(self) -> Iterator[bytes]:
        """One gzip member; the codec checks its header, CRC and length."""
        stream = codec.decompressobj(GZIP)
        while not stream.eof:
            self._read()
            at_end = not self.buffer
            try:
                piece = stream.decompress(self.buffer, PIECE_BYTES)
            except CODEC_ERRORS as error:
                self._fail("is corrupt", f"inflating: {error}")
            self.buffer = stream.unused_data if stream.eof else stream.unconsumed_tail
            if piece:
                self._count(len(piece))
                yield piece
            elif at_end and not stream.eof:
                self._fail("is cut short", "it ends inside the compressed data")

    def sha256(self) -> str:
        """Of the compressed bytes."""
        return self._hash.hexdigest()

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
