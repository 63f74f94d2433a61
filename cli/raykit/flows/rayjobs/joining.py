"""`raykit attach`, `logs` and `stop` for a run whose RayJob has no head yet, or none any more."""

from __future__ import annotations

import contextlib

from raykit.errors import JobsApiError, RaykitError
from raykit.flows.keeping import from_cluster
from raykit.flows.rayjobs import code, last_word
from raykit.flows.rayjobs.arrival import RayJobArrival
from raykit.flows.rayjobs.last_word import EndedJobError
from raykit.flows.rayjobs.session import RayJobSession
from raykit.flows.session import Limits, Run, run_to_end
from raykit.flows.targets.choosing import GoneError, own_context
from raykit.kube.connection import connect
from raykit.kuberay import observed, raycluster
from raykit.kuberay.pods import head_is_ready
from raykit.kuberay.rayjobs import ended, submitted
from raykit.kuberay.rayjobs.rayjob import RayJob
from raykit.kuberay.reach import reach
from raykit.manifests.submission import RUN_ANNOTATION
from raykit.measure.records import NOT_SUBMITTED, UNFINISHED, RunRecord, RunsFolder
from raykit.progress import Progress
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport


def is_of_rayjob(record: RunRecord | None) -> bool:
    """Whether the run was submitted as a RayJob."""
    return record is not None and "rayjob" in record.target


def find(record: RunRecord, context: str | None) -> RayJob | None:
    """The RayJob of a run; None if it is gone, and the run had reached a cluster: ask that one.

    context: as in kubectl; None: the record's.
    Errors: GoneError (6) if it is gone, or another one has its name; NoWayError (4) if the
    kubeconfig lacks its context; MissingError (4), KubernetesError (5).
    """
    target = record.target
    name, namespace = str(target["rayjob"]), str(target.get("namespace"))
    with own_context(record, context):
        connection = connect(context or target.get("context"))
    item = connection.get("RayJob", name, namespace)
    job = None if item is None else RayJob(connection, name, namespace, item)
    if job is not None and _is_of(record, job):
        return job
    if target.get("cluster"):
        return None
    another = [f"another RayJob has its name now: {job.uid}"] if job else []
    raise GoneError.of(record, f"the RayJob {namespace}/{name}", *another)


def _is_of(record: RunRecord, job: RayJob) -> bool:
    """Whether it is the RayJob of this run. Before its creation was answered, its ids decide."""
    uid = record.target.get("rayjob_uid")
    if uid is not None:
        return bool(uid == job.uid)
    annotations = job.item["metadata"].get("annotations") or {}
    is_same_run = annotations.get(RUN_ANNOTATION, record.id) == record.id
    return is_same_run and job.spec.get("jobId") == record.submission_id


def cluster_name(job: RayJob) -> str:
    """The name of the RayCluster that KubeRay made for a RayJob.

    Errors: JobsApiError (6) if there is none yet.
    """
    if not job.cluster_name:
        raise JobsApiError(
            f"the RayJob {job.namespace}/{job.name} has no cluster yet",
            evidence=[f"KubeRay says: {job.state}"],
            next="raykit status says what it waits for; raykit attach waits with it",
        )
    return job.cluster_name


def is_over(job: RayJob, submission_id: str, progress: Progress) -> bool:
    """Whether KubeRay's word on a RayJob is the last one: it has ended, and no head has its job.

    A head that is only silent may run the job on. Errors: those of reaching a head (4, 5, 6).
    """
    if not job.has_ended or ended.cluster(job) is None:
        return job.has_ended
    is_final = last_word.has_final_status(job) or not job.was_submitted
    try:
        has_job = _head_has(job, submission_id, progress)
    except RaykitError:
        if not is_final:
            raise
        has_job = None
    return is_final if has_job is None else not has_job


def stop_without_head(job: RayJob, submission_id: str, progress: Progress) -> str | None:
    """Stop a RayJob whose job no head has; how it ended, in the words of a record's status.

    Returns None if a head has its job, and must be asked. One that waits for its head is deleted.
    Errors: those of reaching a head (4, 5, 6).
    """
    if is_over(job, submission_id, progress):
        progress.note(f"the RayJob {job.name} has ended, and KubeRay says: {job.state}")
        return last_word.status(job) if job.was_submitted else NOT_SUBMITTED
    if job.has_ended or job.was_submitted or _head_has(job, submission_id, progress):
        return None
    with progress.step("stop", f"RayJob {job.name} deleted"):
        submitted.withdraw(job)
    return NOT_SUBMITTED


def log(record: RunRecord, job: RayJob, progress: Progress) -> bytes:
    """What the submitter of a RayJob printed that is over.

    Errors: GoneError (6) if it is lost; ForbiddenError (4).
    """
    outcome = f"raykit attach {record.id} completes its record" * (record.status == UNFINISHED)
    text = ended.log(job)
    if text is None:
        why = f"KubeRay says: {job.state}; {from_cluster.why_lost(job)}"
        raise GoneError.of(record, f"the log of the RayJob {job.name}", why, next=outcome)
    progress.note(f"the RayJob {job.name} has ended, and KubeRay says: {job.state}")
    progress.note(f"this is the log of its submitter's pod{outcome and '; '}{outcome}")
    return text


def _head_has(job: RayJob, submission_id: str, progress: Progress) -> bool | None:
    """Whether the head has the RayJob's job, which KubeRay learns seconds later.

    None: no head is ready. Errors: those of reaching a head (4, 5, 6).
    """
    cluster = ended.cluster(job)
    if cluster is None or not head_is_ready(cluster.item, raycluster.pods(cluster)):
        return None
    with reach(cluster, progress) as endpoint, Transport(endpoint) as transport:
        return JobsApi(transport).details(submission_id) is not None


def attach(
    record: RunRecord,
    job: RayJob,
    runs: RunsFolder,
    progress: Progress,
    timeout: float | None,
    *,
    is_alone: bool,
) -> Run:
    """Wait until the head has the job, follow it to its end and complete its record.

    If the RayJob has ended and its cluster is gone, KubeRay's word and the submitter's log count.
    The caller holds the run's folder. is_alone: no other raykit here follows the run, and would
    upload its code.
    Errors of the run: as `code.packed_again` where a new head lacks the job's code.
    """
    progress.phases += record.phases
    with contextlib.ExitStack() as disk, contextlib.ExitStack() as way:
        arrival = RayJobArrival.of(job, progress, timeout)

        def join() -> None:
            if job.has_ended and job.was_submitted and ended.cluster(job) is None:
                raise EndedJobError(job)
            arrival.lacks_code = is_alone and bool(record.job.get(code.CODE))
            endpoint, cluster = arrival.reach_head(way)
            session.check_head(endpoint)
            session.record.cluster = session.record.cluster or observed.observe(cluster)
            if is_alone:
                _bring_code(arrival, record, disk)
            session.join(arrival.wait())

        session = RayJobSession(arrival, record, runs, progress, join)
        return run_to_end(session, lambda: session.start(join), Limits(timeout=timeout))


def _bring_code(arrival: RayJobArrival, record: RunRecord, disk: contextlib.ExitStack) -> None:
    """Upload the job's code to a head that has neither the job nor its code.

    disk: holds the packed code. Errors: as `code.packed_again`; JobsApiError (6).
    """
    if not arrival.code:
        if arrival.has_job() or not code.is_missing(record, arrival.api.transport):
            arrival.lacks_code = False
            return
        arrival.code.packed = disk.enter_context(code.packed_again(record))
    arrival.upload()
