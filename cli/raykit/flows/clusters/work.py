"""What runs on a cluster or a local head now, and since when nothing does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from raykit.errors import RaykitError
from raykit.flows.targets.kinds import OnKubernetes, Target
from raykit.kuberay.pods import is_head, serves
from raykit.kuberay.raycluster import Cluster
from raykit.objects import Object
from raykit.progress import Progress
from raykit.submission.answers.fields import Row
from raykit.submission.jobs_api import JobDetails, JobsApi
from raykit.submission.transport import Transport

MOST_NAMED, MOST_SHOWN = 8, 3
DEAD = "DEAD"
SUPERVISORS = "SUPERVISOR_ACTOR_RAY_NAMESPACE"
"""Ray's namespace of the actors that start drivers; their jobs are counted themselves."""
OF_RAY_DATA = frozenset(
    {
        "ActorLocationTracker",
        "AutoscalingCoordinator",
        "AutoscalingRequester",
        "DataUsageCollectionActor",
    }
)
"""Actors of Ray Data, each in a namespace of its own name (Ray 2.60)."""


@dataclass(frozen=True)
class Activity:
    """busy: what runs, one line each; empty if nothing does.

    last: when the last job ended, in Unix seconds on the head's clock; None if no job ran.
    """

    busy: tuple[str, ...] = ()
    last: float | None = None


def on_cluster(cluster: Cluster, pods: Sequence[Object], progress: Progress) -> str:
    """A line about the jobs that run on a cluster; empty if there are none.

    pods: of the cluster. Without a head that serves, no job runs.
    """
    if not any(is_head(pod) and serves(pod) for pod in pods):
        return ""
    return on_target(OnKubernetes(cluster, ""), progress)


def on_target(target: Target, progress: Progress) -> str:
    """A line about the jobs that run on a target; empty if there are none.

    If its head cannot be asked, the line says so: jobs may run there.
    """
    try:
        with target.open(progress) as endpoint, Transport(endpoint) as transport:
            running = [job for job in JobsApi(transport).jobs() if not job.ended]
    except RaykitError as error:
        return f"jobs may run there: they cannot be listed ({error.what})"
    return _line(running)


def activity(api: JobsApi) -> Activity:
    """Ask a head what it does.

    Errors: those of `JobsApi` (6), also if Ray lists only some of its tasks or actors: what is left
    out may be busy.
    """
    tasks = api.tasks_by_state("!=", "FINISHED", whole=True)
    return judge(api.jobs(), tasks, api.living_actors())


def judge(jobs: Sequence[JobDetails], tasks: Sequence[Row], actors: Sequence[Row]) -> Activity:
    """What a head does. Actors of Ray's own libraries, which outlive every job, do not count."""
    running = [job.submission_id or job.job_id or "?" for job in jobs if not job.ended]
    unfinished = [
        str(task.get("name") or task["task_id"])
        for task in tasks
        if task["state"] not in ("FINISHED", "FAILED")
    ]
    alive = [actor for actor in actors if actor["state"] != DEAD and not _is_of_ray(actor)]
    named = [str(actor.get("name") or actor.get("class_name") or "?") for actor in alive]
    counted = [("job", running), ("task", unfinished), ("actor", named)]
    ends = [moment for job in jobs for moment in (job.start_time, job.end_time) if moment]
    return Activity(
        tuple(_counted(thing, names) for thing, names in counted if names), max(ends, default=None)
    )


def _line(running: Sequence[JobDetails]) -> str:
    if not running:
        return ""
    names = [job.submission_id or job.job_id or "?" for job in running]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    runs = "1 job runs" if len(names) == 1 else f"{len(names)} jobs run"
    return f"{runs} there and may be lost: {', '.join(names[:MOST_NAMED])}{more}"


def _is_of_ray(actor: Row) -> bool:
    """Whether one of Ray's libraries keeps this actor for its own use.

    Their namespaces begin with `_` (Ray Data's statistics, Ray Train's state), or are those of
    `OF_RAY_DATA`.
    """
    namespace = actor.get("ray_namespace") or ""
    is_of_data = namespace in OF_RAY_DATA and actor.get("name") == namespace
    return namespace.startswith("_") or namespace == SUPERVISORS or is_of_data


def _counted(thing: str, names: Sequence[str]) -> str:
    count = f"1 {thing}" if len(names) == 1 else f"{len(names)} {thing}s"
    more = ", …" if len(names) > MOST_SHOWN else ""
    return f"{count}: {', '.join(names[:MOST_SHOWN])}{more}"
