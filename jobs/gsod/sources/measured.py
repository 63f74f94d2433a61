"""Measures how long the reader of an archive waits for its bytes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, Protocol

from jobs.gsod.reading.read_ahead import Stream


class Streamed(Protocol):
    """An archive whose bytes can be read into memory; a `pathlib.Path` is one."""

    @property
    def name(self) -> str: ...

    def open(
        self, mode: Literal["rb"], buffering: Literal[0], /
    ) -> AbstractContextManager[Stream]: ...


class Measured:
    """The same archive. waited: seconds in which its bytes did not come.

    A thread that reads ahead shortens the wait: only what the reader notices counts.
    """

    def __init__(self, archive: Streamed) -> None:
        self.name, self._archive = archive.name, archive
        self.waited = 0.0

    @contextmanager
    def open(self, *_: object) -> Iterator[Timed]:
        with self._archive.open("rb", 0) as stream:
            yield Timed(self, stream)


class Timed:
    """One reading of a measured archive."""

    def __init__(self, archive: Measured, stream: Stream) -> None:
        self._archive, self._stream = archive, stream

    def readinto(self, buffer: memoryview, /) -> int:
        began = time.perf_counter()
        size = self._stream.readinto(buffer)
        self._archive.waited += time.perf_counter() - began
        return size

    def read(self, size: int = -1, /) -> bytes:
        """So many bytes, fewer only at the end."""
        if size < 0:
            raise ValueError("an archive is never read as a whole")
        buffer, at = bytearray(size), 0
        with memoryview(buffer) as view:
            while at < size and (count := self.readinto(view[at:])):
                at += count
        return bytes(buffer[:at])
