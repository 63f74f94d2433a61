"""The session of a RayJob: its cluster may end before raykit has seen the job's end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from raykit.errors import RaykitError
from raykit.flows.rayjobs.arrival import LOOK_SECONDS, RayJobArrival
from raykit.flows.session import Session
from raykit.flows.steps.measuring import Observation
from raykit.kuberay.rayjobs import submitted
from raykit.kuberay.rayjobs.rayjob import RayJob
from raykit.measure.keeping.record import UNFINISHED
from raykit.measure.outcome import shortened
from raykit.measure.records import RunRecord, RunsFolder
from raykit.progress import Progress
from raykit.redaction import redacted
from raykit.submission.following import DeletedClusterError
from raykit.submission.jobs_api import TERMINAL

DEADLINE = "DeadlineExceeded"
WORD_SECONDS = 5.0
"""How long to wait for KubeRay's word on a job whose cluster has ended."""


class RayJobSession(Session):
    """Follows the job of a RayJob; if its cluster ends, KubeRay's word counts.

    again: waits for the next head and submits the job once more, after Kueue took its place; None:
    the RayJob has no cluster of its own.
    """

    def __init__(
        self,
        arrival: RayJobArrival,
        record: RunRecord,
        runs: RunsFolder,
        progress: Progress,
        again: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(arrival, record, runs, progress)
        self.rayjob, self.again = arrival, again

    def follow(self, timeout: float | None = None) -> None:
        """As `Session.follow`; a job that Kueue preempted is followed again from its new start."""
        while True:
            try:
                super().follow(timeout)
                break
            except DeletedClusterError:
                job = self._word()
                if job is not None and job.has_ended:
                    take_word(self.record, job)
                    return
                if job is None or self.again is None:
                    raise
                self._start_again(job)
        self._explain_stop()

    def _word(self) -> RayJob | None:
        """The RayJob once KubeRay has noticed the end of its cluster; None if it is gone."""
        assert self.rayjob.job is not None
        deadline = time.monotonic() + WORD_SECONDS
        while True:
            job = submitted.read(self.rayjob.job)
            noticed = job is None or job.has_ended or job.waits_again
            if noticed or time.monotonic() > deadline:
                return job
            time.sleep(LOOK_SECONDS)

    def _start_again(self, job: RayJob) -> None:
        note = f"its cluster was taken away ({job.state}): KubeRay starts the job again"
        self.progress.note(note)
        self.record.notes.append(note)
        self.rayjob.head = self.rayjob.seen = None
        self.seen = Observation(time.time())
        if self.recording:
            self.recording.shown = 0  # the next start's output is another one
        assert self.again is not None
        self.again()

    def _explain_stop(self) -> None:
        """Say so in the record if KubeRay's deadline stopped the job."""
        if self.record.status != "STOPPED" or self.rayjob.job is None:
            return
        # The end of the job is known: an API server that does not answer now changes nothing.
        with contextlib.suppress(RaykitError):
            job = submitted.read(self.rayjob.job)
            if job is not None and job.status.get("reason") == DEADLINE:
                self.record.message = shortened(redacted(job.message))


def take_word(record: RunRecord, job: RayJob) -> None:
    """Put KubeRay's last word on a RayJob that has ended into the record."""
    status = str(job.status.get("jobStatus") or "")
    if status not in TERMINAL:
        status = "STOPPED" if job.status.get("reason") == DEADLINE else UNFINISHED
    record.status = status
    record.message = shortened(redacted(job.message))
    record.driver_exit_code = job.driver_exit_code
    record.notes.append(f"its cluster had ended; KubeRay says: {job.state}")
