"""The ends of logs, cut between lines: a part of a line may hold a part of a secret."""

from __future__ import annotations

from collections import deque

MOST_LOG, MOST_LINES = 1 << 20, 10_000
"""Bytes and lines that are kept of one log: its last ones."""


class Tail:
    """The last bytes of a stream, from the beginning of a line on."""

    def __init__(self, most: int = MOST_LOG) -> None:
        self.most = most
        self.total = 0
        self._chunks: deque[bytes] = deque()
        self._size = 0

    def add(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self.total += len(chunk)
        self._size += len(chunk)
        while self._size - len(self._chunks[0]) > self.most:
            self._size -= len(self._chunks.popleft())

    @property
    def is_cut(self) -> bool:
        return self.total > self.most

    def data(self) -> bytes:
        """What is kept. A first line without its beginning is left out: it may cut a secret."""
        kept = b"".join(self._chunks)
        if not self.is_cut:
            return kept
        _, _, whole = kept[-self.most :].partition(b"\n")
        return whole


def whole_lines(data: bytes) -> bytes:
    """The data without a last line that is cut: a part of a secret is not known as one."""
    return data[: data.rfind(b"\n") + 1]
