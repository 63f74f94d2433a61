"""Gather what a head says of itself and its jobs: versions, nodes, actors, task rows, timelines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from raykit.measure.keeping.evidence import MOST_JSON, Collection
from raykit.progress import Attempt, attempt_all
from raykit.submission.evidence import logs
from raykit.submission.jobs_api import MOST_ROWS, JobsApi, is_plain_name

SILENCE_SECONDS, ANSWER_SECONDS, STEP_SECONDS = 5.0, 15.0, 20.0
"""Of a head that may be in trouble: how long an answer may stand still, and last in all; and how
long a step may last, whatever its bytes do."""

MOST_JOBS = 10
KINDS = ("nodes", "actors", "placement_groups", "workers")

Job = Mapping[str, Any]


def gather(api: JobsApi, wanted: Sequence[str], into: Collection) -> None:
    """Gather what the head knows. What it does not answer is noted in the collection.

    wanted: submission ids whose tasks and logs matter most; the newest other jobs follow.
    """
    api.transport.limit_silence(SILENCE_SECONDS)
    api.transport.limit_answers(ANSWER_SECONDS)
    first = Attempt("the head", lambda: _steps(api, wanted, into))
    attempt_all([first], into.deadline, into.miss, STEP_SECONDS)


def _steps(api: JobsApi, wanted: Sequence[str], into: Collection) -> list[Attempt]:
    """The steps that follow from the jobs that the head has."""
    into.add_json("ray/version.json", dict(api.version()))
    jobs = _jobs(api)
    into.add_json("ray/jobs.json", jobs)
    chosen = _chosen(jobs, wanted)
    for job in chosen:
        into.add_job(str(job["submission_id"]))
    query = {"detail": "1", "limit": str(MOST_ROWS)}
    states = [_step(api, into, f"ray/{kind}.json", f"api/v0/{kind}", query) for kind in KINDS]
    rows = [step for job in chosen for step in _of_job(api, job, into)]
    job_ids = [str(job["job_id"]) for job in chosen if job.get("job_id")]
    return [*states, *rows, logs.step(api, job_ids, into)]


def _jobs(api: JobsApi) -> list[dict[str, Any]]:
    """All jobs as Ray describes them, the newest first."""
    listed = api.as_it_is("api/jobs/", most=MOST_JSON)
    jobs = [job for job in listed if isinstance(job, dict)] if isinstance(listed, list) else []
    return sorted(jobs, key=_started, reverse=True)


def _started(job: Job) -> float:
    started = job.get("start_time")
    return float(started) if isinstance(started, int | float) else 0.0


def _chosen(jobs: Sequence[Job], wanted: Sequence[str]) -> list[Job]:
    """The wanted jobs first, then the newest."""
    named = [job for job in jobs if is_plain_name(str(job.get("submission_id") or ""))]
    first = [job for job in named if job["submission_id"] in wanted]
    return [*first, *(job for job in named if job not in first)][: max(MOST_JOBS, len(first))]


def _of_job(api: JobsApi, job: Job, into: Collection) -> Iterator[Attempt]:
    """Task rows and the timeline of one job."""
    name, job_id = str(job["submission_id"]), str(job.get("job_id") or "")
    if not job_id:
        into.miss(f"tasks of {name}: its driver has not joined Ray")
        return
    rows = {
        **{"filter_keys": "job_id", "filter_predicates": "=", "filter_values": job_id},
        **{"detail": "1", "limit": str(MOST_ROWS)},
    }
    yield _step(api, into, f"jobs/{name}/tasks.json", "api/v0/tasks", rows)
    timeline = {"job_id": job_id}
    yield _step(api, into, f"jobs/{name}/timeline.json", "api/v0/tasks/timeline", timeline)


def _step(
    api: JobsApi, into: Collection, name: str, path: str, query: Mapping[str, str]
) -> Attempt:
    """The step that adds one answer of the head as a file."""
    return Attempt(
        name, lambda: into.add_json(name, api.as_it_is(path, most=MOST_JSON, params=query))
    )
