"""Rules for the pods of one group: volumes, accelerators, storage, options of `ray start`."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from raykit.spec import quantity
from raykit.spec.model import NVIDIA, Pods
from raykit.spec.names import label_key
from raykit.spec.problems import Path, Problem

OWN_VOLUMES = frozenset({"shared-memory", "tmp", "ray-logs", "autoscaler-token"})
OWN_CONTAINERS = frozenset({"ray-head", "ray-worker", "autoscaler", "wait-gcs-ready"})
OWN_PATHS = ("/dev/shm", "/tmp", "/dev", "/proc", "/sys", "/")
SOURCES = ("claim", "secret", "configMap", "scratch", "csi")

SET_ELSEWHERE = {
    "num-cpus": "taskCpus sets it",
    "num-gpus": "gpu sets it",
    "object-store-memory": "sharedMemory sets it",
    "resources": "resources sets it",
    "labels": "rayLabels sets it",
    "dashboard-host": "raykit sets it, so that the head's service is reached",
    "head": "KubeRay sets it",
    "address": "KubeRay sets it",
    "block": "KubeRay sets it",
    "no-monitor": "KubeRay sets it",
    "autoscaling-config": "KubeRay sets it",
    "port": "the head's service and the workers expect Ray's own port",
    "dashboard-port": "the head's service expects Ray's own port",
    "metrics-export-port": "the pods' port and monitoring expect Ray's own port",
    "dashboard-agent-listen-port": "the pods' probes expect Ray's own port",
    "node-ip-address": "KubeRay's environment gives it",
}
"""Options of `ray start` that a spec cannot set, and why."""

RAYS_OWN_RESOURCES = frozenset({"cpu", "memory", "object_store_memory"})
"""In lower case. KubeRay reads them in any case, and every name that ends with `gpu` as GPUs."""
KNOWN_TO_KUBERNETES = frozenset({"cpu", "memory", "ephemeral-storage", "pods", "storage"})


def problems(path: Path, part: Pods) -> Iterator[Problem]:
    """The problems of one group's pods whose single fields are valid."""
    yield from _volumes(path, part)
    yield from _env_from(path, part)
    yield from _accelerators(path, part)
    yield from _storage(path, part)
    yield from _ray(path, part)
    yield from _containers(path, part)
    yield from _labels(path, part)


def _volumes(path: Path, part: Pods) -> Iterator[Problem]:
    names = Counter(volume.name for volume in part.volumes)
    mounts = Counter(_plain(volume.mount_path) for volume in part.volumes)
    for at, volume in enumerate(part.volumes):
        here: Path = (*path, "volumes", at)
        sources = [
            alias
            for alias, value in (
                ("claim", volume.claim),
                ("secret", volume.secret),
                ("configMap", volume.config_map),
                ("scratch", volume.scratch),
                ("csi", volume.csi),
            )
            if value is not None
        ]
        if len(sources) != 1:
            had = f"has {' and '.join(sources)}" if sources else "has none"
            yield Problem(here, f"needs exactly one source ({', '.join(SOURCES)}); it {had}")
        if volume.scratch is not None and quantity.size(volume.scratch) == 0:
            yield Problem((*here, "scratch"), "must be above 0")
        if volume.name in OWN_VOLUMES:
            yield Problem((*here, "name"), f'"{volume.name}" is a volume of raykit\'s own')
        elif names[volume.name] > 1:
            yield Problem((*here, "name"), f'"{volume.name}" names more than one volume')
        mount = _plain(volume.mount_path)
        if mount in OWN_PATHS:
            yield Problem((*here, "mountPath"), f"{mount} is taken: choose another path")
        elif mounts[mount] > 1:
            yield Problem((*here, "mountPath"), f"{mount} is mounted more than once")


def _plain(mount_path: str) -> str:
    """A path without what does not change where it leads."""
    return posixpath.normpath("/" + mount_path.lstrip("/"))


def _env_from(path: Path, part: Pods) -> Iterator[Problem]:
    for at, source in enumerate(part.env_from):
        if (source.secret is None) == (source.config_map is None):
            yield Problem((*path, "envFrom", at), "needs exactly one of secret, configMap")


def _accelerators(path: Path, part: Pods) -> Iterator[Problem]:
    if part.gpu is None and part.gpu_resource != NVIDIA:
        yield Problem(
            (*path, "gpuResource"), "has no effect without gpu", involves=((*path, "gpu"),)
        )
    for key, names in (
        ("gpuResource", [part.gpu_resource]),
        ("accelerators", list(part.accelerators)),
    ):
        for name in names:
            wrong = _resource_mistake(name)
            if wrong:
                place = (*path, key) if key == "gpuResource" else (*path, key, name)
                yield Problem(place, wrong)
    if part.gpu is not None and part.gpu_resource in part.accelerators:
        yield Problem(
            (*path, "accelerators", part.gpu_resource),
            "gpu asks for it already",
            involves=((*path, "gpu"),),
        )


def _resource_mistake(name: str) -> str | None:
    domain, slash, last = name.rpartition("/")
    if name in KNOWN_TO_KUBERNETES:
        return f'"{name}" is no accelerator'
    if not slash or "." not in domain or not last or not _is_qualified(name):
        return f'"{name}" is no extended resource such as {NVIDIA}'
    return None


def _is_qualified(name: str) -> bool:
    try:
        return bool(label_key(name))
    except ValueError:
        return False


def _storage(path: Path, part: Pods) -> Iterator[Problem]:
    if part.ephemeral_storage is None:
        return
    bound, used = quantity.size(part.ephemeral_storage), quantity.size(part.tmp_storage)
    if used > bound:
        yield Problem(
            (*path, "ephemeralStorage"),
            f"{part.ephemeral_storage} is below tmpStorage {part.tmp_storage}, which is a part",
            involves=((*path, "tmpStorage"),),
        )


def _ray(path: Path, part: Pods) -> Iterator[Problem]:
    for name in part.ray_start_params:
        plain = name.lstrip("-")
        if plain != name:
            yield Problem((*path, "rayStartParams", name), f"without the dashes: {plain}")
        elif name in SET_ELSEWHERE:
            yield Problem((*path, "rayStartParams", name), SET_ELSEWHERE[name])
    for name in part.resources:
        if name.lower() in RAYS_OWN_RESOURCES or name.lower().endswith("gpu"):
            yield Problem((*path, "resources", name), f'"{name}": taskCpus, gpu and memory set it')
        elif not name or any(mark in name for mark in "'\"\\ ,:"):
            yield Problem((*path, "resources", name), f'"{name}" is no name of a custom resource')


def _containers(path: Path, part: Pods) -> Iterator[Problem]:
    lists: Sequence[tuple[str, Any]] = (
        ("initContainers", part.init_containers),
        ("sidecars", part.sidecars),
    )
    names = Counter(container.name for _, own in lists for container in own)
    for key, own in lists:
        for at, container in enumerate(own):
            here: Path = (*path, key, at)
            if container.name in OWN_CONTAINERS:
                yield Problem((*here, "name"), f'"{container.name}" is a container of Ray\'s pods')
            elif names[container.name] > 1:
                yield Problem((*here, "name"), f'"{container.name}" names more than one container')
            for field in ("name", "image"):
                if field in container.spec:
                    yield Problem((*here, "spec", field), f"stands beside spec, as {field}")


def _labels(path: Path, part: Pods) -> Iterator[Problem]:
    for name in part.labels:
        if name.startswith(("ray.io/", "raykit.io/", "app.kubernetes.io/")):
            yield Problem((*path, "labels", name), "KubeRay and raykit find pods by it")
