"""What a run record says of the Kubernetes side: phases of the pods, machines, image, limits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from raykit.errors import RaykitError
from raykit.kuberay import operator, raycluster, throttling
from raykit.kuberay.raycluster import Cluster, is_head
from raykit.objects import Object, condition
from raykit.phases import WALL, Phase

SOURCE = "kubernetes"
RESOLUTION_SECONDS = 1.0


def pod_phases(cluster: Object, pods: Sequence[Object]) -> list[Phase]:
    """How a cluster came up, from the API server's own timestamps, each phase where the last ends.

    `applied`: RayCluster made → head pod made; `scheduled` → a Kubernetes node has it;
    `image` → pulled, mounted, started; `head-ready` → ready; `workers-ready` → the last worker is.
    What has not happened yet is left out. Resolution 1 s.
    """
    head = next((pod for pod in pods if is_head(pod)), None)
    if head is None:
        return []
    ends = {
        "applied": _seconds(head["metadata"]["creationTimestamp"]),
        "scheduled": _condition(head, "PodScheduled"),
        "image": _started(head),
        "head-ready": _condition(head, "Ready"),
        "workers-ready": _workers_ready(pods),
    }
    phases, start = [], _seconds(cluster["metadata"]["creationTimestamp"])
    for name, end in ends.items():
        if end is None:
            break
        phases.append(Phase(name, start, max(end - start, 0.0), SOURCE, WALL, RESOLUTION_SECONDS))
        start = max(start, end)
    return phases


def describe(cluster: Cluster) -> dict[str, Any]:
    """The cluster as it is now: operator, Kubernetes nodes, pods with image digest and limits.

    `machines`: distinct boot ids; kind nodes are containers of one machine and share theirs.
    `cpu_throttling`: since the container's start (throttling.py).
    """
    pods = raycluster.pods(cluster)
    nodes = _nodes(cluster, {pod["spec"].get("nodeName") for pod in pods})
    boot_ids = {node["boot_id"] for node in nodes}
    return {
        "context": cluster.connection.context,
        "namespace": cluster.namespace,
        "name": cluster.name,
        "uid": cluster.item["metadata"]["uid"],
        "ray_version": cluster.item["spec"].get("rayVersion"),
        "kubernetes_version": cluster.connection.version(),
        "operator_version": _operator_version(cluster),
        "machines": len(boot_ids) if nodes else None,
        "nodes": nodes,
        "pods": [
            {**_pod(pod), "cpu_throttling": throttling.of_pod(cluster.connection, pod)}
            for pod in pods
        ],
    }


def _nodes(cluster: Cluster, names: set[str | None]) -> list[dict[str, Any]]:
    try:
        items = cluster.connection.objects("Node")
    except RaykitError:
        # Reading nodes needs a right over the whole cluster, which a user of one may not have.
        return []
    return [_node(item) for item in items if item["metadata"]["name"] in names]


def _node(item: Object) -> dict[str, Any]:
    info, allocatable = item["status"]["nodeInfo"], item["status"].get("allocatable", {})
    return {
        "name": item["metadata"]["name"],
        "boot_id": info["bootID"],
        "machine_id": info["machineID"],
        "architecture": info["architecture"],
        "kubelet": info["kubeletVersion"],
        "cpu": allocatable.get("cpu"),
        "memory": allocatable.get("memory"),
    }


def _pod(pod: Object) -> dict[str, Any]:
    container = pod["spec"]["containers"][0]
    resources = container.get("resources") or {}
    states = (pod.get("status") or {}).get("containerStatuses", [])
    state: Object = next((each for each in states if each["name"] == container["name"]), {})
    return {
        "name": pod["metadata"]["name"],
        "role": "head" if is_head(pod) else "worker",
        "group": pod["metadata"]["labels"].get("ray.io/group"),
        "node": pod["spec"].get("nodeName"),
        "ip": (pod.get("status") or {}).get("podIP"),
        "image": container["image"],
        "image_digest": _digest(state.get("imageID", "")),
        "requests": resources.get("requests") or {},
        "limits": resources.get("limits") or {},
        "restarts": state.get("restartCount", 0),
    }


def _digest(image_id: str) -> str | None:
    found = re.search(r"sha256:[0-9a-f]{64}$", image_id)
    return found[0] if found else None


def _operator_version(cluster: Cluster) -> str | None:
    try:
        return operator.version(operator.find(cluster.connection))
    except RaykitError:
        return None


def _started(pod: Object) -> float | None:
    for each in (pod.get("status") or {}).get("containerStatuses", []):
        running = (each.get("state") or {}).get("running")
        if each["name"] == pod["spec"]["containers"][0]["name"] and running:
            return _seconds(running["startedAt"])
    return None


def _workers_ready(pods: Sequence[Object]) -> float | None:
    """When the last worker was ready; None without workers, or while one is not."""
    ready = [_condition(pod, "Ready") for pod in pods if not is_head(pod)]
    known = [each for each in ready if each is not None]
    return max(known) if known and len(known) == len(ready) else None


def _condition(pod: Object, kind: str) -> float | None:
    found = condition(pod, kind)
    if found is None or found["status"] != "True":
        return None
    return _seconds(found["lastTransitionTime"])


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
