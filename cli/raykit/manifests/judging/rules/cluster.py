"""Rules for a RayCluster's spec, also where it stands in a RayJob or a RayService."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from raykit.manifests.judging.rules.values import (
    at,
    items,
    mapping,
    number,
    older,
    since_1_7,
    text,
    variables,
    version,
)
from raykit.objects import Object
from raykit.spec import names
from raykit.spec.problems import Path, Problem

AUTOSCALER_V2 = "RAY_enable_autoscaler_v2"
AUTOSCALER_COMMAND = "KUBERAY_GEN_AUTOSCALER_START_CMD"
RAY_WITH_TOKENS, RAY_WITH_KUBERNETES_TOKENS, RAY_WITH_PRIORITY = "2.52.0", "2.55.0", "2.56.0"
RAY_CONTAINER: Path = ("headGroupSpec", "template", "spec", "containers", 0)
START_RESOURCES = ("num-cpus", "num-gpus", "memory", "resources")
MANAGERS = ("ray.io/kuberay-operator", "kueue.x-k8s.io/multikueue")


@dataclass(frozen=True)
class Cluster:
    """A RayCluster's spec with its place in a manifest.

    annotations: those of the resource that holds it.
    """

    spec: Object
    path: Path = ("spec",)
    annotations: Object = field(default_factory=dict)

    @property
    def head(self) -> Object:
        """The head group."""
        return mapping(self.spec, "headGroupSpec")

    @property
    def ray_container(self) -> Object:
        """The head's Ray container: the first."""
        return mapping(self.head, "template", "spec", "containers", 0)

    @property
    def autoscaled(self) -> bool:
        """Whether Ray's autoscaler runs beside the head."""
        return at(self.spec, "enableInTreeAutoscaling") is True

    @property
    def autoscaler_v2(self) -> bool:
        """Whether the options ask for version 2 of the autoscaler."""
        return text(self.spec, "autoscalerOptions", "version") == "v2"

    def groups(self) -> Iterator[tuple[Path, Object]]:
        """The worker groups with their paths."""
        for place, group in items(self.spec, "workerGroupSpecs"):
            yield (*self.path, "workerGroupSpecs", place), group

    def all_groups(self) -> Iterator[tuple[Path, Object]]:
        """The head group and the worker groups with their paths."""
        yield (*self.path, "headGroupSpec"), self.head
        yield from self.groups()


def problems(cluster: Cluster, kuberay: str) -> Iterator[Problem]:
    """What KubeRay refuses in a cluster's spec."""
    for path, group in cluster.all_groups():
        yield from _group(path, group)
    for path, group in cluster.groups():
        yield from _replicas(path, group)
        yield from _idle_timeout(cluster, path, group)
        yield from _priority(cluster, path, group)
        yield from _suspended(cluster, path, group)
    yield from _autoscaler(cluster, kuberay)
    yield from _authentication(cluster)
    yield from _manager(cluster)


def _group(path: Path, group: Object) -> Iterator[Problem]:
    pod: Path = (*path, "template", "spec", "containers")
    containers = at(group, "template", "spec", "containers")
    if isinstance(containers, list) and not containers:
        yield Problem(pod, "needs at least one container: the first one runs Ray")
    parameters = mapping(group, "rayStartParams")
    used = [name for name in START_RESOURCES if parameters.get(name)]
    if used and mapping(group, "resources"):
        wrong = f"and rayStartParams.{used[0]} say the same in two places: KubeRay takes one"
        yield Problem((*path, "resources"), wrong)
    if "labels" in parameters:
        yield Problem((*path, "rayStartParams", "labels"), f"belongs into {path[-1]}'s own labels")
    for key, value in mapping(group, "labels").items():
        for rule, written in ((names.label_key, key), (names.label_value, value)):
            wrong_label = _refused(rule, written)
            if wrong_label:
                yield Problem((*path, "labels", key), wrong_label)


def _refused(rule: Callable[[str], str], written: Any) -> str | None:
    try:
        if isinstance(written, str):
            rule(written)
    except ValueError as wrong:
        return str(wrong)
    return None


def _replicas(path: Path, group: Object) -> Iterator[Problem]:
    # Bounds that are left out have defaults in the CRD: 0 and 2147483647.
    least, most = number(group, "minReplicas"), number(group, "maxReplicas")
    for key, bound in (("minReplicas", least), ("maxReplicas", most)):
        if bound is not None and bound < 0:
            yield Problem((*path, key), f"{bound} is negative")
    if least is not None and most is not None and least > most:
        yield Problem((*path, "minReplicas"), f"{least} is above maxReplicas {most}")


