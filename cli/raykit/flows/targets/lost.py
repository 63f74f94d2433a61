"""What became of a run whose head answers, and does not know the run's job."""

from __future__ import annotations

import time
from pathlib import Path

from raykit.endpoint import Endpoint
from raykit.errors import RaykitError
from raykit.flows.targets.choosing import GoneError
from raykit.flows.targets.kinds import OnKubernetes, Target
from raykit.local import folders
from raykit.measure.records import NOT_SUBMITTED, UNFINISHED, RunRecord, RunsFolder
from raykit.submission.jobs_api import SUBMIT_SECONDS, JobsApi

DOUBT_SECONDS = 5.0
"""How far apart the clocks of this machine and of a head may be."""

ANOTHER = "the head that answers does not know it: it was started again, or is another one"

PLACE = ("kind", "context", "namespace", "cluster")
"""The keys of a target by which a head that was replaced is found again."""


class LostJobError(GoneError):
    """No head has the job of an unfinished run any more, and its record can be completed.

    status: what the record says then: FAILED if the job was lost with its head, else NOT_SUBMITTED.
    reasons: lines that show it.
    """

    def __init__(self, record: RunRecord, status: str, *reasons: str) -> None:
        never = status == NOT_SUBMITTED
        ended = "was never submitted" if never else "was lost with its head"
        super().__init__(
            f"the job {record.submission_id} of the run {record.id} {ended}",
            evidence=reasons,
            next=f"raykit attach {record.id} completes its record",
        )
        self.record, self.status, self.reasons = record, status, reasons


def judged(record: RunRecord, runs: RunsFolder, api: JobsApi, target: Target) -> GoneError:
    """The error for a run whose head does not know its job. api, target: of the head that answers.

    It is a LostJobError if the head is known to be the one that the submission went to, or that
    one's successor. Behind an address several heads may stand, and another one may have the job.
    """
    doubt = _other_place(record, api.transport.endpoint, target)
    if doubt or record.status != UNFINISHED:
        return unknown(record, doubt or ANOTHER)
    began = _began(api)
    if began is None:
        why = "the head that answers does not know it, nor says since when it is up"
        return unknown(record, why, next=f"raykit attach {record.id} asks again")
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(began))
    is_older = began < record.started - DOUBT_SECONDS
    old = f"its head is up since {since}, before the submission"
    new = f"the head that answers is up since {since}, and does not know the job"
    if has_arrived(record):
        if is_older:
            return unknown(record, f"{old}: somebody deleted the job there")
        return LostJobError(record, "FAILED", new)
    if _may_arrive(record, runs):
        why = "its submission got no answer yet, and may still be on its way"
        return unknown(record, why, next=f"raykit attach {record.id}, in two minutes")
    if is_older:
        return LostJobError(record, NOT_SUBMITTED, f"{old}, and does not know the job")
    unsure = "its submission got no answer: nobody knows whether the job began"
    return LostJobError(record, "FAILED", new, unsure)


def unknown(record: RunRecord, why: str = ANOTHER, next: str = "") -> GoneError:
    """The error for a run whose head does not know its job, where nobody can say what became of it.

    why: the evidence. next: what can be run.
    """
    return GoneError.of(record, f"the job {record.submission_id}", why, next=next)


def has_arrived(record: RunRecord) -> bool:
    """Whether a record shows that a head had the job: it answered the submission, or was followed.

    A step that fails leaves no phase, and a log is only read of a job that a head has.
    """
    return any(phase.name == "submit" for phase in record.phases) or bool(record.log)


def _may_arrive(record: RunRecord, runs: RunsFolder) -> bool:
    """Whether the submission may still reach the head: it is sent now, or was a moment ago."""
    with runs.followed(record.id) as is_alone:
        return not is_alone or time.time() - runs.written(record.id) < SUBMIT_SECONDS


def _other_place(record: RunRecord, endpoint: Endpoint, target: Target) -> str:
    """Why the head may be another one than the run's; empty if it stands in the run's place."""
    was = record.target
    if not _is_place_of(was, endpoint):
        return ANOTHER
    if isinstance(target, OnKubernetes):
        uid = target.cluster.item["metadata"].get("uid")
        if record.cluster.get("uid") not in (None, uid):
            return f"the RayCluster {target.cluster.where} was deleted and created again"
    folder = was.get("folder")
    is_other = folder not in (None, endpoint.target.get("folder"))
    if is_other and folders.is_locked(Path(str(folder))):
        return f"its head still runs, in {folder}; another XDG_RUNTIME_DIR hides it"
    return ""


def _is_place_of(target: dict[str, object], endpoint: Endpoint) -> bool:
    is_known = endpoint.ended is not None
    return is_known and all(target.get(key) == endpoint.target.get(key) for key in PLACE)


def _began(api: JobsApi) -> float | None:
    """When the head began, Unix seconds on its clock; None if it does not say."""
    try:
        rows = api.nodes()
    except RaykitError:
        return None
    heads = [row for row in rows if row["is_head_node"] and row["state"] == "ALIVE"]
    return max((row["start_time_ms"] / 1000 for row in heads if row["start_time_ms"]), default=None)
