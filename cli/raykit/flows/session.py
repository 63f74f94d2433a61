"""One job on one head: how raykit submits, follows and stops it, and how every run ends."""

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
from raykit.flows.steps.demand import Demand
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
"""How long to ask the head whether it has a job, if its submission got no answer."""

HURRY_SECONDS = 5.0
"""The same while the run is ending, and the longest wait for any answer then."""

STOP_SECONDS, STOP_PENDING_SECONDS = 15.0, 2.0
"""How long to wait for a stopped job. Ray kills a driver 3 s after it asked it to end; it does not
stop a PENDING job at all."""

LOG_SECONDS = 15.0
"""How long to read the rest of a stopped job's log."""


@dataclass(frozen=True)
class Run:
    """How a submission went: its record, and its error if it has one."""

    record: RunRecord
    error: RaykitError | None

    @property
    def exit_code(self) -> int:
        return self.error.exit_code if self.error else 0


@dataclass(frozen=True)
class Limits:
    """How long raykit follows a job, and whether it then stops the job.

    follow: False: submit the job and leave. timeout: seconds to follow; None: no limit.
    ends_with_head: the head ends with the run, and the job with it. stop_on_interrupt: an interrupt
    stops the job on any head.
    """

    follow: bool = True
    timeout: float | None = None
    ends_with_head: bool = False
    stop_on_interrupt: bool = False

    def stops(self, reason: BaseException) -> bool:
        """Whether to stop the job if this exception ended the following."""
        interrupted = self.stop_on_interrupt and isinstance(reason, INTERRUPTS)
        return self.ends_with_head or interrupted


