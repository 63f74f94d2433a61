"""Reads ahead in a second thread, for tasks that have a second CPU."""

from __future__ import annotations

import sys
import threading
from queue import Queue
from typing import Protocol

PIECE_BYTES = 2**20
PIECES = 4
SWITCH_SECONDS = 0.0005
"""Python's switch interval while reading ahead. With the default, which is ten times as long, two
threads are slower than one."""


class Stream(Protocol):
    """Bytes to be read into the caller's memory."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer from its beginning; the number of bytes, 0 at the end."""
        ...


class Ahead:
    """The same bytes, read by a second thread while the caller works on earlier ones.

    Inflating and hashing release Python's global lock. An error is raised after all bytes before
    it. The context manager leaves no thread behind, even if the caller stops early.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._free: Queue[bytearray | None] = Queue()
        self._full: Queue[tuple[bytearray, int] | BaseException] = Queue()
        for _ in range(PIECES):
            self._free.put(bytearray(PIECE_BYTES))
        self._piece, self._at, self._size = bytearray(), 0, 0
        self._thread = threading.Thread(target=self._work, name="inflate", daemon=True)

    def __enter__(self) -> Ahead:
        self._thread.start()
        self._before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setswitchinterval(self._before)
        self._free.put(None)
        self._thread.join()

    def readinto(self, buffer: memoryview) -> int:
        if self._at == self._size:
            self._take()
        size = min(len(buffer), self._size - self._at)
        buffer[:size] = memoryview(self._piece)[self._at : self._at + size]
        self._at += size
        return size

    def _take(self) -> None:
        """Take the next piece, and give the one before back to be filled.

        An end or an error is put back, so that every further call gets it again.
        """
        if self._piece:
            self._free.put(self._piece)
        filled = self._full.get()
        if isinstance(filled, BaseException):
            self._full.put(filled)
            raise filled
        self._piece, self._size = filled
        self._at = 0
        if not self._size:
            self._full.put(filled)

    def _work(self) -> None:
        try:
            size = 1
            while size and (piece := self._free.get()) is not None:
                size = self._stream.readinto(memoryview(piece))
                self._full.put((piece, size))
        except BaseException as error:
            self._full.put(error)
