"""Rules for a RayService."""

from __future__ import annotations

import re
from collections.abc import Iterator

from raykit.manifests.judging.rules.cluster import Cluster
from raykit.manifests.judging.rules.values import at, mapping, number, since_1_7, text
from raykit.objects import Object
from raykit.spec.problems import Path, Problem

INCREMENTAL = "NewClusterWithIncrementalUpgrade"
UPGRADES = (INCREMENTAL, "NewCluster", "None")
TIMEOUT = "ray.io/initializing-timeout"
_DURATION = re.compile(r"\+?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+")
_NOTHING = re.compile(r"\+?(?:0*\.?0*(?:ns|us|µs|μs|ms|s|m|h))+")


def problems(manifest: Object, cluster: Cluster, kuberay: str) -> Iterator[Problem]:
    """What KubeRay refuses in a service, besides its cluster's spec."""
    timeout = text(manifest, "metadata", "annotations", TIMEOUT)
    if timeout and not _is_timeout(timeout):
        wrong = f'"{timeout}" is no duration above 0, such as 5m, and no number of seconds'
        yield Problem(("metadata", "annotations", TIMEOUT), wrong)
    if at(cluster.spec, "authOptions", "enableK8sTokenAuth") is True:
        path: Path = (*cluster.path, "authOptions", "enableK8sTokenAuth")
        yield Problem(path, "KubeRay has it for no RayService")
    head: Path = (*cluster.path, "headGroupSpec", "headService", "metadata", "name")
    if text(manifest, *head):
        yield Problem(head, "must be left out: KubeRay names the service")
    spec = mapping(manifest, "spec")
    delay = number(spec, "rayClusterDeletionDelaySeconds")
    if delay is not None and delay < 0:
        yield Problem(("spec", "rayClusterDeletionDelaySeconds"), f"{delay} is negative")
    yield from _upgrade(spec, cluster, kuberay)


def _is_timeout(written: str) -> bool:
    if re.fullmatch(r"\+?\d+", written, re.ASCII):
        return int(written[:20]) > 0
    return bool(_DURATION.fullmatch(written)) and not _NOTHING.fullmatch(written)


def _upgrade(spec: Object, cluster: Cluster, kuberay: str) -> Iterator[Problem]:
    here: Path = ("spec", "upgradeStrategy")
    kind = text(spec, "upgradeStrategy", "type")
    if kind and kind not in UPGRADES:
        yield Problem((*here, "type"), f"must be one of {', '.join(UPGRADES)}")
    if kind == INCREMENTAL:
        if not cluster.autoscaled:
            yield Problem((*here, "type"), f"{kind} needs enableInTreeAutoscaling: true")
        yield from _options(spec, (*here, "clusterUpgradeOptions"), kuberay)


def _options(spec: Object, path: Path, kuberay: str) -> Iterator[Problem]:
    options = at(spec, "upgradeStrategy", "clusterUpgradeOptions")
    if not isinstance(options, dict):
        yield Problem(path, f"is required for {INCREMENTAL}")
        return
    surge = number(options, "maxSurgePercent")
    surge = 100 if surge is None else surge
    step = number(options, "stepSizePercent")
    for key, share in (("maxSurgePercent", surge), ("stepSizePercent", step)):
        if share is None or not 0 <= share <= 100:
            yield Problem((*path, key), "must be a number from 0 to 100")
    if since_1_7(kuberay) and step is not None and step > surge:
        yield Problem((*path, "stepSizePercent"), f"{step} is above maxSurgePercent {surge}")
    if (number(options, "intervalSeconds") or 0) <= 0:
        yield Problem((*path, "intervalSeconds"), "must be a number above 0")
    if not text(options, "gatewayClassName"):
        yield Problem((*path, "gatewayClassName"), "is required")
