"""Rules for the parts beside head and workers: auth, jobs, network, queue, monitoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from raykit.spec import names
from raykit.spec.model import ClusterSpec
from raykit.spec.problems import Path, Problem


def problems(spec: ClusterSpec) -> Iterator[Problem]:
    """The problems of the parts beside head and workers."""
    yield from _auth(spec)
    yield from _jobs(spec)
    yield from _network(spec)
    yield from _without_effect(spec)


def warnings(spec: ClusterSpec) -> Iterator[Problem]:
    """The warnings for these parts: values that are allowed but probably a mistake."""
    policy = spec.network_policy
    if policy.enabled and not policy.api_server:
        yield Problem(
            ("networkPolicy", "apiServer"),
            "without the API server's addresses its service proxy does not reach the head: "
            "raykit falls back to kubectl port-forward",
            involves=(("networkPolicy", "enabled"),),
        )
    if spec.queue is not None and spec.autoscaling.enabled:
        yield Problem(
            ("queue",),
            "Kueue admits an autoscaled cluster only with ElasticJobsViaWorkloadSlices turned on",
            involves=(("autoscaling",),),
        )


def _auth(spec: ClusterSpec) -> Iterator[Problem]:
    if spec.auth.secret_name is not None and spec.auth.mode != "token":
        yield Problem(
            ("auth", "secretName"),
            "has no effect without mode: token",
            involves=(("auth", "mode"),),
        )


def _jobs(spec: ClusterSpec) -> Iterator[Problem]:
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


def _network(spec: ClusterSpec) -> Iterator[Problem]:
    policy = spec.network_policy
    if policy.enabled and spec.autoscaling.enabled and not policy.api_server:
        yield Problem(
            ("networkPolicy", "apiServer"),
            "is required with autoscaling: the autoscaler speaks to the API server",
            involves=(("autoscaling",), ("networkPolicy", "enabled")),
        )
    if policy.open_egress and policy.egress:
        yield Problem(
            ("networkPolicy", "egress"),
            "has nothing to add to openEgress: true",
            involves=(("networkPolicy", "openEgress"),),
        )


def _without_effect(spec: ClusterSpec) -> Iterator[Problem]:
    for key, part in (("networkPolicy", spec.network_policy), ("monitoring", spec.monitoring)):
        for field in sorted(part.model_fields_set - {"enabled"}):
            if not part.enabled:
                alias = type(part).model_fields[field].alias or field
                yield Problem(
                    (key, alias),
                    "has no effect without enabled: true",
                    involves=((key, "enabled"),),
                )
    if spec.autoscaling.enabled:
        return
    for field in sorted(spec.autoscaling.model_fields_set - {"enabled", "idle_timeout_seconds"}):
        alias = type(spec.autoscaling).model_fields[field].alias or field
        yield Problem(
            ("autoscaling", alias),
            "has no effect without enabled: true",
            involves=(("autoscaling", "enabled"),),
        )
    for at, group in enumerate(spec.workers):
        if group.idle_timeout_seconds is not None:
            yield Problem(
                ("workers", at, "idleTimeoutSeconds"),
                "has no effect without autoscaling",
                involves=(("autoscaling", "enabled"),),
            )
