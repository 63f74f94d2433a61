"""`raykit attach` and `raykit stop` for a run whose RayJob may not have reached its head yet."""

from __future__ import annotations

import contextlib

from raykit.errors import JobsApiError
from raykit.flows.rayjobs.arrival import RayJobArrival
from raykit.flows.rayjobs.last_word import EndedJobError
from raykit.flows.rayjobs.session import RayJobSession
from raykit.flows.session import Limits, Run, run_to_end
from raykit.kube.connection import connect
from raykit.kuberay import observed, raycluster
from raykit.kuberay.pods import head_is_ready
from raykit.kuberay.rayjobs import ended, submitted
from raykit.kuberay.rayjobs.rayjob import RayJob
from raykit.kuberay.reach import reach
from raykit.manifests.submission import RUN_ANNOTATION
from raykit.measure.records import RunRecord, RunsFolder
from raykit.progress import Progress
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport


def is_of_rayjob(record: RunRecord | None) -> bool:
    """Whether the run was submitted as a RayJob."""
    return record is not None and "rayjob" in record.target


def find(record: RunRecord, context: str | None) -> RayJob:
    """The RayJob of a run. context: as in kubectl; None: the record's.

    Errors: JobsApiError (6) if it is gone, or another one has its name; MissingError (4),
    KubernetesError (5).
    """
    target = record.target
    name, namespace = str(target["rayjob"]), str(target.get("namespace"))
    connection = connect(context or target.get("context"))
    item = connection.get("RayJob", name, namespace)
    job = None if item is None else RayJob(connection, name, namespace, item)
    if job is None or not _is_of(record, job):
        another = [f"another RayJob has its name now: {job.uid}"] if job else []
        raise JobsApiError(
            f"the RayJob {namespace}/{name} of the run {record.id} is gone",
            evidence=[f"status when last seen: {record.status}", *another],
            next=f"raykit runs show {record.id}",
        )
    return job


def _is_of(record: RunRecord, job: RayJob) -> bool:
    """Whether it is the RayJob of this run. Before its creation was answered, its ids decide."""
    uid = record.target.get("rayjob_uid")
    if uid is not None:
        return bool(uid == job.uid)
    annotations = job.item["metadata"].get("annotations") or {}
    is_same_run = annotations.get(RUN_ANNOTATION, record.id) == record.id
    return is_same_run and job.spec.get("jobId") == record.submission_id


def cluster_name(record: RunRecord, context: str | None) -> str:
    """The name of the RayCluster that KubeRay made for a run's RayJob.

    Errors: as `find`; JobsApiError (6) if there is none yet.
    """
    job = find(record, context)
    if not job.cluster_name:
        raise JobsApiError(
            f"the RayJob {job.namespace}/{job.name} has no cluster yet",
            evidence=[f"KubeRay says: {job.state}"],
            next="raykit status says what it waits for; raykit attach waits with it",
        )
    return job.cluster_name


def has_arrived(job: RayJob, submission_id: str, progress: Progress) -> bool:
    """Whether the head has, or had, the RayJob's job. KubeRay learns it seconds later.

    Errors: those of reaching a head (4, 5, 6).
    """
    if job.has_ended or job.status.get("jobStatus"):
        return True
    cluster = ended.cluster(job)
    if cluster is None or not head_is_ready(cluster.item, raycluster.pods(cluster)):
        return False
    with reach(cluster, progress) as endpoint, Transport(endpoint) as transport:
        return JobsApi(transport).details(submission_id) is not None


def attach(
    record: RunRecord, job: RayJob, runs: RunsFolder, progress: Progress, timeout: float | None
) -> Run:
    """Wait until the head has the job, follow it to its end and complete its record.

    If the RayJob has ended and its cluster is gone, KubeRay's word and the submitter's log count.
    The caller holds the run's folder.
    """
    progress.phases += record.phases
    with contextlib.ExitStack() as way:
        arrival = RayJobArrival.of(job, progress, timeout)

        def join() -> None:
            if job.has_ended and job.was_submitted and ended.cluster(job) is None:
                raise EndedJobError(job)
            endpoint, cluster = arrival.reach_head(way)
            session.check_head(endpoint)
            session.record.cluster = session.record.cluster or observed.observe(cluster)
            session.join(arrival.wait())

        session = RayJobSession(arrival, record, runs, progress, join)
        return run_to_end(session, lambda: session.start(join), Limits(timeout=timeout))


def withdraw(job: RayJob, progress: Progress) -> None:
    """Delete a RayJob; KubeRay stops its job and ends its own cluster."""
    with progress.step("stop", f"RayJob {job.name} deleted"):
        submitted.withdraw(job)
