"""Following a job: its log line by line through any number of broken connections, and its end.

Two things run side by side. A thread reads the driver log's stream and hands on what is new: the
stream begins at the first byte each time, so the thread counts what it has seen and skips that.
The caller's thread polls the job's status, which alone decides that the job has ended. Then the
log file is read once more and compared, so that what was saved equals what the head holds.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx2

from raykit.errors import JobsApiError, RaykitError
from raykit.submission.jobs_api import JobDetails, JobsApi
from raykit.submission.transport import LostConnectionError

FAST_POLL, SLOW_POLL, FAST_SECONDS = 0.03, 0.25, 5.0
RECONNECT_SECONDS = (0.1, 0.3, 1.0, 2.0)
PATIENCE_SECONDS = 300.0
FILE_SECONDS = 60.0
"""How long the log file is asked for after the job's end, where its connection keeps breaking."""

Sink = Callable[[bytes], None]


class UnknownJobError(JobsApiError):
    """The head has no such job, or no longer."""


@dataclass(frozen=True)
class Followed:
    """How following ended.

    details: the job's last known state, None where the head no longer knows it.
    log_source: `file` (byte for byte), `text` (Ray's lossy endpoint), or `partial` (the head was
    gone before the log could be read to its end).
    reconnects: connections that broke; replaced: the saved log differed and was written anew.
    """

    details: JobDetails | None
    log_source: str
    reconnects: int
    replaced: bool = False


class LogTail(threading.Thread):
    """Hands the driver log's bytes to a sink, each once, until it is closed."""

    def __init__(self, api: JobsApi, node_id: str, submission_id: str, sink: Sink) -> None:
        super().__init__(name=f"log-{submission_id}", daemon=True)
        self.api, self.node_id, self.submission_id, self.sink = api, node_id, submission_id, sink
        self.received = 0
        self.digest = hashlib.sha256()
        self.reconnects = 0
        self.failure: BaseException | None = None
        self.closing = threading.Event()
        self.response: httpx2.Response | None = None

    def run(self) -> None:
        attempt = 0
        while not self.closing.is_set():
            before = self.received
            try:
                self._read_stream()
            except JobsApiError:
                self.reconnects += not self.closing.is_set()
            except Exception as error:  # handed to the thread that follows
                self.failure = error
                return
            attempt = 0 if self.received > before else attempt + 1
            self.closing.wait(RECONNECT_SECONDS[min(attempt, len(RECONNECT_SECONDS) - 1)])

    def close(self) -> None:
        """End the thread, also while it waits for the next byte."""
        self.closing.set()
        self.reconnect()
        self.join(5.0)

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

    def _read_stream(self) -> None:
        with self.api.log_stream(self.node_id, self.submission_id) as (response, chunks):
            self.response = response
            try:
                if self.closing.is_set():
                    return
                for chunk in after(chunks, self.received):
                    if self.closing.is_set():
                        return
                    self.take(chunk)
            finally:
                self.response = None


def after(chunks: Iterator[bytes], count: int) -> Iterator[bytes]:
    """The bytes of a stream but for its first `count`."""
    for chunk in chunks:
        if count >= len(chunk):
            count -= len(chunk)
        else:
            yield chunk[count:]
            count = 0


def follow(
    api: JobsApi,
    submission_id: str,
    sink: Sink,
    *,
    on_status: Callable[[JobDetails], None] = lambda _: None,
    restart: Callable[[], None] = lambda: None,
    deadline: float | None = None,
) -> Followed:
    """Follow one job to its end.

    sink gets the log's bytes, in order, each once. on_status is called whenever the status is
    another. restart must forget what the sink got: the log on the head turned out to be another,
    and comes again from its first byte. deadline (monotonic seconds) raises TimeoutError.

    Errors: JobsApiError (6) where the head does not answer for 300 s, or refuses.
    """
    tail: LogTail | None = None
    reached = True
    try:
        for details in _states(api, submission_id, deadline):
            if details is None:
                reached = False
                continue
            on_status(details)
            if tail and not reached:
                tail.reconnect()
            reached = True
            if details.driver_node_id and tail is None and not details.ended:
                tail = LogTail(api, details.driver_node_id, submission_id, sink)
                tail.start()
            if tail and tail.failure:
                raise tail.failure
            if details.ended:
                last = details
        if tail:
            tail.close()
        return _finish(api, last, submission_id, tail, sink, restart)
    finally:
        if tail:
            tail.close()