def run_to_end(session: Session, begin: Callable[[], None], limits: Limits) -> Run:
    """Begin, follow, stop if need be, measure, file: the steps of every run, in this order.

    begin: submits the job, or joins one that runs. Whatever ends the following (the job's end, the
    time-out, an interrupt, an error of the head, a bug), the same steps come next. Each has a time
    limit. A second interrupt skips the remaining steps except filing.

    Errors: a bug is raised again after the record was filed; all other errors are the run's.
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


class Session:
    """Submits, follows, stops, measures and files one job; `run_to_end` calls the steps in order.

    seen: what raykit saw of the job. arrival: whether the head has the job. stopped: whether
    raykit began to stop it; stop_answered: whether the head then said in what state it is.
    end: when the run ended, if that was long ago; None: now.
    """

    def __init__(
        self, arrival: Arrival, record: RunRecord, runs: RunsFolder, progress: Progress
    ) -> None:
        self.arrival, self.record = arrival, record
        self.runs, self.progress = runs, progress
        self.recording: Recording | None = None
        self.log_deadline: float | None = None
        self.seen = Observation(record.started)
        self.demand = Demand(self._keep_note, self.progress.note)
        self.stopped = self.stop_answered = False
        self.end: float | None = None

    @property
    def api(self) -> JobsApi:
        return self.arrival.api

    def check_head(self, endpoint: Endpoint) -> None:
        """Ask the head for its version of Ray; put the version and the head into the record."""
        version = str(self.api.version()["ray_version"])
        self.record.versions["ray"] = version
        self.record.target |= dict(endpoint.target)
        if not version.startswith(TESTED_RAY):
            self.progress.note(
                f"the head runs Ray {version}; raykit is tested with Ray {TESTED_RAY}x"
            )

    def submit(self, payload: Mapping[str, Any]) -> None:
        """Submit the job exactly once; if the reply is lost, ask the head whether it has the job.

        Errors: ConflictError (8) if the id exists with another payload; JobsApiError (6).
        """
        self.runs.write(self.record)
        self.seen.posted = time.time()
        with self.progress.step("submit", f"submit {self.record.submission_id}"):
            before = self.arrival.post(payload, ASK_SECONDS)
        self.seen.submitted = time.time()
        if before:
            self.progress.note(f"{self.record.submission_id} was submitted before: attaching")
            self.join(before)
        # After a crash, `raykit attach` finds the phases so far in the record.
        self.record.phases = list(self.progress.phases)
        with contextlib.suppress(RecordError):  # `follow` reports a full disk
            self.runs.write(self.record)

    def join(self, details: JobDetails) -> None:
        """Continue with a job that was submitted before; its log may have begun already."""
        self.arrival.arrived = True
        self.seen.submitted, self.seen.posted = details.start_time or self.seen.submitted, None
        self.seen.joined_late = details.status != "PENDING"

    def follow(self, timeout: float | None = None) -> None:
        """Take the log and wait for the job's end.

        Errors: TimeoutError after `timeout` seconds, and the job goes on; as `following.follow`.
        """
        if self.recording is None:
            self.recording = Recording(self.record, self.runs, self.progress.listener)
        else:
            self.recording.begin()
        deadline = None if timeout is None else time.monotonic() + timeout
        self.progress.listener.deadline(deadline)
        self.progress.listener.step_started(f"job {self.record.submission_id}")
        try:
            followed = follow(
                self.api,
                self.record.submission_id,
                self._take,
                on_status=self._note_status,
                on_silence=self.demand.unanswered,
                restart=self.recording.begin,
                deadline=deadline,
            )
        except UnknownJobError:
            # Several heads may stand behind an address: then another one has the job.
            is_known_place = self.api.transport.endpoint.ended is not None
            if self.seen.details is None and not is_known_place:
                raise
            self.head_lost()
            return
        finally:
            self.recording.end()
        self._describe(followed)

    def settle(self, *, stop: bool) -> None:
        """Find out whether the head has a job that is no longer followed; with `stop`, stop it.

        If the head does not answer, the job's last known state stays.
        """
        with contextlib.suppress(RaykitError):
            self.api.transport.limit_silence(HURRY_SECONDS)
        with contextlib.suppress(RaykitError):
            if self.arrival.arrived is None:
                self.arrival.find_out(HURRY_SECONDS)
        with contextlib.suppress(RaykitError):
            stop = stop or self.arrival.needs_us
            if stop and self.arrival.arrived and not self.seen.ended:
                self._stop()

    def measure(self) -> None:
        """Add task events and the job's phases to the record."""
        lines = self.last_lines()
        measuring.measure(self.api, self.record, self.seen, lines, self.progress)

    def error_of(self, reason: BaseException | None, limits: Limits) -> RaykitError | None:
        """The error of the run: that which ended the following, else that of the job's end."""
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
        if self.arrival.arrived is False:
            self.record.status = NOT_SUBMITTED
            if error and not self.record.message:
                why = "\n".join([error.what, *error.evidence])
                self.record.message = outcome.shortened(redacted(why))
        self.record.exit_code = error.exit_code if error else 0
        self.record.ended = self.end or time.time()
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
            details = self.arrival.stop(seconds)
        if details is None:
            return
        self.stop_answered = True
        if not details.ended:
            self.seen.note(details)
            return
        self._note_status(details)
        self._take_status(details)
        self.log_deadline = time.monotonic() + LOG_SECONDS
        with contextlib.suppress(TimeoutError):
            self.follow(LOG_SECONDS)

    @property
    def _status(self) -> str:
        """The job's last known status in Ray's words; PENDING if Ray never answered."""
        return self.seen.details.status if self.seen.details else "PENDING"

    def _fate(self, limits: Limits) -> str:
        """What became of the job: one of the words of `measure.outcome`."""
        if self.arrival.arrived is False:
            return outcome.NOT_SENT
        if self.seen.ended:
            by_us = self.stopped and self._status == "STOPPED"
            return outcome.STOPPED_BY_US if by_us else outcome.ENDED
        if limits.ends_with_head:
            return outcome.WITH_HEAD
        if self.arrival.arrived is None:
            return outcome.UNCERTAIN
        if not self.arrival.stop_asked:
            return outcome.GOES_ON
        return outcome.NOT_STOPPED if self.stop_answered else outcome.STOP_UNKNOWN

    def _describe_unended(self, fate: str) -> None:
        """Record the last known state of a job whose end raykit did not see."""
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
        self.demand.heard()
        self.recording.take(chunk)

    def _keep_note(self, text: str) -> None:
        self.progress.note(text)
        self.record.notes.append(text)

    def _note_status(self, details: JobDetails) -> None:
        self.seen.note(details)
        self.demand.look(self.api, details)
        self.progress.detail(details.status)

    def _describe(self, followed: Followed) -> None:
        """Record how the job ended, and how completely its log was read."""
        self.record.log |= {"source": followed.log_source, "reconnects": followed.reconnects}
        if followed.shortfall:
            self._keep_note(followed.shortfall)
        if followed.details:
            self._take_status(followed.details)

    def _take_status(self, details: JobDetails) -> None:
        self.record.status = details.status
        # Ray's message ends with the log's last lines, which may hold secrets of the job.
        self.record.message = outcome.shortened(redacted(details.message))
        self.record.error_type = details.error_type
        self.record.driver_exit_code = details.driver_exit_code

    def head_lost(self) -> None:
        """Record that the head was lost: nobody can say any more how the driver ended."""
        self.record.status, self.record.cause = "FAILED", outcome.HEAD_LOST
        self.record.log |= {"source": "partial"}
        self.seen.seen_end = time.time()

    def _write(self) -> None:
        """Write the record, and again if an interrupt cut the writing short."""
        try:
            self.runs.write(self.record)
        except INTERRUPTS:
            self.runs.write(self.record)
