"""One job on one head, from the first look at the head to the finished record."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raykit.endpoint import Endpoint
from raykit.errors import (
    ConflictError,
    InterruptedByUserError,
    JobTimeoutError,
    RaykitError,
    RecordError,
)
from raykit.measure import outcome, strip
from raykit.measure.job_phases import Marks, job_phases
from raykit.measure.records import RunRecord, RunsFolder
from raykit.progress import Progress
from raykit.redaction import redacted
from raykit.submission.following import Followed, UnknownJobError, follow
from raykit.submission.jobs_api import JobDetails, JobsApi
from raykit.submission.recording import Recording
from raykit.submission.transport import LostConnectionError

TESTED_RAY = "2.60."
LATE_EVENTS_SECONDS = 2.0
STOP_SECONDS = 15.0
NODE_SECONDS = 25.0
ASK_SECONDS = 20.0
PAYLOAD_KEY = "raykit-payload"
MESSAGE_START, MESSAGE_END = 2000, 4000
LIVE_STATES = frozenset({"RUNNING", "SUBMITTED_TO_WORKER", "PENDING_NODE_ASSIGNMENT"})


@dataclass(frozen=True)
class Run:
    """How a submission went: its record and, unless all is well, the error that says so."""

    record: RunRecord
    error: RaykitError | None

    @property
    def exit_code(self) -> int:
        return self.error.exit_code if self.error else 0


class Session:
    """Submits, follows, stops and records one job. Steps are public; their order is the flow's."""

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
        self.submitted = record.started
        self.first_byte: float | None = None
        self.joined_late = False
        self.seen_end: float | None = None
        self.details: JobDetails | None = None

    def look(self) -> None:
        """Ask who answers; the record names the head and its Ray."""
        version = self.api.version()["ray_version"]
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
        before: JobDetails | None = None
        with self.progress.step("submit", f"submit {self.record.submission_id}"):
            try:
                self.api.submit(payload)
            except LostConnectionError:
                if not self._arrived(payload):
                    raise
            except ConflictError:
                before = self.api.details(self.record.submission_id)
                if not self._same(before, payload):
                    raise
                self.progress.note(f"{self.record.submission_id} was submitted before: attaching")
        self.submitted = time.time()
        if before:
            self.join(before)
        # Whoever attaches after a crash finds what was timed until here.
        self.record.phases = list(self.progress.phases)
        with contextlib.suppress(RecordError):  # a full disk is told of while following
            self.runs.write(self.record)

    def join(self, details: JobDetails) -> None:
        """Take up a job that was submitted before: its log may have begun unseen."""
        self.submitted = details.start_time or self.submitted
        self.joined_late = details.status != "PENDING"

    def leave(self) -> Run:
        """Let the job go on by itself; its record can be completed by `raykit attach`."""
        return Run(self.record, None)

    def _arrived(self, payload: Mapping[str, Any]) -> bool:
        """Whether a submission whose reply was lost reached Ray."""
        deadline = time.monotonic() + ASK_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(LostConnectionError):
                details = self.api.details(self.record.submission_id)
                if details is not None:
                    return self._same(details, payload)
            time.sleep(0.5)
        return False

    def _same(self, details: JobDetails | None, payload: Mapping[str, Any]) -> bool:
        mark = payload["metadata"].get(PAYLOAD_KEY)
        return details is not None and details.metadata.get(PAYLOAD_KEY) == mark

    def follow(self, timeout: float | None = None) -> None:
        """Take the log and wait for the end.

        Errors: JobTimeoutError (22) after `timeout` seconds; the job goes on.
        """
        if self.recording is None:
            self.recording = Recording(self.record, self.runs, self.progress.listener)
        else:
            self.recording.begin()
        deadline = None if timeout is None else time.monotonic() + timeout
        title = f"job {self.record.submission_id}"
        self.progress.listener.step_started(title)
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
            if self.details is None:
                raise
            self._head_lost()
            return
        except TimeoutError:
            raise JobTimeoutError(
                f"the job {self.record.submission_id} still runs after {timeout:g} s",
                next=f"raykit attach {self.record.submission_id} follows it; "
                f"raykit stop {self.record.submission_id} ends it",
            ) from None
        finally:
            self.recording.end()
        self._file(followed)

    def stop(self) -> None:
        """Stop the job and wait until it has ended, within limits."""
        self.api.stop(self.record.submission_id)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            details = self.api.details(self.record.submission_id)
            if details is None or details.ended:
                return
            time.sleep(0.1)

    def measure(self) -> None:
        """Add task events and the job's phases to the record."""
        self.record.tasks = self._task_summary()
        if self.recording and outcome.undecided(self.record, self.recording.last_lines()):
            self._ask_for_lost_node()
        self.progress.phases += job_phases(
            Marks(
                submitted=self.submitted,
                start_line=(self.record.start or {}).get("time"),
                first_byte=None if self.joined_late else self.first_byte,
                first_task=self.record.tasks.get("first_start"),
                job_end=self.details.end_time if self.details else None,
                seen_end=self.seen_end,
            )
        )

    def finish(self, error: RaykitError | None = None) -> Run:
        """Judge the run and write its record for the last time."""
        if error is None:
            last_lines = self.recording.last_lines() if self.recording else ()
            self.record.cause = self.record.cause or outcome.cause(self.record, last_lines)
            error = outcome.judge(self.record, last_lines)
        if self.recording and self.recording.failure and error is None:
            error = self.recording.failure
        self.record.exit_code = error.exit_code if error else 0
        self.record.ended = time.time()
        self.record.phases = list(self.progress.phases)
        try:
            self.runs.write(self.record)
        except RaykitError as unwritten:
            error = error or unwritten
            self.record.exit_code = error.exit_code
        return Run(self.record, error)

    def ended_with_head(self, timeout: float | None) -> JobTimeoutError:
        """The error of a job that ran into its timeout on a head of its own."""
        return JobTimeoutError(
            f"the job {self.record.submission_id} still ran after {timeout:g} s: it was stopped",
            evidence=["its local head lives for the submission; the log is saved"],
            next="give it a longer --timeout, or keep a head: raykit up --on local",
        )

    def interrupted(self, *, stopped: bool) -> InterruptedByUserError:
        """The error of a run that the user broke off."""
        name = self.record.submission_id
        if stopped:
            return InterruptedByUserError(
                f"interrupted: the job {name} was stopped and its log saved",
                next=f"raykit runs show {self.record.id}",
            )
        return InterruptedByUserError(
            f"interrupted: the job {name} goes on",
            next=f"raykit attach {name} follows it; raykit stop {name} ends it",
        )

    def _take(self, chunk: bytes) -> None:
        assert self.recording is not None
        if self.first_byte is None:
            self.first_byte = time.time()
        self.recording.take(chunk)

    def _note_status(self, details: JobDetails) -> None:
        self.details = details
        if details.ended and self.seen_end is None:
            self.seen_end = time.time()
        self.progress.detail(details.status)

    def _file(self, followed: Followed) -> None:
        details = followed.details
        self.record.log |= {"source": followed.log_source, "reconnects": followed.reconnects}
        if followed.shortfall:
            self.record.notes.append(followed.shortfall)
            self.progress.note(followed.shortfall)
        if details:
            self.record.status = details.status
            # Ray puts the log's last lines into its message, and with them what a job printed.
            self.record.message = shortened(redacted(details.message))
            self.record.error_type = details.error_type
            self.record.driver_exit_code = details.driver_exit_code

    def _head_lost(self) -> None:
        """A head that knew the job and no longer does was restarted: the driver ran there."""
        self.record.status, self.record.cause = "FAILED", outcome.HEAD_LOST
        self.record.log |= {"source": "partial"}
        self.seen_end = time.time()

    def _ask_for_lost_node(self) -> None:
        """Wait for Ray to see that a node died: it does so only after 15 s without a heartbeat."""
        self.progress.note("an actor went silent: asking whether its Ray node died")
        began = (self.details.start_time if self.details else None) or self.submitted
        deadline = time.monotonic() + NODE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(LostConnectionError):
                for node in self.api.nodes():
                    if node["state"] == "DEAD" and (node.get("end_time_ms") or 0) / 1000 > began:
                        self.record.cause = outcome.NODE_LOST
                        said = node.get("state_message") or "no reason given"
                        self.record.notes.append(f"the Ray node {node['node_id']} died: {said}")
                        return
            time.sleep(0.5)

    def _task_summary(self) -> dict[str, Any]:
        """Ray's task events of the job; workers report theirs up to a second late."""
        try:
            job_id = self.details.job_id if self.details else None
            nodes = self.api.nodes()
            rows, dropped = self.api.tasks(job_id) if job_id else ([], 0)
            deadline = time.monotonic() + LATE_EVENTS_SECONDS
            while job_id and _incomplete(rows) and time.monotonic() < deadline:
                time.sleep(0.1)
                rows, dropped = self.api.tasks(job_id)
        except RaykitError as error:
            self.record.notes.append(f"Ray's task events could not be read: {error.what}")
            return {}
        return strip.summarise(rows, dropped, nodes, time.time())


def shortened(message: str) -> str:
    """A message without its middle: Ray's own words come first, those of pip and its like last."""
    if len(message) <= MESSAGE_START + MESSAGE_END:
        return message
    return f"{message[:MESSAGE_START]}\n…\n{message[-MESSAGE_END:]}"


def _incomplete(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether events of a job that has ended are still on their way."""
    return not rows or any(row["state"] in LIVE_STATES for row in rows)
