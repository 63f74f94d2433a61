"""Fields that only a feature gate of the operator brings to life, where it is off by default.

Nothing here knows how an operator was started: what needs a gate is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator

from raykit.manifests.judging.rules.cluster import Cluster
from raykit.manifests.judging.rules.service import INCREMENTAL
from raykit.manifests.judging.rules.values import at, since_1_7, text
from raykit.objects import Object
from raykit.spec.problems import Path, Problem

OF_A_CLUSTER: tuple[tuple[Path, str], ...] = (
    (("networkPolicy",), "RayClusterNetworkPolicy"),
    (("tlsOptions",), "RayClusterMTLS"),
    (("historyServerOptions",), "RayClusterHistoryServer"),
)
ROCKSDB = "GCSFaultToleranceEmbeddedStorage"


def warnings(manifest: Object, cluster: Cluster | None, kuberay: str) -> Iterator[Problem]:
    """What of a resource needs a feature gate that is off in a version of KubeRay."""
    if manifest.get("kind") == "RayCronJob":
        yield _needs(("kind",), "RayCronJob", kuberay)
    upgrade: Path = ("spec", "upgradeStrategy", "type")
    incremental = manifest.get("kind") == "RayService" and text(manifest, *upgrade) == INCREMENTAL
    if incremental and not since_1_7(kuberay):
        yield _needs(upgrade, "RayServiceIncrementalUpgrade", kuberay)
    if cluster is None:
        return
    for path, gate in OF_A_CLUSTER:
        if at(cluster.spec, *path) is not None:
            yield _needs((*cluster.path, *path), gate, kuberay)
    backend: Path = ("gcsFaultToleranceOptions", "backend")
    if text(cluster.spec, *backend) == "rocksdb":
        yield _needs((*cluster.path, *backend), ROCKSDB, kuberay)


def _needs(path: Path, gate: str, kuberay: str) -> Problem:
    return Problem(path, f"needs the operator's feature gate {gate}, off by default in {kuberay}")
