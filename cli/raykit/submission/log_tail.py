"""Reads the driver's log while it grows: every byte once, whatever connections break.

Ray always sends a log from its first byte: either the file as it is now, or a stream that never
ends. Ray notices that a stream's reader has left only when the log grows, so after the job's end it
never does. From the 100th such stream on, it refuses all requests for logs, tasks and nodes (HTTP
429, Ray 2.60). So a small log is read as a file again and again, until a budget of repeated bytes
is used up; then it is streamed. A new stream starts at the first byte too: the larger the log, the
longer the wait after a stream broke.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile

import httpx2

from raykit.errors import JobsApiError
from raykit.submission.answers import LostConnectionError
from raykit.submission.jobs_api import JobsApi

SMALL_BYTES, REPEATED_BYTES = 1 << 20, 16 << 20
"""The largest small log, which a head reads in milliseconds; and the budget of repeated bytes: 16
readings of a log of 1 MiB, or two hours of one of 1 KiB."""

RECONNECT_BYTES_PER_SECOND, LONGEST_WAIT_SECONDS = 32 << 20, 30.0
"""After a stream broke, the wait is the log's size by this rate, at most 30 s."""

READ_AGAIN_SECONDS = (0.1, 0.2, 0.3, 0.5)
RECONNECT_SECONDS = (0.1, 0.3, 1.0, 2.0)
JOIN_SECONDS = 5.0

Sink = Callable[[bytes], None]


class LogTail(threading.Thread):
    """Hands each byte of the driver log to a sink once, until it is closed.

    received: bytes handed on; digest: their SHA-256; repeated: bytes received again; reconnects:
    connections that broke; failure: the sink's exception, which ends the thread.
    """

    def __init__(self, api: JobsApi, node_id: str, submission_id: str, sink: Sink) -> None:
        super().__init__(name=f"log-{submission_id}", daemon=True)
        self.api, self.node_id, self.submission_id, self.sink = api, node_id, submission_id, sink
        self.received = 0
        self.digest = hashlib.sha256()
        self.repeated = self.reconnects = 0
        self.failure: BaseException | None = None
        self.handing_on = False
        self.closing = threading.Event()
        self.response: httpx2.Response | None = None

    def run(self) -> None:
        without_news = 0
        while not self.closing.is_set():
            before, pauses, shortest = self.received, READ_AGAIN_SECONDS, 0.0
            try:
                self._read()
            except JobsApiError as error:
                pauses = RECONNECT_SECONDS
                broken = isinstance(error, LostConnectionError)
                self.reconnects += broken and not self.closing.is_set()
                shortest = min(self.received / RECONNECT_BYTES_PER_SECOND, LONGEST_WAIT_SECONDS)
            except Exception as error:  # `follow` raises it in the caller's thread
                self.failure = error
                return
            without_news = 0 if self.received > before else without_news + 1
            self.closing.wait(max(pauses[min(without_news, len(pauses) - 1)], shortest))

    def close(self) -> None:
        """End the thread, also while it waits for the next byte.

        A sink that takes its time is waited for: nobody else may hand it bytes meanwhile.
        """
        self.closing.set()
        self.reconnect()
        while self.is_alive():
            self.join(JOIN_SECONDS)
            if not self.handing_on:
                return

    def reconnect(self) -> None:
        """Break the connection; a dead one that nobody noticed would stay silent for ever."""
        response = self.response
        if response is not None:
            stream = response.extensions.get("network_stream")
            raw = stream.get_extra_info("socket") if stream else None
            if raw is not None:
                with contextlib.suppress(OSError):
                    raw.shutdown(socket.SHUT_RDWR)

    def take(self, chunk: bytes) -> None:
        """Hand on the next bytes of the log."""
        self.received += len(chunk)
        self.digest.update(chunk)
        self.handing_on = True
        try:
            self.sink(chunk)
        finally:
            self.handing_on = False

    def take_new(self, chunks: Iterable[bytes]) -> bool:
        """Hand on what follows the bytes that were handed on before.

        chunks: the log from its first byte. Returns False, and hands on nothing, if the log does
        not begin with those bytes.
        """
        seen, left, checked = hashlib.sha256(), self.received, False
        for chunk in chunks:
            known, new = chunk[:left], chunk[left:]
            seen.update(known)
            left -= len(known)
            self.repeated += len(known)
            if not new:
                continue
            if not checked and seen.digest() != self.digest.digest():
                return False
            checked = True
            self.take(new)
        return checked or (not left and seen.digest() == self.digest.digest())

    def start_over(self) -> None:
        """Expect another log, from its first byte."""
        self.received, self.digest = 0, hashlib.sha256()

    def file(self) -> contextlib.AbstractContextManager[Iterator[bytes]]:
        """The log file as it is now, from its first byte."""
        return self.api.log_file(self.node_id, self.submission_id)

    def _read(self) -> None:
        """Take the new bytes: of a small log once, of a large one until its stream breaks."""
        if self.received < SMALL_BYTES and self.repeated < REPEATED_BYTES:
            with self.file() as chunks:
                self.take_new(self._until_closing(chunks))
            return
        with self.api.log_stream(self.node_id, self.submission_id) as (response, chunks):
            self.response = response
            try:
                self.take_new(self._until_closing(chunks))
            finally:
                self.response = None

    def _until_closing(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        return takewhile(lambda _: not self.closing.is_set(), chunks)
