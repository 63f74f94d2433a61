"""What the operator of a KubeRay version has against a resource that its CRD's schema takes."""

from __future__ import annotations

from collections.abc import Iterator

from raykit.manifests.judging.rules import (
    cluster,
    cron,
    fault_tolerance,
    gates,
    isolation,
    job,
    service,
)
from raykit.manifests.judging.rules.cluster import Cluster
from raykit.manifests.judging.rules.values import at, mapping, since_1_7, text
from raykit.objects import Object
from raykit.spec import names
from raykit.spec.problems import Path, Problem

LONGEST_NAME = {"RayCluster": 53, "RayJob": 47, "RayService": 47}
"""KubeRay makes longer names of these: a service of 63 characters, a cluster, a job."""
LONGEST_CRON_JOB = {"1.6": 41, "1.7": 36}
"""The RayJobs of a RayCronJob have names that are 6 or 11 characters longer."""
_CLUSTERS: dict[str, Path] = {
    "RayCluster": ("spec",),
    "RayJob": ("spec", "rayClusterSpec"),
    "RayService": ("spec", "rayClusterConfig"),
    "RayCronJob": ("spec", "jobTemplate", "rayClusterSpec"),
}
JOBS: dict[str, Path] = {"RayJob": ("spec",), "RayCronJob": ("spec", "jobTemplate")}


def problems(manifest: Object, kuberay: str) -> list[Problem]:
    """What the operator refuses in a resource of the group ray.io/v1."""
    kind = text(manifest, "kind")
    wrong = [*_name(manifest, kind, kuberay)]
    if kind in JOBS:
        wrong += job.problems(mapping(manifest, *JOBS[kind]), JOBS[kind])
    if kind == "RayCronJob":
        wrong += cron.problems(manifest, kuberay)
    own = cluster_of(manifest)
    if own is not None:
        wrong += cluster.problems(own, kuberay)
        wrong += fault_tolerance.problems(own)
        wrong += isolation.problems(own)
        wrong += _made_by_another(own, kind)
    if kind == "RayService" and own is not None:
        wrong += service.problems(manifest, own, kuberay)
    return wrong


def warnings(manifest: Object, kuberay: str) -> list[Problem]:
    """What needs a feature gate that is off by default."""
    return list(gates.warnings(manifest, cluster_of(manifest), kuberay))


def cluster_of(manifest: Object) -> Cluster | None:
    """The RayCluster's spec that a resource holds; None if it holds none."""
    path = _CLUSTERS.get(text(manifest, "kind"))
    spec = at(manifest, *path) if path else None
    if path is None or not isinstance(spec, dict):
        return None
    return Cluster(spec, path, mapping(manifest, "metadata", "annotations"))


def _name(manifest: Object, kind: str, kuberay: str) -> Iterator[Problem]:
    name = text(manifest, "metadata", "name")
    here: Path = ("metadata", "name")
    if not name:
        if not text(manifest, "metadata", "generateName"):
            yield Problem(here, "is required")
        return
    longest = LONGEST_NAME.get(kind, LONGEST_CRON_JOB["1.7" if since_1_7(kuberay) else "1.6"])
    try:
        names.resource_name(name, longest)
    except ValueError as wrong:
        yield Problem(here, str(wrong))


def _made_by_another(own: Cluster, kind: str) -> Iterator[Problem]:
    """KubeRay refuses, in the clusters that it makes itself, what only users' clusters may say."""
    if kind == "RayCluster":
        return
    if at(own.spec, "upgradeStrategy", "type") is not None:
        wrong = f"must be left out: KubeRay refuses it in the RayCluster of a {kind}"
        yield Problem((*own.path, "upgradeStrategy", "type"), wrong)
    if kind == "RayJob" and at(own.spec, "authOptions", "enableK8sTokenAuth") is True:
        path: Path = (*own.path, "authOptions", "enableK8sTokenAuth")
        yield Problem(path, "KubeRay has it for no RayJob")
