"""A submission that KubeRay carries out: a RayJob, and the wait until the head has its job."""

from __future__ import annotations

import contextlib
import math
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from raykit.endpoint import Endpoint
from raykit.errors import ConflictError, JobsApiError, KubernetesError, RaykitError
from raykit.flows.rayjobs.budget import Budget
from raykit.flows.rayjobs.code import Code
from raykit.flows.rayjobs.last_word import EndedJobError
from raykit.flows.steps.arrival import PAYLOAD_KEY, Arrival
from raykit.kube.connection import Kubernetes
from raykit.kuberay import raycluster, waiting
from raykit.kuberay.explaining.scene import AT_ONCE
from raykit.kuberay.finding import Finding
from raykit.kuberay.machines import MachinesReader
from raykit.kuberay.pods import head_is_ready
from raykit.kuberay.raycluster import Cluster
from raykit.kuberay.rayjobs import ended, submitted
from raykit.kuberay.rayjobs.rayjob import JOB_NAME_LABEL, RayJob
from raykit.kuberay.reach import reach
from raykit.kuberay.waiting import Look, Watched
from raykit.objects import Object
from raykit.progress import Progress
from raykit.submission.answers import BusyHeadError, LostConnectionError, RefusedByKubernetesError
from raykit.submission.jobs_api import TERMINAL, JobDetails, JobsApi
from raykit.submission.transport import Transport
from raykit.submission.uploads import Packed

LOOK_SECONDS = 0.5
"""The longest pause between two questions whether the head has the job: no watch shows that."""

NO_ANSWER = (LostConnectionError, BusyHeadError, RefusedByKubernetesError)

DELETED = Look(
    False,
    [Finding("deleted", "somebody deleted it", next="submit it again", patience=AT_ONCE)],
)


class MovedError(JobsApiError):
    """A RayJob's own cluster was taken away before its job got there. job: the RayJob."""

    def __init__(self, job: RayJob) -> None:
        super().__init__(f"the cluster of the RayJob {job.name} was taken away ({job.state})")
        self.job = job


