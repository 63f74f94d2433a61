"""The Kubernetes part of a run record: pods, images, limits, machines, bring-up phases."""

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
    """The state of the cluster now. Parts that cannot be read are left out; no error is raised.

    observed_at: Unix seconds. pods: those at that moment; Ray's own list of nodes also has those
    that came or went later. nodes: the Kubernetes nodes of these pods. machines: number of
    distinct boot ids; the nodes of a kind cluster share one. bring_up: phases, if `raykit up`
    recorded them. missing: one line for each part that could not be read.
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
    """The result of a read; if it fails, None, and the reason goes into `missing`."""
    try:
        return read()
    except RaykitError as error:
        missing.append(error.what)
        return None


def _nodes(connection: Kubernetes, names: set[str], missing: list[str]) -> list[dict[str, Any]]:
    """The nodes of these names; none if the user may not read nodes."""

    def read(name: str) -> Object | None:
        return connection.get("Node", name)

    with ThreadPoolExecutor(NODES_AT_ONCE) as pool:
        chosen = sorted(names)[:MOST_NODES]
        items = _allowed(lambda: list(pool.map(read, chosen)), missing) or []
    return [_node(item) for item in items if item is not None]


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
    state: Object = next((item for item in states if item["name"] == container.get("name")), {})
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
    match = re.search(r"sha256:[0-9a-f]{64}$", image_id)
    return match[0] if match else None


def _operator_version(pods: Sequence[Object]) -> str | None:
    """The operator's version, from its annotation of the head pod."""
    annotations = [pod["metadata"].get("annotations") or {} for pod in pods if is_head(pod)]
    versions = [values.get(OPERATOR_VERSION_ANNOTATION) for values in annotations]
    return versions[0].removeprefix("v") if versions and versions[0] else None
