"""A RayJob that ended before raykit saw its job's end: KubeRay's word on it, and what is left."""

from __future__ import annotations

import contextlib

from raykit.errors import JobsApiError, RaykitError
from raykit.flows.keeping import from_cluster
from raykit.kube.contexts import kubectl
from raykit.kuberay.rayjobs import ended
from raykit.kuberay.rayjobs.rayjob import RayJob
from raykit.measure import outcome
from raykit.measure.records import RunRecord
from raykit.redaction import redacted
from raykit.submission.jobs_api import TERMINAL

DEADLINE = "DeadlineExceeded"


class EndedJobError(JobsApiError):
    """A RayJob has ended, and no head answers for its job any more. job: the RayJob."""

    def __init__(self, job: RayJob) -> None:
        super().__init__(
            f"the RayJob {job.name} has ended, and its head with it",
            evidence=[f"KubeRay says: {job.state}"],
            next=f"{kubectl(job.connection.context, job.namespace)} describe rayjob {job.name}",
        )
        self.job = job


def status(job: RayJob) -> str:
    """How a job that was submitted has ended, in Ray's words; its RayJob is over.

    Without a final status of Ray the job has ended with its head: STOPPED by KubeRay's deadline,
    else FAILED.
    """
    if has_final_status(job):
        return str(job.status["jobStatus"])
    return "STOPPED" if job.status.get("reason") == DEADLINE else "FAILED"


def has_final_status(job: RayJob) -> bool:
    """Whether KubeRay heard from Ray how the job ended."""
    return job.status.get("jobStatus") in TERMINAL


def take(record: RunRecord, job: RayJob) -> None:
    """Put KubeRay's word on a job that was submitted into its record."""
    record.status = status(job)
    if not has_final_status(job):
        record.cause = None if record.status == "STOPPED" else outcome.HEAD_LOST
    record.message = outcome.shortened(redacted(job.message))
    record.driver_exit_code = job.driver_exit_code
    record.notes.append(f"its cluster had ended; KubeRay says: {job.state}")
    with contextlib.suppress(RaykitError):
        from_cluster.add_cluster(record, job)


def log(record: RunRecord, job: RayJob) -> bytes | None:
    """The submitter's log; None if it is lost, and the record then says why."""
    try:
        found = ended.log(job)
        why = from_cluster.why_lost(job)
    except RaykitError as unread:
        found, why = None, unread.what
    if found is None:
        record.notes.append(f"its log is lost: {why}")
    return found