def _states(
    api: JobsApi, submission_id: str, deadline: float | None
) -> Iterator[JobDetails | None]:
    """The job's states, the last of them terminal; None while the head cannot be reached."""
    began = answered = time.monotonic()
    while True:
        try:
            details = api.details(submission_id, once=True)
            answered = time.monotonic()
        except LostConnectionError:
            if time.monotonic() - answered > PATIENCE_SECONDS:
                raise
            if api.transport.endpoint.gone and api.transport.endpoint.gone():
                raise UnknownJobError(
                    f"the head of the job {submission_id} has ended, and the job with it",
                    evidence=["its Ray processes on this machine are gone"],
                    next="run it again; a head killed for memory needs a smaller job",
                ) from None
            yield None
            _check(deadline)
            time.sleep(0.5)
            continue
        if details is None:
            raise UnknownJobError(
                f"the head does not know the job {submission_id}",
                evidence=["its history is gone: the head was restarted, or it is another head"],
                next="raykit ps lists the jobs that the head knows",
            )
        yield details
        if details.ended:
            return
        _check(deadline)
        young = time.monotonic() - began < FAST_SECONDS
        time.sleep(FAST_POLL if young else SLOW_POLL)


def _check(deadline: float | None) -> None:
    if deadline is not None and time.monotonic() > deadline:
        raise TimeoutError


def _finish(
    api: JobsApi,
    details: JobDetails,
    submission_id: str,
    tail: LogTail | None,
    sink: Sink,
    restart: Callable[[], None],
) -> Followed:
    """Bring the saved log to equal the head's, and say how well that went."""
    reconnects = tail.reconnects if tail else 0
    if details.driver_node_id is None:
        return Followed(details, _take_text(api, submission_id, sink), reconnects)
    tail = tail or LogTail(api, details.driver_node_id, submission_id, sink)
    deadline = time.monotonic() + FILE_SECONDS
    while time.monotonic() < deadline:
        try:
            replaced = _reconcile(api, tail, restart)
            return Followed(details, "file", reconnects, replaced)
        except LostConnectionError:
            reconnects += 1
            time.sleep(0.2)
        except JobsApiError:
            break
    if tail.received:
        return Followed(details, "partial", reconnects)
    return Followed(details, _take_text(api, submission_id, sink), reconnects)


def _reconcile(api: JobsApi, tail: LogTail, restart: Callable[[], None]) -> bool:
    """Compare what was handed on with the file; hand on the rest, or all of it anew."""
    seen, expected, left = hashlib.sha256(), tail.digest.digest(), tail.received
    with api.log_file(tail.node_id, tail.submission_id) as chunks:
        for chunk in chunks:
            known, new = chunk[:left], chunk[left:]
            seen.update(known)
            left -= len(known)
            if new and seen.digest() != expected:
                break
            if new:
                tail.take(new)
    if left == 0 and seen.digest() == expected:
        return False
    restart()
    tail.received, tail.digest = 0, hashlib.sha256()
    with api.log_file(tail.node_id, tail.submission_id) as chunks:
        for chunk in chunks:
            tail.take(chunk)
    return True


def _take_text(api: JobsApi, submission_id: str, sink: Sink) -> str:
    """Ray's own log endpoint, where the file cannot be had."""
    try:
        sink(api.lossy_log(submission_id))
    except RaykitError:
        return "partial"
    return "text"
