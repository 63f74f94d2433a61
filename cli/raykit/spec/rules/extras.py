"""Rules for the parts beside head and workers: auth, network, queue, monitoring."""

from __future__ import annotations

from collections.abc import Iterator

from raykit.spec.model import ClusterSpec
from raykit.spec.problems import Problem


def problems(spec: ClusterSpec) -> Iterator[Problem]:
    """The problems of the parts beside head and workers."""
    yield from _auth(spec)
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
