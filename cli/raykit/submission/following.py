"""Following a job: its log line by line through any number of broken connections, and its end.

Two things run side by side. A thread reads the driver's log and hands on what is new. The caller's
thread polls the job's status, which alone decides that the job has ended. Then the log file is read
once more and compared, so that what was saved equals what the head holds.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from raykit.errors import JobsApiError, RaykitError
from raykit.submission.answers import BusyHeadError, LostConnectionError
from raykit.submission.jobs_api import JobDetails, JobsApi
from raykit.submission.log_tail import LogTail, Sink

FASTEST_POLL, SLOWEST_POLL = 0.03, 0.25
POLL_SHARE = 0.05
"""Between two questions passes this share of the time since the first: a short job's end is seen at
once, and a long one is not slowed by being asked after."""

PATIENCE_SECONDS = 300.0
LOST_SECONDS, PLACE_SECONDS = 0.5, 2.0
"""How often a head that does not answer is asked, and the place where it runs."""

FILE_SECONDS, BUSY_SECONDS = 60.0, 5.0
"""How long the log file is asked for after the job's end: where its connection keeps breaking, and
where the head has too much to do."""


class UnknownJobError(JobsApiError):
    """The head has no such job, or no longer: it ended or was started again, and the job failed."""


class DeletedClusterError(JobsApiError):
    """The whole cluster was deleted while its job was followed."""


@dataclass(frozen=True)
class Followed:
    """How following ended.

    details: the job's last known state, None where the head no longer knows it.
    log_source: `file` (byte for byte), `text` (Ray's lossy endpoint), or `partial` (the log could
    not be read to its end).
    reconnects: connections that broke; replaced: the saved log differed and was written anew;
    unread: why the log is not the file, None where it is, or where there was none.
    """

    details: JobDetails | None
    log_source: str
    reconnects: int
    replaced: bool = False
    unread: JobsApiError | None = None

    @property
    def shortfall(self) -> str | None:
        """What a reader of the log should know, where it is not what the head holds."""
        if self.unread is None:
            return None
        what = "may lack its end" if self.log_source == "partial" else "is Ray's text of it"
        return f"the log {what}, not the file byte for byte: {self.unread.what}"


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

    Errors: UnknownJobError where the head ended or forgot the job, DeletedClusterError where its
    cluster is gone, JobsApiError (6) where nothing answers for 300 s, or the head refuses.
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
        return _finish(api, last, submission_id, tail, sink, restart, deadline)
    finally:
        if tail:
            tail.close()


def _states(
    api: JobsApi, submission_id: str, deadline: float | None
) -> Iterator[JobDetails | None]:
    """The job's states, the last of them terminal; None while the head cannot be reached."""
    began = answered = time.monotonic()
    place = _Place(api, submission_id)
    while True:
        try:
            details = api.details(submission_id, once=True)
            answered = time.monotonic()
        except (LostConnectionError, BusyHeadError):
            if time.monotonic() - answered > PATIENCE_SECONDS:
                raise
            place.check()
            yield None
            _check(deadline)
            time.sleep(LOST_SECONDS)
            continue
        if details is None:
            place.check(now=True)
            raise UnknownJobError(
                f"the head does not know the job {submission_id}",
                evidence=["its history is gone: the head was restarted, or it is another head"],
                next="raykit ps lists the jobs that the head knows",
            )
        yield details
        if details.ended:
            return
        _check(deadline)
        share = POLL_SHARE * (time.monotonic() - began)
        time.sleep(min(max(FASTEST_POLL, share), SLOWEST_POLL))


class _Place:
    """Asks, now and then, whether the place where a head ran still has it."""

    def __init__(self, api: JobsApi, submission_id: str) -> None:
        self.ask = api.transport.endpoint.ended
        self.submission_id = submission_id
        self.due = 0.0

    def check(self, *, now: bool = False) -> None:
        """Errors: UnknownJobError, DeletedClusterError where the head will not answer again."""
        if self.ask is None or (time.monotonic() < self.due and not now):
            return
        ended = None
        with contextlib.suppress(RaykitError):
            ended = self.ask()
        self.due = time.monotonic() + PLACE_SECONDS
        if ended is None:
            return
        evidence = [ended.what, *ended.evidence]
        if ended.deleted:
            what = f"the cluster was deleted while the job {self.submission_id} was followed"
            raise DeletedClusterError(what, evidence=evidence, next=ended.next)
        what = f"the head of the job {self.submission_id} has ended, and the job with it"
        raise UnknownJobError(what, evidence=evidence, next=ended.next)


def _check(deadline: float | None) -> None:
    if _is_past(deadline):
        raise TimeoutError


def _is_past(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() > deadline


def _finish(
    api: JobsApi,
    details: JobDetails,
    submission_id: str,
    tail: LogTail | None,
    sink: Sink,
    restart: Callable[[], None],
    deadline: float | None,
) -> Followed:
    """Bring the saved log to equal the head's, and say how well that went."""
    reconnects = tail.reconnects if tail else 0
    if details.driver_node_id is None:
        return Followed(details, _take_text(api, submission_id, sink), reconnects)
    tail = tail or LogTail(api, details.driver_node_id, submission_id, sink)
    began = time.monotonic()
    while True:
        passed = time.monotonic() - began
        try:
            return Followed(details, "file", reconnects, _reconcile(tail, restart))
        except JobsApiError as error:
            unread = error
        reconnects += isinstance(unread, LostConnectionError)
        if passed > _patience(unread) or _is_past(deadline):
            break
        time.sleep(0.2)
    source = "partial" if tail.received else _take_text(api, submission_id, sink)
    return Followed(details, source, reconnects, unread=unread)


def _patience(error: JobsApiError) -> float:
    """How long to go on asking for the file after such an error."""
    if isinstance(error, LostConnectionError):
        return FILE_SECONDS
    return BUSY_SECONDS if isinstance(error, BusyHeadError) else 0.0


def _reconcile(tail: LogTail, restart: Callable[[], None]) -> bool:
    """Compare what was handed on with the file; hand on the rest, or all of it anew."""
    with tail.file() as chunks:
        if tail.take_new(chunks):
            return False
    restart()
    tail.forget()
    with tail.file() as chunks:
        tail.take_new(chunks)
    return True


def _take_text(api: JobsApi, submission_id: str, sink: Sink) -> str:
    """Ray's own log endpoint, where the file cannot be had."""
    try:
        sink(api.lossy_log(submission_id))
    except RaykitError:
        return "partial"
    return "text"
