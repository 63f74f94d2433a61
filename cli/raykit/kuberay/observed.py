"""What a run record says of the Kubernetes side: phases of the pods, machines, image, limits."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from raykit.errors import RaykitError
from raykit.kube.connection import Kubernetes
from raykit.kuberay import bring_up, raycluster
from raykit.kuberay.pods import (
    GROUP_LABEL,
    OPERATOR_VERSION_ANNOTATION,
    is_head,
    ray_container,
)
from raykit.kuberay.raycluster import Cluster
from raykit.objects import Object

NODES_AT_ONCE, MOST_NODES = 8, 200

Value = TypeVar("Value")


def observe(cluster: Cluster) -> dict[str, Any]:
    """The cluster at one moment, best effort: what we may not read is left out.

    observed_at: when, in Unix seconds. `nodes` and `pods` are those of that moment: pods that the
    autoscaler made or removed since, or that died, are in Ray's own list of nodes. Only the nodes
    that carry these pods are read, by name. `machines`: distinct boot ids; kind nodes are
    containers of one machine and share theirs. bring_up: how the cluster came
    up, where `raykit up` recorded it. missing: one line for each thing that we may not read.
    """
    missing: list[str] = []
    connection = cluster.connection
    pods = _allowed(lambda: raycluster.pods(cluster), missing) or []
    nodes = _nodes(connection, {pod["spec"].get("nodeName", "") for pod in pods} - {""}, missing)
    boot_ids = {node["boot_id"] for node in nodes}
    phases = bring_up.recorded(cluster.item, pods)
    return {
        "observed_at": time.time(),
        "context": connection.context,
        "namespace": cluster.namespace,
        "name": cluster.name,
        "uid": cluster.item["metadata"].get("uid"),
        "ray_version": cluster.item["spec"].get("rayVersion"),
        "kubernetes_version": _allowed(connection.version, missing),
        "operator_version": _operator_version(pods),
        "machines": len(boot_ids) if nodes else None,
        "nodes": nodes,
        "pods": [_pod(cluster.item, pod) for pod in pods],
        **({"bring_up": [phase.as_dict() for phase in phases]} if phases else {}),
        "missing": missing,
    }


def _allowed(read: Callable[[], Value], missing: list[str]) -> Value | None:
    """What a read gives; None where it fails, and then why: a record does not fail by it."""
    try:
        return read()
    except RaykitError as error:
        missing.append(error.what)
        return None


def _nodes(connection: Kubernetes, names: set[str], missing: list[str]) -> list[dict[str, Any]]:
    """The nodes of these names. A user of one namespace may have no right to read any."""

    def read(name: str) -> Object | None:
        return connection.get("Node", name)

    with ThreadPoolExecutor(NODES_AT_ONCE) as pool:
        chosen = sorted(names)[:MOST_NODES]
        found = _allowed(lambda: list(pool.map(read, chosen)), missing) or []
    return [_node(item) for item in found if item is not None]


def _node(item: Object) -> dict[str, Any]:
    status = item.get("status") or {}
    info, allocatable = status.get("nodeInfo") or {}, status.get("allocatable") or {}
    return {
        "name": item["metadata"]["name"],
        "boot_id": info.get("bootID"),
        "machine_id": info.get("machineID"),
        "architecture": info.get("architecture"),
        "kubelet": info.get("kubeletVersion"),
        "cpu": allocatable.get("cpu"),
        "memory": allocatable.get("memory"),
    }


def _pod(cluster: Object, pod: Object) -> dict[str, Any]:
    container = ray_container(cluster, pod)
    resources = container.get("resources") or {}
    states = (pod.get("status") or {}).get("containerStatuses", [])
    state: Object = next((each for each in states if each["name"] == container.get("name")), {})
    return {
        "name": pod["metadata"]["name"],
        "role": "head" if is_head(pod) else "worker",
        "group": (pod["metadata"].get("labels") or {}).get(GROUP_LABEL),
        "node": pod["spec"].get("nodeName"),
        "ip": (pod.get("status") or {}).get("podIP"),
        "created": pod["metadata"].get("creationTimestamp"),
        "image": container.get("image"),
        "image_digest": _digest(state.get("imageID", "")),
        "requests": resources.get("requests") or {},
        "limits": resources.get("limits") or {},
        "restarts": state.get("restartCount", 0),
    }


def _digest(image_id: str) -> str | None:
    found = re.search(r"sha256:[0-9a-f]{64}$", image_id)
    return found[0] if found else None


def _operator_version(pods: Sequence[Object]) -> str | None:
    """The version that the operator wrote on the head's pod."""
    annotations = [pod["metadata"].get("annotations") or {} for pod in pods if is_head(pod)]
    versions = [each.get(OPERATOR_VERSION_ANNOTATION) for each in annotations]
    return versions[0].removeprefix("v") if versions and versions[0] else None
