"""Follows a job to its end and takes its whole log, through any number of broken connections.

A thread of its own reads the driver's log and hands on the new bytes. The caller's thread polls the
job's status; only the status says that the job has ended. Then the log file is read once more and
compared, so that the saved log equals the head's.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from raykit.errors import JobsApiError, RaykitError
from raykit.submission.answers import (
    BusyHeadError,
    LostConnectionError,
    RefusedByKubernetesError,
)
from raykit.submission.jobs_api import JobDetails, JobsApi
from raykit.submission.log_tail import LogTail, Sink

FASTEST_POLL, SLOWEST_POLL = 0.03, 0.25
POLL_SHARE = 0.05
"""The pause between two polls, as a share of the time since the first one: the end of a short job
is seen at once, and a long job is not slowed down by polling."""

PATIENCE_SECONDS = 300.0
RETRY_SECONDS, CLUSTER_SECONDS = 0.5, 2.0
"""The pauses between two requests to a head that does not answer, and between two looks at whether
its cluster still exists."""

RULES_SECONDS = 20.0
"""How long an API server may refuse what it allowed before. It does so after a start, until it has
read its RBAC rules."""

FILE_SECONDS, BUSY_SECONDS = 60.0, 5.0
"""How long after the job's end the log file is tried, if its connection keeps breaking, and if the
head is busy."""


class UnknownJobError(JobsApiError):
    """The head does not know the job; if it did before, the head was restarted and the job lost."""


class DeletedClusterError(JobsApiError):
    """The cluster was deleted while its job was followed."""


@dataclass(frozen=True)
class Followed:
    """How following ended.

    details: the job's last state; None if the head no longer knows the job.
    log_source: `file` (byte for byte), `text` (Ray's lossy endpoint), or `partial` (the log could
    not be read to its end).
    reconnects: connections that broke. replaced: the saved log differed and was replaced.
    unread: why the log file could not be read; None if it was read, or if there was none.
    """

    details: JobDetails | None
    log_source: str
    reconnects: int
    replaced: bool = False
    unread: JobsApiError | None = None

    @property
    def shortfall(self) -> str | None:
        """How the saved log differs from the log file of the head; None if it does not."""
        if self.unread is None:
            return None
        if self.log_source == "partial":
            return f"the log may be incomplete: {self.unread.what}"
        return f"the log is Ray's text of it, not the file byte for byte: {self.unread.what}"


def follow(
    api: JobsApi,
    submission_id: str,
    sink: Sink,
    *,
    on_status: Callable[[JobDetails], None] = lambda _: None,
    on_silence: Callable[[JobsApiError], None] = lambda _: None,
    restart: Callable[[], None] = lambda: None,
    deadline: float | None = None,
) -> Followed:
    """Follow one job to its end.

    sink: gets the log's bytes in order, each once. on_status: gets each answer about the status.
    on_silence: gets the error of each question that had no answer.
    restart: drops what the sink got, because the log on the head is another one; the sink then gets
    that log from its first byte. deadline: monotonic seconds.

    Errors: TimeoutError after the deadline; UnknownJobError (6) if the head has ended or does not
    know the job; DeletedClusterError (6) if its cluster is deleted; JobsApiError (6) if nothing
    answers for 300 s, or the head refuses.
    """
    tail: LogTail | None = None
    reached = True
    try:
        for details in _states(api, submission_id, deadline):
            if isinstance(details, JobsApiError):
                on_silence(details)
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
) -> Iterator[JobDetails | JobsApiError]:
    """The job's states, the last of them terminal; errors while the head does not answer."""
    began = time.monotonic()
    patience, cluster = _Patience(), _ClusterCheck(api, submission_id)
    while True:
        try:
            details = api.details(submission_id, once=True)
            patience = _Patience()
        except (LostConnectionError, BusyHeadError, RefusedByKubernetesError) as error:
            if patience.is_over(error):
                raise
            cluster.check()
            yield error
            _check(deadline)
            time.sleep(RETRY_SECONDS)
            continue
        if details is None:
            cluster.check(now=True)
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


class _Patience:
    """How long to go on without an answer, counted from the last one."""

    def __init__(self) -> None:
        self.silent_since = time.monotonic()
        self.refused_since: float | None = None

    def is_over(self, error: JobsApiError) -> bool:
        """Whether to give up after another request that failed."""
        now = time.monotonic()
        if not isinstance(error, RefusedByKubernetesError):
            self.refused_since = None
            return now - self.silent_since > PATIENCE_SECONDS
        if self.refused_since is None:
            self.refused_since = now
        return now - self.refused_since > RULES_SECONDS


class _ClusterCheck:
    """Checks every 2 s whether the cluster of a head that does not answer still has that head."""

    def __init__(self, api: JobsApi, submission_id: str) -> None:
        self.ask = api.transport.endpoint.ended
        self.submission_id = submission_id
        self.due = 0.0

    def check(self, *, now: bool = False) -> None:
        """Errors: UnknownJobError, DeletedClusterError if the head will not answer again."""
        if self.ask is None or (time.monotonic() < self.due and not now):
            return
        ended = None
        with contextlib.suppress(RaykitError):
            ended = self.ask()
        self.due = time.monotonic() + CLUSTER_SECONDS
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
    """Make the saved log equal to the head's, as far as the head lets us read it."""
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
    """Seconds to keep trying to read the file after such an error."""
    if isinstance(error, LostConnectionError):
        return FILE_SECONDS
    if isinstance(error, RefusedByKubernetesError):
        return RULES_SECONDS
    return BUSY_SECONDS if isinstance(error, BusyHeadError) else 0.0


def _reconcile(tail: LogTail, restart: Callable[[], None]) -> bool:
    """Hand on the rest of the log file, or all of it if it does not begin with the bytes so far.

    Returns whether it was all of it.
    """
    with tail.file() as chunks:
        if tail.take_new(chunks):
            return False
    restart()
    tail.start_over()
    with tail.file() as chunks:
        tail.take_new(chunks)
    return True


def _take_text(api: JobsApi, submission_id: str, sink: Sink) -> str:
    """Hand on the log of Ray's own endpoint, if the file cannot be read; return its source."""
    try:
        sink(api.lossy_log(submission_id))
    except RaykitError:
        return "partial"
    return "text"
