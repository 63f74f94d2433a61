"""Rules for the fault tolerance of Ray's GCS: in Redis, or embedded (KubeRay 1.7)."""

from __future__ import annotations

from collections.abc import Iterator

from raykit.manifests.judging.rules.cluster import RAY_CONTAINER, Cluster
from raykit.manifests.judging.rules.values import at, items, mapping, text, variables
from raykit.spec.problems import Path, Problem

ENABLED, NAMESPACE = "ray.io/ft-enabled", "ray.io/external-storage-namespace"
OPTIONS = "gcsFaultToleranceOptions"
REDIS_ADDRESS, REDIS_PASSWORD, REDIS_USERNAME = (
    "RAY_REDIS_ADDRESS",
    "REDIS_PASSWORD",
    "REDIS_USERNAME",
)
EMBEDDED_PATH = "/data/gcs"
EMBEDDED_VARIABLES = ("RAY_gcs_storage", "RAY_gcs_storage_path")
OF_REDIS = ("redisAddress", "redisUsername", "redisPassword", "externalStorageNamespace")
OF_A_NEW_CLAIM = ("size", "storageClassName", "accessModes")


def problems(cluster: Cluster) -> Iterator[Problem]:
    """What KubeRay refuses in a cluster's fault tolerance."""
    if isinstance(at(cluster.spec, OPTIONS), dict):
        yield from _beside_options(cluster)
        if text(cluster.spec, OPTIONS, "backend") == "rocksdb":
            yield from _embedded(cluster)
        elif at(cluster.spec, OPTIONS, "storage") is not None:
            yield Problem((*cluster.path, OPTIONS, "storage"), "needs backend: rocksdb")
    elif text(cluster.annotations, ENABLED).lower() != "true":
        yield from _set_in_head(cluster, REDIS_ADDRESS, f"needs {OPTIONS}")
    yield from _set_in_head(cluster, REDIS_USERNAME, f"belongs into {OPTIONS}.redisUsername")
    yield from _start_parameter(cluster, "redis-username", "redisUsername")


def _beside_options(cluster: Cluster) -> Iterator[Problem]:
    for name in (ENABLED, NAMESPACE):
        if text(cluster.annotations, name):
            yield Problem(("metadata", "annotations", name), f"{OPTIONS} replaces it")
    yield from _start_parameter(cluster, "redis-password", "redisPassword")
    yield from _set_in_head(cluster, REDIS_PASSWORD, f"belongs into {OPTIONS}.redisPassword")
    yield from _set_in_head(cluster, REDIS_ADDRESS, f"belongs into {OPTIONS}.redisAddress")


def _embedded(cluster: Cluster) -> Iterator[Problem]:
    options: Path = (*cluster.path, OPTIONS)
    given = mapping(cluster.spec, OPTIONS)
    for key in OF_REDIS:
        if given.get(key):
            yield Problem((*options, key), "has no place beside backend: rocksdb")
    if text(given, "storage", "claimName"):
        for key in OF_A_NEW_CLAIM:
            if at(given, "storage", key):
                yield Problem((*options, "storage", key), "has no place beside claimName")
    for name in EMBEDDED_VARIABLES:
        yield from _set_in_head(cluster, name, "KubeRay sets it with backend: rocksdb")
    for place, mount in items(cluster.ray_container, "volumeMounts"):
        if text(mount, "mountPath") == EMBEDDED_PATH:
            path: Path = (*cluster.path, *RAY_CONTAINER, "volumeMounts", place)
            yield Problem(path, f"KubeRay mounts its own volume at {EMBEDDED_PATH}")


def _set_in_head(cluster: Cluster, variable: str, why: str) -> Iterator[Problem]:
    for place, name, _ in variables(cluster.ray_container):
        if name == variable:
            yield Problem((*cluster.path, *RAY_CONTAINER, "env", place), f"{name}: {why}")


def _start_parameter(cluster: Cluster, name: str, option: str) -> Iterator[Problem]:
    if text(cluster.head, "rayStartParams", name):
        path: Path = (*cluster.path, "headGroupSpec", "rayStartParams", name)
        yield Problem(path, f"belongs into {OPTIONS}.{option}")