def _idle_timeout(cluster: Cluster, path: Path, group: Object) -> Iterator[Problem]:
    seconds = number(group, "idleTimeoutSeconds")
    if seconds is None:
        return
    here: Path = (*path, "idleTimeoutSeconds")
    if seconds < 0:
        yield Problem(here, f"{seconds} is negative")
    elif not _scales_by_v2(cluster):
        yield Problem(here, "needs autoscalerOptions.version: v2")


def _priority(cluster: Cluster, path: Path, group: Object) -> Iterator[Problem]:
    if not number(group, "priority"):
        return
    here: Path = (*path, "priority")
    yield from _needs_ray(cluster, RAY_WITH_PRIORITY, here)
    if not _scales_by_v2(cluster):
        yield Problem(here, "needs autoscalerOptions.version: v2")


def _scales_by_v2(cluster: Cluster) -> bool:
    values = [value for _, name, value in variables(cluster.ray_container) if name == AUTOSCALER_V2]
    return cluster.autoscaler_v2 or values[:1] in (["1"], ["true"])


def _suspended(cluster: Cluster, path: Path, group: Object) -> Iterator[Problem]:
    if cluster.autoscaled and at(group, "suspend") is True:
        yield Problem((*path, "suspend"), "has no place beside enableInTreeAutoscaling: true")


def _autoscaler(cluster: Cluster, kuberay: str) -> Iterator[Problem]:
    options: Path = (*cluster.path, "autoscalerOptions")
    seconds = number(cluster.spec, "autoscalerOptions", "idleTimeoutSeconds")
    if seconds is not None and seconds < 0:
        yield Problem((*options, "idleTimeoutSeconds"), f"{seconds} is negative")
    for place, name, _ in variables(at(cluster.spec, "autoscalerOptions")):
        if name == AUTOSCALER_COMMAND and since_1_7(kuberay):
            yield Problem((*options, "env", place, "name"), f"KubeRay sets {name} itself")
    yield from _autoscaler_variable(cluster)
    if cluster.autoscaled and cluster.autoscaler_v2:
        yield from _restart_policies(cluster)


def _autoscaler_variable(cluster: Cluster) -> Iterator[Problem]:
    env: Path = (*cluster.path, *RAY_CONTAINER, "env")
    for place, name, value in variables(cluster.ray_container):
        if name != AUTOSCALER_V2:
            continue
        if not cluster.autoscaled and value in {"1", "true"}:
            yield Problem((*env, place), f"{name} needs enableInTreeAutoscaling: true")
        if cluster.autoscaled and at(cluster.spec, "autoscalerOptions", "version") is not None:
            yield Problem((*env, place), f"autoscalerOptions.version replaces {name}")
        return  # KubeRay reads the first of equal names.


def _restart_policies(cluster: Cluster) -> Iterator[Problem]:
    for path, group in cluster.all_groups():
        policy = text(group, "template", "spec", "restartPolicy")
        if policy not in {"", "Never"}:
            yield Problem(
                (*path, "template", "spec", "restartPolicy"),
                "must be Never, or left out, with autoscaler v2",
            )


def _authentication(cluster: Cluster) -> Iterator[Problem]:
    options: Path = (*cluster.path, "authOptions")
    by_kubernetes = at(cluster.spec, "authOptions", "enableK8sTokenAuth") is True
    if text(cluster.spec, "authOptions", "mode") != "token":
        if by_kubernetes:
            yield Problem((*options, "enableK8sTokenAuth"), "needs authOptions.mode: token")
        return
    oldest = RAY_WITH_KUBERNETES_TOKENS if by_kubernetes else RAY_WITH_TOKENS
    needing = "enableK8sTokenAuth" if by_kubernetes else "mode"
    yield from _needs_ray(cluster, oldest, (*options, needing))
    if by_kubernetes and text(cluster.spec, "authOptions", "secretName"):
        yield Problem((*options, "secretName"), "has no place beside enableK8sTokenAuth: true")


def _needs_ray(cluster: Cluster, oldest: str, needing: Path) -> Iterator[Problem]:
    """A field that an older Ray lacks: rayVersion must be there, and new enough."""
    written = text(cluster.spec, "rayVersion")
    here: Path = (*cluster.path, "rayVersion")
    if not written:
        wrong = f"needs rayVersion, {oldest} or later; none is given"
        yield Problem(needing, wrong)
        return
    numbers = version(written)
    if numbers is None:
        yield Problem(here, f'"{written}" is no version such as {oldest}')
    elif older(numbers, version(oldest) or ()):
        yield Problem(here, f"{needing[-1]} needs Ray {oldest} or later")


def _manager(cluster: Cluster) -> Iterator[Problem]:
    given = text(cluster.spec, "managedBy")
    if given and given not in MANAGERS:
        yield Problem((*cluster.path, "managedBy"), f"must be {' or '.join(MANAGERS)}")
