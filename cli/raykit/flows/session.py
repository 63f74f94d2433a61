"""One job on one head: how it is submitted, followed and stopped, and the one way its run ends."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raykit.endpoint import Endpoint
from raykit.errors import INTERRUPTS, RaykitError, RecordError
from raykit.flows.steps import measuring
from raykit.flows.steps.arrival import Arrival
from raykit.flows.steps.measuring import Observation
from raykit.measure import outcome
from raykit.measure.records import NOT_SUBMITTED, UNFINISHED, RunRecord, RunsFolder
from raykit.progress import Progress
from raykit.redaction import redacted
from raykit.submission.following import Followed, UnknownJobError, follow
from raykit.submission.jobs_api import JobDetails, JobsApi
from raykit.submission.recording import Recording

TESTED_RAY = "2.60."

ASK_SECONDS = 20.0
"""How long a head is asked for a job whose submission got no answer."""

HURRY_SECONDS = 5.0
"""The same, and the longest wait for one answer, once the run is being ended."""

STOP_SECONDS, STOP_PENDING_SECONDS = 15.0, 2.0
"""Ray kills a driver 3 s after it asked it to end. It does not stop a PENDING job at all: such a
job is waited for only where its head stays."""

LOG_SECONDS = 15.0
"""How long the rest of a stopped job's log is read."""


@dataclass(frozen=True)
class Run:
    """How a submission went: its record and, unless all is well, the error that says so."""

    record: RunRecord
    error: RaykitError | None

    @property
    def exit_code(self) -> int:
        return self.error.exit_code if self.error else 0


@dataclass(frozen=True)
class Limits:
    """When a job is no longer followed, and what becomes of it then.

    follow: false where the job is submitted and left at once. timeout: seconds to follow, None
    without end. ends_with_head: the head ends with the run, and the job with it.
    stop_on_interrupt: an interrupt stops the job on any head.
    """

    follow: bool = True
    timeout: float | None = None
    ends_with_head: bool = False
    stop_on_interrupt: bool = False

    def stops(self, reason: BaseException) -> bool:
        """Whether the job must be stopped when this ends the following."""
        asked = self.stop_on_interrupt and isinstance(reason, INTERRUPTS)
        return self.ends_with_head or asked


def see_through(session: Session, begin: Callable[[], None], limits: Limits) -> Run:
    """Begin, follow, stop where it must be, measure, file: the order of every run.

    begin submits the job or takes up one that runs. Whatever ends the following (the job's end,
    the time-out, an interrupt, an error of the head, a bug) goes through the same steps. Each has
    a limit in time, and a second interrupt skips what is left of them but the filing.

    Errors: a bug is raised again after the record was filed; all else is the run's error.
    """
    reason: BaseException | None = None
    try:
        begin()
        if not limits.follow:
            return Run(session.record, None)
        session.follow(limits.timeout)
    except BaseException as broken_off:
        reason = broken_off
    try:
        if reason is not None:
            session.settle(stop=limits.stops(reason))
        if session.seen.ended:
            session.measure()
    except INTERRUPTS:
        session.record.notes.append("interrupted at its end: not all was read and measured")
    except Exception as bug:
        reason = bug
    run = session.file(session.error_of(reason, limits))
    if reason is not None and not isinstance(reason, (*INTERRUPTS, RaykitError, TimeoutError)):
        raise reason
    return run


def stop_and_wait(api: JobsApi, submission_id: str, seconds: float) -> JobDetails | None:
    """Stop a job and wait until it has ended; its last state, None where the head forgot it.

    Ray also says that it stopped a PENDING job, which then stays PENDING: only the status counts.
    """
    api.stop(submission_id)
    deadline = time.monotonic() + seconds
    while True:
        details = api.details(submission_id)
        if details is None or details.ended or time.monotonic() > deadline:
            return details
        time.sleep(0.1)