class RayJobArrival(Arrival):
    """The submission of a RayJob.

    api: the head, which has the job's code; None: the RayJob's own cluster has no head yet.
    timeout: seconds for everything but queues, until the job's end. packed: the job's code.
    arrived: True as soon as the API server holds the RayJob: the job then goes on without raykit,
    unless raykit still has to upload its code (`needs_us`). is_ours: whether this very run made
    the RayJob: one of another raykit with the same id is followed, and never deleted. on_made:
    called when the RayJob is there. waits_for: what it waited for last.
    is_unknown: whether the head answered last that it does not know the job. lacks_code: whether
    the job may wait for code that only `raykit attach` on this machine uploads.
    """

    def __init__(
        self,
        connection: Kubernetes,
        item: Object,
        progress: Progress,
        *,
        api: JobsApi | None = None,
        timeout: float | None = None,
        packed: Packed | None = None,
    ) -> None:
        super().__init__(api, item["spec"]["jobId"])
        self.connection, self.item, self.progress = connection, item, progress
        self.budget, self.code = Budget(timeout), Code(packed, progress)
        self.needs_us = api is None and bool(self.code)
        self.lacks_code = False
        self.job: RayJob | None = None
        self.is_ours = False
        self.on_made: Callable[[], None] = lambda: None
        self.seen: JobDetails | None = None
        self.is_unknown = False
        self.cluster: Cluster | None = None
        self.waits_for = ""
        self.machines, self.began = MachinesReader(connection), time.time()

    @classmethod
    def of(cls, job: RayJob, progress: Progress, timeout: float | None) -> RayJobArrival:
        """The submission of a RayJob that is there; an error does not withdraw it."""
        arrival = cls(job.connection, job.item, progress, timeout=timeout)
        arrival.job, arrival.arrived = job, True
        return arrival

    @property
    def name(self) -> str:
        return str(self.item["metadata"]["name"])

    @property
    def target(self) -> dict[str, str]:
        """What a run's record keeps of the RayJob; its uid once it is known."""
        return {
            "kind": "kubernetes",
            "context": self.connection.context,
            "namespace": str(self.item["metadata"]["namespace"]),
            "rayjob": self.name,
            **({"rayjob_uid": self.job.uid} if self.job else {}),
        }

    def create(self) -> RayJob:
        """Create the RayJob, once. Errors: as `submitted.create`."""
        if self.job is None:
            self.arrived = None
            try:
                self._take(*submitted.create(self.connection, self.item))
            except KubernetesError:
                # Its answer may be lost, and the RayJob there.
                if not self.find_out(0):
                    raise
            except RaykitError:
                self.arrived = False
                raise
        assert self.job is not None
        return self.job

    def find_out(self, seconds: float) -> bool:  # noqa: ARG002
        """Ask the API server whether it holds the RayJob; set and return `arrived`."""
        found = submitted.find(self.connection, self.item)
        if found is None:
            self.arrived = False
        else:
            self._take(*found)
        return bool(self.arrived)

    def _take(self, job: RayJob, is_ours: bool) -> None:
        self.job, self.is_ours, self.arrived = job, is_ours, True
        self.on_made()
        if not is_ours:
            self.needs_us = False
            self.progress.note(f"another raykit made the RayJob {self.name}: following it")

    def reach_head(self, way: contextlib.ExitStack) -> tuple[Endpoint, Cluster]:
        """Wait until the head of the RayJob's own cluster is ready, and open a way to it.

        way: what it holds, such as a port-forward to the head of an earlier start, is closed.
        Errors: KubernetesError (5) with the reason, and the RayJob is withdrawn; EndedJobError if
        its job has ended already.
        """
        way.close()
        with self._withdrawn_on_error():
            with self.progress.step("head-ready", f"Ray head of RayJob {self.name}"):
                self._wait(self._look_at_head)
            cluster = self.cluster
            assert cluster is not None
            with self.progress.step("reach", f"Ray head of {cluster.where}"):
                endpoint = way.enter_context(reach(cluster, self.progress))
        transport = way.enter_context(Transport(endpoint))
        self.head = JobsApi(transport)
        return endpoint, cluster

    def upload(self) -> None:
        """Upload what the head lacks of the job's code. Errors: JobsApiError (6)."""
        self.code.send(self.api.transport)
        self.needs_us = self.lacks_code = False

    def has_job(self) -> bool:
        """Whether the head has the job; False also if it does not answer now."""
        return self._details() is not None

    def leave_head(self) -> None:
        """Forget a head that was taken away: the next one lacks the job and its code."""
        self.head = self.seen = self.cluster = None
        self.needs_us = bool(self.code) and self.is_ours

    def post(self, payload: Mapping[str, Any], seconds: float) -> JobDetails | None:  # noqa: ARG002
        """Create the RayJob, and wait until its submitter has submitted the job.

        Returns the job's details if it was submitted before. seconds: unused; the wait ends with
        the job's arrival, a final reason, or the time-out.

        Errors: ConflictError (8) if the head has another job of that id; KubernetesError (5) if the
        RayJob cannot get there, and it is withdrawn; EndedJobError if the job has ended with its
        head; MovedError if its cluster was taken away; TimeoutError.
        """
        self.payload_hash = payload["metadata"].get(PAYLOAD_KEY)
        before = self._details()
        if before is not None and not self._is_ours(before):
            raise ConflictError(
                f"submission id {self.submission_id} exists already",
                next=f"raykit attach {self.submission_id}",
            )
        self.create()
        self.seen = before
        if before is None:
            self.wait()
        return before

    def wait(self) -> JobDetails:
        """Wait until the head has the job; return its details.

        Errors: as `post`.
        """
        with self._withdrawn_on_error():
            self._wait(self._look_at_job)
        assert self.seen is not None
        return self.seen

    def stop(self, seconds: float) -> JobDetails | None:
        """Stop the job; delete the RayJob if the head does not have its job yet.

        A head that had the job and does not answer now is asked again, as any head is. The RayJob
        of another run stays.
        """
        has_arrived = self.head is not None and self.seen is not None
        with contextlib.suppress(RaykitError):
            has_arrived = has_arrived or self._details() is not None
        if has_arrived:
            return super().stop(seconds)
        if self.is_ours:
            self.withdraw()
        return None

    def withdraw(self) -> None:
        """Delete the RayJob: nothing of it runs later."""
        if self.job is not None:
            self.stop_asked = True
            submitted.withdraw(self.job)
        self.arrived = False

    @contextlib.contextmanager
    def _withdrawn_on_error(self) -> Iterator[None]:
        """Delete the RayJob if it cannot get to its head: it must not run after a failure."""
        try:
            yield
        except (EndedJobError, MovedError):
            raise
        except RaykitError:
            if self.is_ours:
                with contextlib.suppress(RaykitError):
                    self.withdraw()
            raise

    def _wait(self, look: Callable[[], Look]) -> None:
        watches = (
            Watched("RayJob", fields={"metadata.name": self.name}),
            Watched("Pod", labels={JOB_NAME_LABEL: self.name}),
        )
        namespace = self.item["metadata"]["namespace"]
        left = self.budget.left()
        with waiting.watched(self.connection, namespace, *watches) as wake:
            queued = waiting.until(
                look,
                what=f"the RayJob {self.name}",
                timeout=math.inf if left is None else left,
                progress=self.progress,
                next=shlex.join(["raykit", "status", "--context", self.connection.context]),
                wake=lambda seconds: wake(min(seconds, LOOK_SECONDS)),
                log=lambda finding: waiting.last_lines(self.connection, finding),
                late=self._late,
            )
        self.budget.extend(queued)

    def _late(self, look: Look) -> TimeoutError:
        lines = [line for item in look.findings for line in (item.what, *item.evidence)]
        self.waits_for = "\n".join(lines) or look.missing
        return TimeoutError()

    def _look_at_head(self) -> Look:
        job = self._read()
        if job is None:
            return DELETED
        # While Kueue takes its place away, the old cluster is still there.
        cluster = None if job.is_suspended else ended.cluster(job)
        if cluster and head_is_ready(cluster.item, raycluster.pods(cluster)):
            self.cluster = cluster
            return Look(True)
        return self._not_yet(job)

    def _look_at_job(self) -> Look:
        self.seen = self._details()
        if self.seen is not None:
            return Look(True)
        job = self._read()
        if job is None:
            return DELETED
        if self._has_moved(job):
            raise MovedError(job)
        if self.is_unknown:
            self._upload_again()
        return self._not_yet(job)

    def _has_moved(self, job: RayJob) -> bool:
        """Whether the RayJob's own cluster, which raykit had reached, is no longer its cluster."""
        if self.cluster is None or job.has_ended:
            return False
        return job.is_suspended or job.cluster_name != self.cluster.name

    def _upload_again(self) -> None:
        """Upload the job's code to a head that lost it."""
        with contextlib.suppress(*NO_ANSWER):
            if self.code.was_lost(self.api.transport):
                self.progress.note("the head was started again: uploading the job's code once more")
                self.needs_us, self.lacks_code = self.is_ours, not self.is_ours
                self.upload()

    def _not_yet(self, job: RayJob) -> Look:
        if job.has_ended and job.was_submitted:
            return self._after_end(job)
        if job.has_ended:
            self.arrived = False
        return Look(False, submitted.findings(job, self.machines, self.began), job.state)

    def _after_end(self, job: RayJob) -> Look:
        """KubeRay saw the job end, or lost sight of it, and the head does not show it.

        A head that is only silent may run the job on: it is asked again.
        Errors: EndedJobError if KubeRay's word is the last one.
        """
        is_lost = self.is_unknown or ended.cluster(job) is None
        if is_lost or job.status["jobStatus"] in TERMINAL:
            self.needs_us = False
            raise EndedJobError(job)
        silent = f"KubeRay says {job.state}, and the head of {job.cluster_name} does not answer"
        return Look(False, [Finding("silent-head", silent)], job.state)

    def _read(self) -> RayJob | None:
        """The RayJob as it is now; None if somebody deleted it."""
        assert self.job is not None
        now = submitted.read(self.job)
        self.job = now or self.job
        return now

    def _details(self) -> JobDetails | None:
        """What the head says of the job; None if it does not have it, or does not answer now."""
        self.is_unknown = False
        if self.head is None:
            return None
        with contextlib.suppress(*NO_ANSWER):
            details = self.head.details(self.submission_id, once=True)
            self.is_unknown = details is None
            return details
        return None
