"""The driver's log while it grows: every byte once, through any number of broken connections.

Ray sends a log from its first byte, as the file that it is now or as a stream that never ends. That
a stream's reader has left it notices only when the log grows again, after the job's end never. With
the 100th such stream it refuses every request for logs, tasks and nodes (HTTP 429, Ray 2.60).
So a small log is read again and again, until the bytes that came more than once have used up a
budget; then it is streamed. A stream that broke begins at the first byte too: the larger the log,
the longer the wait before the next one.
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
"""A log is small up to here, where reading it takes a head some milliseconds; and the budget: 16
readings of a log of 1 MiB, or two hours of one of 1 KiB."""

RECONNECT_BYTES_PER_SECOND, LONGEST_WAIT_SECONDS = 32 << 20, 30.0
"""After a stream broke, time passes as if its bytes came again at this rate."""

READ_AGAIN_SECONDS = (0.1, 0.2, 0.3, 0.5)
RECONNECT_SECONDS = (0.1, 0.3, 1.0, 2.0)
JOIN_SECONDS = 5.0

Sink = Callable[[bytes], None]


class LogTail(threading.Thread):
    """Hands the driver log's bytes to a sink, each once, until it is closed.

    received: how many; digest: their SHA-256; repeated: bytes that came once more; reconnects:
    connections that broke; failure: what the sink raised, which ends the thread.
    """

    def __init__(self, api: JobsApi, node_id: str, submission_id: str, sink: Sink) -> None:
        super().__init__(name=f"log-{submission_id}", daemon=True)
        self.api, self.node_id, self.submission_id, self.sink = api, node_id, submission_id, sink
        self.received = 0
        self.digest = hashlib.sha256()
        self.repeated = self.reconnects = 0
        self.failure: BaseException | None = None
        self.closing = threading.Event()
        self.response: httpx2.Response | None = None

    def run(self) -> None:
        in_vain = 0
        while not self.closing.is_set():
            before, pauses, shortest = self.received, READ_AGAIN_SECONDS, 0.0
            try:
                self._read()
            except JobsApiError as error:
                pauses = RECONNECT_SECONDS
                broken = isinstance(error, LostConnectionError)
                self.reconnects += broken and not self.closing.is_set()
                shortest = min(self.received / RECONNECT_BYTES_PER_SECOND, LONGEST_WAIT_SECONDS)
            except Exception as error:  # handed to the thread that follows
                self.failure = error
                return
            in_vain = 0 if self.received > before else in_vain + 1
            self.closing.wait(max(pauses[min(in_vain, len(pauses) - 1)], shortest))

    def close(self) -> None:
        """End the thread, also while it waits for the next byte."""
        self.closing.set()
        self.reconnect()
        if self.is_alive():
            self.join(JOIN_SECONDS)

    def reconnect(self) -> None:
        """Break the connection: one that died unnoticed would stay silent without end."""
        response = self.response
        if response is not None:
            stream = response.extensions.get("network_stream")
            raw = stream.get_extra_info("socket") if stream else None
            if raw is not None:
                with contextlib.suppress(OSError):
                    raw.shutdown(socket.SHUT_RDWR)

    def take(self, chunk: bytes) -> None:
        """Hand on bytes that come next in the log."""
        self.received += len(chunk)
        self.digest.update(chunk)
        self.sink(chunk)

    def take_new(self, chunks: Iterable[bytes]) -> bool:
        """Hand on what a log has behind the bytes that were handed on before.

        False where it does not begin with those: then nothing is handed on.
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

    def forget(self) -> None:
        """Begin again: the log turned out to be another."""
        self.received, self.digest = 0, hashlib.sha256()

    def file(self) -> contextlib.AbstractContextManager[Iterator[bytes]]:
        """The log as it is now, from its first byte."""
        return self.api.log_file(self.node_id, self.submission_id)

    def _read(self) -> None:
        """Take what is new, once as the file is now or as long as the stream lasts."""
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
