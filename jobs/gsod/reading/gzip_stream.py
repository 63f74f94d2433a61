"""Inflates a gzip file as a stream, with strict checks: header, CRC, length, end, size.

igzip (python-isal) inflates if it is installed, else the standard library; both get the same
checks here.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, NoReturn, Protocol

from jobs.gsod.archive import DataProblem
from jobs.gsod.reading.formats import BEGINNING, name_format
from jobs.gsod.reading.formats import GZIP as GZIP_BEGINS

codec: Any
try:
    codec = import_module("isal.igzip")
    codec_error: type[Exception] = import_module("isal.isal_zlib").error
except ImportError:
    codec, codec_error = gzip, zlib.error

CODEC_ERRORS = (gzip.BadGzipFile, EOFError, zlib.error, codec_error)

READ_BYTES = 256 * 2**10
GZIP = 31
"""Window bits that ask zlib for gzip's header and trailer too."""

LENGTH_BYTES = 4
"""A gzip member ends with its inflated length, modulo 2 to the power of 32."""


class Raw(Protocol):
    """Compressed bytes, from the first one on; a file opened without a buffer is such."""

    def read(self, size: int = -1, /) -> bytes: ...

    def readinto(self, buffer: memoryview, /) -> int: ...


class Archive(Protocol):
    """A year's archive, to be opened as often as needed; a `pathlib.Path` is one."""

    @property
    def name(self) -> str:
        """The name in messages, such as `2020.tar.gz`."""
        ...

    def open(
        self, mode: Literal["rb"], buffering: Literal[0], /
    ) -> AbstractContextManager[Raw]: ...


@dataclass(frozen=True)
class Limits:
    """Sizes that no year of GSOD exceeds, and that a decompression bomb does.

    total: inflated bytes; ratio: inflated to compressed bytes, judged from `ratio_from` bytes on.
    """

    total: int = 8 * 2**30
    ratio: int = 200
    ratio_from: int = 64 * 2**20


@dataclass
class Source:
    """Facts about an archive that is read; complete once its end is reached."""

    archive: Archive
    bytes: int = 0
    inflated: int = 0
    sha256: str = ""


class Inflated:
    """The inflated content of a file, to be read into the caller's memory; fills in `source`.

    Raises DataProblem for a file that is not gzip, is cut short, has a wrong checksum or length,
    has other bytes after its end, or inflates beyond the limits.
    """

    def __init__(self, source: Source, limits: Limits | None = None) -> None:
        self.source, self.limits = source, limits or Limits()
        self._problem: DataProblem | None = None
        with self._explained(), contextlib.ExitStack() as opened:
            raw = opened.enter_context(source.archive.open("rb", 0))
            self._compressed = _Compressed(raw, source, _checked_beginning(source, raw))
            stream = opened.enter_context(codec.open(self._compressed, "rb"))
            # The stream's own readinto copies from new memory; that of its buffer does not.
            self._stream = getattr(stream, "_buffer", stream)
            self._opened = opened.pop_all()

    def __enter__(self) -> Inflated:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer from its beginning; the number of bytes, 0 at the end.

        After a problem every further call raises it again.
        """
        if self._problem:
            raise self._problem
        try:
            with self._explained():
                size: int = self._stream.readinto(buffer)
                self._check_end() if not size else self._count(size)
        except DataProblem as problem:
            self._problem = problem
            raise
        return size

    def _check_end(self) -> None:
        whole = self._compressed.ends_with_length(self.source.inflated)
        if not whole and _more_follows(self.source.archive):
            _fail(self.source, "has other bytes after its end")
        self.source.sha256 = self._compressed.sha256.hexdigest()

    def _count(self, size: int) -> None:
        source, limits = self.source, self.limits
        source.inflated += size
        if source.inflated > limits.total:
            _fail(source, f"inflates to more than {limits.total:,} bytes: not a year of GSOD")
        if source.inflated > max(limits.ratio_from, limits.ratio * source.bytes):
            _fail(source, f"inflates to over {limits.ratio} times its size: not a year of GSOD")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the codec's errors (header, data, CRC, length) into DataProblem."""
        try:
            yield
        except CODEC_ERRORS as error:
            if _more_follows(self.source.archive):
                _fail(self.source, "has other bytes after its end")
            if isinstance(error, EOFError):
                _fail(self.source, "is cut short", "it ends inside the compressed data")
            _fail(self.source, "is corrupt", f"inflating: {error}")
        except OSError as error:
            raise DataProblem(f"{self.source.archive.name}: cannot be read", str(error)) from error


class _Compressed:
    """The compressed bytes as a codec reads them; counts and hashes them.

    beginning: bytes that were read before, and come first.
    """

    def __init__(self, raw: Raw, source: Source, beginning: bytes) -> None:
        self.raw, self.source = raw, source
        self.sha256 = hashlib.sha256()
        self._beginning, self._last = beginning, b""

    def read(self, size: int = -1) -> bytes:
        data = self._from_beginning(size) or self.raw.read(size)
        self._passed(data)
        return data

    def readinto(self, buffer: memoryview) -> int:
        if data := self._from_beginning(len(buffer)):
            buffer[: len(data)] = data
        size = len(data) or self.raw.readinto(buffer)
        self._passed(buffer[:size])
        return size

    def _from_beginning(self, size: int) -> bytes:
        size = len(self._beginning) if size < 0 else size
        data, self._beginning = self._beginning[:size], self._beginning[size:]
        return data

    def _passed(self, data: bytes | memoryview) -> None:
        self.sha256.update(data)
        self.source.bytes += len(data)
        self._last = (self._last + bytes(data[-LENGTH_BYTES:]))[-LENGTH_BYTES:]

    def ends_with_length(self, inflated: int) -> bool:
        """Whether the file ends with this length, as a file of one gzip member does."""
        length: int = inflated % 2 ** (8 * LENGTH_BYTES)
        return int.from_bytes(self._last, "little") == length


def _checked_beginning(source: Source, raw: Raw) -> bytes:
    """The first bytes, which a stream gives only once."""
    begins = raw.read(BEGINNING)
    if not begins:
        _fail(source, "is empty")
    if begins[: len(GZIP_BEGINS)] != GZIP_BEGINS[: len(begins)]:
        known = name_format(begins)
        hint = f"it looks like {known}" if known else ""
        _fail(source, "is not a gzip file", f"it begins with {begins[:60]!r}", hint)
    if len(begins) < len(GZIP_BEGINS):
        _fail(source, "is cut short", "it ends inside the first two bytes")
    return begins


def _more_follows(archive: Archive) -> bool:
    """Whether bytes that are no gzip member (zeros included) follow the last member.

    Codecs ignore zeros there, and report other bytes in different ways.
    """
    try:
        with archive.open("rb", 0) as raw:
            return _ends_in_other_bytes(raw)
    except (OSError, DataProblem):
        return False


def _ends_in_other_bytes(raw: Raw) -> bool:
    buffer = raw.read(READ_BYTES)
    while buffer[: len(GZIP_BEGINS)] == GZIP_BEGINS[: len(buffer)] != b"":
        member = zlib.decompressobj(GZIP)
        while not member.eof:
            try:
                member.decompress(buffer, READ_BYTES)
            except zlib.error:
                return False
            rest = member.unused_data if member.eof else member.unconsumed_tail
            buffer = rest or raw.read(READ_BYTES)
            if not buffer and not member.eof:
                return False
    return bool(buffer)


def _fail(source: Source, what: str, *evidence: str) -> NoReturn:
    raise DataProblem(f"{source.archive.name} {what}", *filter(None, evidence))
