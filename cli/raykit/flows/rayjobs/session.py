"""The session of a RayJob: its cluster may end before raykit has seen the job's end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from raykit.errors import RaykitError, RecordError
from raykit.flows.keeping import from_cluster
from raykit.flows.rayjobs import last_word
from raykit.flows.rayjobs.arrival import LOOK_SECONDS, MovedError, RayJobArrival
from raykit.flows.rayjobs.last_word import DEADLINE, EndedJobError
from raykit.flows.session import Limits, Session
from raykit.flows.steps.measuring import Observation
from raykit.kuberay.rayjobs import submitted
from raykit.kuberay.rayjobs.rayjob import RayJob
from raykit.measure import outcome
from raykit.measure.records import RunRecord, RunsFolder
from raykit.progress import Progress
from raykit.redaction import redacted
from raykit.submission.following import DeletedClusterError
from raykit.submission.recording import Recording

WORD_SECONDS = 5.0
"""How long to wait for KubeRay's word on a job whose cluster has ended."""


class RayJobSession(Session):
    """Follows the job of a RayJob; if its cluster ends, KubeRay's word counts.

    again: waits for the next head and submits the job once more, after Kueue took its place; None:
    the RayJob has no cluster of its own. word: the RayJob as it ended, if its head could not be
    asked. log_is_whole: whether nothing that the job printed can be missing.
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
        arrival.on_made = self._keep_target
        self.word: RayJob | None = None
        self.log_is_whole = True

    def _keep_target(self) -> None:
        """Write which RayJob it is at once: `raykit stop` deletes no other one of its name."""
        self.record.target |= self.rayjob.target
        with contextlib.suppress(RecordError):  # `follow` reports a full disk
            self.runs.write(self.record)

    def start(self, begin: Callable[[], None]) -> None:
        """Submit the job, or join it: `begin` of `run_to_end`."""
        with self._last_word():
            self._until_it_stays(begin)

    def _until_it_stays(self, begin: Callable[[], None]) -> None:
        """Begin until the head has the job: again where its cluster is taken away meanwhile."""
        while True:
            try:
                begin()
                return
            except MovedError as moved:
                if self.again is None:
                    raise
                self._leave_head(moved.job)
                begin = self.again

    @contextlib.contextmanager
    def _last_word(self) -> Iterator[None]:
        """If the RayJob has ended with its head in this block, KubeRay's word is taken."""
        try:
            yield
        except EndedJobError as ended:
            self.word = ended.job
            self.end = ended.job.ended
            self.progress.note(f"{ended.what}: reading what is left of it")
            last_word.take(self.record, ended.job)
            self._take_log(ended.job)

    def follow(self, timeout: float | None = None) -> None:
        """As `Session.follow`; a job that Kueue preempted is followed again from its new start.

        timeout: of a job that was stopped; all else has the seconds that are left of `--timeout`.
        """
        with self._last_word():
            while self.word is None:
                try:
                    super().follow(timeout if self.stopped else self.rayjob.budget.left())
                    self._explain_stop()
                    return
                except DeletedClusterError:
                    job = self._look_for_end()
                    if job is not None and job.has_ended:
                        raise EndedJobError(job) from None
                    if job is None or self.again is None:
                        raise
                    self._leave_head(job)
                    self._until_it_stays(self.again)

    def settle(self, *, stop: bool) -> None:
        """As `Session.settle`; a RayJob that has ended is not stopped, and stays."""
        super().settle(stop=stop and self.word is None)

    def error_of(self, reason: BaseException | None, limits: Limits) -> RaykitError | None:
        """As `Session.error_of`; a result that is missing may be in the lost part of the log."""
        error = super().error_of(reason, limits)
        if self.record.cause == outcome.NO_RESULT and not self.log_is_whole:
            self.record.cause = error = None
        return error

    def _fate(self, limits: Limits) -> str:
        if self.word:
            return outcome.ENDED
        fate = super()._fate(limits)
        waits = self.rayjob.lacks_code and not self._kuberay_saw_it()
        return outcome.LACKS_CODE if fate == outcome.GOES_ON and waits else fate

    def _kuberay_saw_it(self) -> bool:
        """Whether KubeRay says that the head has the job; a suspended one has no head."""
        job = self.rayjob.job
        return job is not None and job.was_submitted and not job.is_suspended

    def _take_log(self, job: RayJob) -> None:
        """Keep and show the submitter's log, unless more of it came from the head."""
        log = last_word.log(self.record, job)
        self.log_is_whole = log is not None
        if self.recording is None:
            self.recording = Recording(self.record, self.runs, self.progress.listener)
        if log is not None and len(log) >= self.recording.size:
            from_cluster.keep(self.record, log, self.recording)
        else:
            self.record.log |= {"source": "partial"}

    def _look_for_end(self) -> RayJob | None:
        """The RayJob once KubeRay has noticed the end of its cluster; None if it is gone."""
        assert self.rayjob.job is not None
        deadline = time.monotonic() + WORD_SECONDS
        while True:
            job = submitted.read(self.rayjob.job)
            noticed = job is None or job.has_ended or job.waits_again
            if noticed or time.monotonic() > deadline:
                return job
            time.sleep(LOOK_SECONDS)

    def _leave_head(self, job: RayJob) -> None:
        note = f"its cluster was taken away ({job.state}): KubeRay starts the job again"
        self.progress.note(note)
        self.record.notes.append(note)
        self.rayjob.leave_head()
        self.seen = Observation(time.time())
        if self.recording:
            self.recording.shown = 0  # the next start's output is another one

    def _explain_stop(self) -> None:
        """Say so in the record if KubeRay's deadline stopped the job."""
        if self.record.status != "STOPPED" or self.rayjob.job is None:
            return
        # The end of the job is known: an API server that does not answer now changes nothing.
        with contextlib.suppress(RaykitError):
            job = submitted.read(self.rayjob.job)
            if job is not None and job.status.get("reason") == DEADLINE:
                self.record.message = outcome.shortened(redacted(job.message))