class Session:
    """Submits, follows, stops, measures and files one job; `see_through` has the order.

    arrival: whether the head has the job. stopped: whether Ray was asked to stop it.
    """

    def __init__(
        self,
        api: JobsApi,
        endpoint: Endpoint,
        record: RunRecord,
        runs: RunsFolder,
        progress: Progress,
    ) -> None:
        self.api, self.endpoint, self.record = api, endpoint, record
        self.runs, self.progress = runs, progress
        self.recording: Recording | None = None
        self.log_deadline: float | None = None
        self.seen = Observation(record.started)
        self.arrival = Arrival(api, record.submission_id)
        self.stopped = False

    def look(self) -> None:
        """Ask who answers; the record names the head and its Ray."""
        version = str(self.api.version()["ray_version"])
        self.record.versions["ray"] = version
        self.record.target |= dict(self.endpoint.target)
        if not version.startswith(TESTED_RAY):
            self.progress.note(
                f"the head runs Ray {version}; raykit is tested with Ray {TESTED_RAY}x"
            )

    def submit(self, payload: Mapping[str, Any]) -> None:
        """Hand the job to Ray exactly once: a lost reply is resolved by asking.

        Errors: ConflictError (8) where the id exists with another payload.
        """
        self.runs.write(self.record)
        self.seen.posted = time.time()
        with self.progress.step("submit", f"submit {self.record.submission_id}"):
            before = self.arrival.post(payload, ASK_SECONDS)
        self.seen.submitted = time.time()
        if before:
            self.progress.note(f"{self.record.submission_id} was submitted before: attaching")
            self.join(before)
        # Whoever attaches after a crash finds what was timed until here.
        self.record.phases = list(self.progress.phases)
        with contextlib.suppress(RecordError):  # a full disk is reported while following
            self.runs.write(self.record)

    def join(self, details: JobDetails) -> None:
        """Take up a job that was submitted before: its log may have begun unseen."""
        self.arrival.known = True
        self.seen.submitted, self.seen.posted = details.start_time or self.seen.submitted, None
        self.seen.joined_late = details.status != "PENDING"

    def follow(self, timeout: float | None = None) -> None:
        """Take the log and wait for the end.

        Errors: TimeoutError after `timeout` seconds; the job goes on.
        """
        if self.recording is None:
            self.recording = Recording(self.record, self.runs, self.progress.listener)
        else:
            self.recording.begin()
        deadline = None if timeout is None else time.monotonic() + timeout
        self.progress.listener.step_started(f"job {self.record.submission_id}")
        try:
            followed = follow(
                self.api,
                self.record.submission_id,
                self._take,
                on_status=self._note_status,
                restart=self.recording.begin,
                deadline=deadline,
            )
        except UnknownJobError:
            if self.seen.details is None:
                raise
            self._head_lost()
            return
        finally:
            self.recording.end()
        self._describe(followed)

    def settle(self, *, stop: bool) -> None:
        """Find out what became of a job that is no longer followed; stop it where it must be.

        A head that does not answer is no reason to wait: its job stays as it was last seen.
        """
        self.api.transport.limit_silence(HURRY_SECONDS)
        with contextlib.suppress(RaykitError):
            if self.arrival.known is None:
                self.arrival.find_out(HURRY_SECONDS)
            if stop and self.arrival.known and not self.seen.ended:
                self._stop()

    def measure(self) -> None:
        """Add task events and the job's phases to the record."""
        lines = self.last_lines()
        measuring.measure(self.api, self.record, self.seen, lines, self.progress)

    def error_of(self, reason: BaseException | None, limits: Limits) -> RaykitError | None:
        """The error of the run: of what ended the following, else of how the job ended."""
        if isinstance(reason, RaykitError):
            return reason
        if reason is not None and not isinstance(reason, (*INTERRUPTS, TimeoutError)):
            return RaykitError("a bug in raykit", evidence=[f"{type(reason).__name__}: {reason}"])
        fate = self._fate(limits)
        if reason is not None and fate != outcome.ENDED:
            self._describe_unended(fate)
            if isinstance(reason, TimeoutError):
                return outcome.timed_out(self.record, self._status, fate, limits.timeout or 0.0)
            return outcome.interrupted(self.record, self._status, fate)
        self.record.cause = self.record.cause or outcome.cause(self.record, self.last_lines())
        return outcome.judge(self.record, self.last_lines())

    def file(self, error: RaykitError | None) -> Run:
        """Write the record for the last time. An error of the run comes before one of the disk."""
        if self.recording and self.recording.failure and error is None:
            error = self.recording.failure
        if self.arrival.known is False:
            self.record.status = NOT_SUBMITTED
        self.record.exit_code = error.exit_code if error else 0
        self.record.ended = time.time()
        self.record.phases = list(self.progress.phases)
        try:
            self._write()
        except RaykitError as unwritten:
            error = error or unwritten
            self.record.exit_code = error.exit_code
        return Run(self.record, error)

    def last_lines(self) -> Sequence[str]:
        return self.recording.last_lines() if self.recording else ()

    def _stop(self) -> None:
        """Stop the job, wait until it has ended, and read the rest of its log."""
        self.stopped = True
        name = self.record.submission_id
        seconds = STOP_PENDING_SECONDS if self._status == "PENDING" else STOP_SECONDS
        with self.progress.step("stop", f"stop {name}"):
            details = stop_and_wait(self.api, name, seconds)
        if details is None or not details.ended:
            return
        self._note_status(details)
        self._take_status(details)
        self.log_deadline = time.monotonic() + LOG_SECONDS
        with contextlib.suppress(TimeoutError):
            self.follow(LOG_SECONDS)

    @property
    def _status(self) -> str:
        """Ray's last word on the job; a job that Ray never told us of has not started."""
        return self.seen.details.status if self.seen.details else "PENDING"

    def _fate(self, limits: Limits) -> str:
        """What became of the job, a word of `measure.outcome`."""
        if self.arrival.known is False:
            return outcome.NOT_SENT
        if self.seen.ended:
            by_us = self.stopped and self._status == "STOPPED"
            return outcome.STOPPED_BY_US if by_us else outcome.ENDED
        if limits.ends_with_head:
            return outcome.WITH_HEAD
        if self.arrival.known is None:
            return outcome.UNCERTAIN
        return outcome.NOT_STOPPED if self.stopped else outcome.GOES_ON

    def _describe_unended(self, fate: str) -> None:
        """What Ray said last of a job whose end raykit did not see."""
        if self.seen.details and not self.seen.ended:
            self._take_status(self.seen.details)
            self.record.status = UNFINISHED
        if fate == outcome.WITH_HEAD:
            self.record.status = "STOPPED"
            self.record.notes.append(f"it was {self._status} when its head was ended")

    def _take(self, chunk: bytes) -> None:
        assert self.recording is not None
        if self.log_deadline is not None and time.monotonic() > self.log_deadline:
            raise TimeoutError
        if self.seen.first_byte is None:
            self.seen.first_byte = time.time()
        self.recording.take(chunk)

    def _note_status(self, details: JobDetails) -> None:
        self.seen.note(details)
        self.progress.detail(details.status)

    def _describe(self, followed: Followed) -> None:
        """What the head says of the ended job, and how well its log was read."""
        self.record.log |= {"source": followed.log_source, "reconnects": followed.reconnects}
        if followed.shortfall:
            self.record.notes.append(followed.shortfall)
            self.progress.note(followed.shortfall)
        if followed.details:
            self._take_status(followed.details)

    def _take_status(self, details: JobDetails) -> None:
        self.record.status = details.status
        # Ray puts the log's last lines into its message, and with them what a job printed.
        self.record.message = outcome.shortened(redacted(details.message))
        self.record.error_type = details.error_type
        self.record.driver_exit_code = details.driver_exit_code

    def _head_lost(self) -> None:
        """A head that knew the job and no longer does was restarted: the driver ran there."""
        self.record.status, self.record.cause = "FAILED", outcome.HEAD_LOST
        self.record.log |= {"source": "partial"}
        self.seen.seen_end = time.time()

    def _write(self) -> None:
        """Write the record, and once more where an interrupt came in between."""
        try:
            self.runs.write(self.record)
        except INTERRUPTS:
            self.runs.write(self.record)
