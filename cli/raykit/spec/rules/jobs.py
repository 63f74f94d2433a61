"""Rules for the jobs of a spec."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from raykit.spec import names
from raykit.spec.model import ClusterSpec
from raykit.spec.problems import Path, Problem

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


def problems(spec: ClusterSpec) -> Iterator[Problem]:
    """The problems of a spec's jobs whose single fields are valid."""
    counts = Counter(job.name for job in spec.jobs)
    for at, job in enumerate(spec.jobs):
        here: Path = ("jobs", at)
        if counts[job.name] > 1:
            yield Problem((*here, "name"), f'"{job.name}" names more than one job')
        if (job.job is None) == (job.entrypoint is None):
            yield Problem(here, "needs exactly one of job, entrypoint")
        elif job.entrypoint is not None and not job.entrypoint:
            yield Problem((*here, "entrypoint"), "is empty: a command, word by word")
        longest = names.LONGEST_RAYJOB - len(spec.name) - 10
        if len(job.name) > longest:
            yield Problem(
                (*here, "name"),
                f"{spec.name}-{job.name}-HASH is longer than {names.LONGEST_RAYJOB} characters,"
                " the most that KubeRay takes",
                involves=(("name",),),
            )
        if job.ttl_seconds is not None and not job.own_cluster:
            yield Problem(
                (*here, "ttlSeconds"),
                "needs ownCluster: true: KubeRay keeps a job whose cluster outlives it",
                involves=((*here, "ownCluster"),),
            )
        start, whole = job.start_deadline_seconds, job.deadline_seconds
        if start is not None and whole is not None and start > whole:
            yield Problem(
                (*here, "startDeadlineSeconds"),
                f"{start} is above deadlineSeconds {whole}",
                involves=((*here, "deadlineSeconds"),),
            )
        if job.job is not None and not _MODULE.fullmatch(job.job):
            wrong = f'"{job.job}" is no name of a module; a command goes into entrypoint'
            yield Problem((*here, "job"), wrong)


def unknown(spec: ClusterSpec, carried: Sequence[str]) -> Iterator[Problem]:
    """Jobs that the pods cannot run: raykit's own image carries no job of that name.

    carried: names of the jobs in raykit's own image.
    """
    if spec.image is None:
        yield from _not_carried(spec, carried, "raykit's own image has no job")


def doubtful(spec: ClusterSpec, carried: Sequence[str]) -> Iterator[Problem]:
    """Jobs that only an image with further jobs can run: nothing here can look into an image.

    carried: names of the jobs in raykit's own image.
    """
    if spec.image is not None:
        yield from _not_carried(spec, carried, f"runs only if {spec.image} carries a job")


def _not_carried(spec: ClusterSpec, carried: Sequence[str], what: str) -> Iterator[Problem]:
    for at, job in enumerate(spec.jobs):
        # A module below a job, such as gsod.tutorial, comes with it.
        if job.job is None or job.job.partition(".")[0] in carried:
            continue
        near = difflib.get_close_matches(job.job, carried, n=1)
        advice = f'did you mean "{near[0]}"?' if near else f"raykit's: {', '.join(carried)}"
        yield Problem(("jobs", at, "job"), f'{what} "{job.job}"; {advice}', involves=(("image",),))
