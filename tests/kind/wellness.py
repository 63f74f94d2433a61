"""Whether the shared cluster is well: what one test broke is whole again before the next begins.

What Kubernetes says of a node that was stopped, and of its pods, is old for a while after its
start, and a controller that was started again does nothing until it holds its lease.
"""

import subprocess
import time
from datetime import datetime

import pytest

SHARED = ("kube-system", "ray-system", "raykit")
"""The namespaces that all tests use."""
KINDS = "nodes,pods,deployments,leases,rayclusters"
LEADERS = {
    "kube-controller-manager": "kube-controller-manager-",
    "kube-scheduler": "kube-scheduler-",
    "ray-operator-leader": "kuberay-operator-",
}
"""Leases, and how the names of the pods begin of which one holds it."""
FRESH_SECONDS = 10
"""The oldest lease of a leader that works: it renews its lease every 2 s."""
WELL_SECONDS = 240
SECOND = len("2026-11-27T08:04:22")
"""How much of a time the one in a pod's status and another one have in common."""


def wait_until_well(lab):
    """Wait until nothing is ill. Where that was in vain once, other tests do not wait again."""
    if lab.given_up:
        return
    deadline = time.monotonic() + WELL_SECONDS
    while found := ills(lab):
        if time.monotonic() > deadline:
            lab.given_up = True
            listed = "\n".join(found)
            pytest.fail(f"not well again within {WELL_SECONDS} s:\n{listed}", pytrace=False)
        time.sleep(1)


def ills(lab, *more):
    """What is not well in the shared namespaces and in others; nothing where all is well."""
    try:
        items = lab.objects(KINDS, "--all-namespaces")
        nodes = [item["metadata"]["name"] for item in items if item["kind"] == "Node"]
        words = ["docker", "inspect", "--format", "{{.Name}} {{.State.StartedAt}}", *nodes]
        shown = subprocess.run(words, env=lab.env, check=True, capture_output=True, text=True)
    except (AssertionError, subprocess.SubprocessError) as error:
        return [str(error).strip() or "the API server does not answer"]
    births = dict(line.removeprefix("/").split() for line in shown.stdout.splitlines())
    return judged(items, births, time.time(), (*SHARED, *more))


def judged(items, births, now, namespaces):
    """What is not well among these objects. births: when each Kubernetes node was started."""

    def of(kind):
        return [
            item
            for item in items
            if item["kind"] == kind and item["metadata"].get("namespace") in (None, *namespaces)
        ]

    pods = [pod for pod in of("Pod") if not _is_over(pod)]
    return [
        *(f"Kubernetes node {_name(node)}" for node in of("Node") if not _takes_pods(node)),
        *(f"pod {_name(pod)}" for pod in pods if not _runs(pod, births)),
        *(f"deployment {_name(item)}" for item in of("Deployment") if not _is_whole(item)),
        *(f"lease {_name(lease)}" for lease in of("Lease") if not _is_held(lease, pods, now)),
        *(f"cluster {_name(item)}" for item in of("RayCluster") if not _is_up(item, pods)),
    ]


def _name(item):
    return item["metadata"]["name"]


def _is_ready(item, kind="Ready"):
    conditions = (item.get("status") or {}).get("conditions", [])
    return any(each["type"] == kind and each["status"] == "True" for each in conditions)


def _is_over(pod):
    phase = pod["status"].get("phase")
    return phase in ("Succeeded", "Failed") or "deletionTimestamp" in pod["metadata"]


def _takes_pods(node):
    """The taints of a Kubernetes node that was lost stay for a moment when it is ready again."""
    taints = node["spec"].get("taints", [])
    return _is_ready(node) and not any(
        each["key"].startswith("node.kubernetes.io/") for each in taints
    )


def _runs(pod, births):
    """Whether a pod is ready, and its status is not from before its Kubernetes node was started."""
    birth = births.get(pod["spec"].get("nodeName"), "")
    return _is_ready(pod) and all(start >= birth[:SECOND] for start in _starts(pod))


def _starts(pod):
    """When its containers were started, to the second."""
    states = [each.get("state", {}) for each in pod["status"].get("containerStatuses", [])]
    return [state["running"]["startedAt"][:SECOND] for state in states if "running" in state]


def _is_whole(deployment):
    wanted, status = deployment["spec"]["replicas"], deployment["status"]
    seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    counted = {status.get(f"{which}Replicas", 0) for which in ("available", "updated")}
    return seen and counted == {wanted} and wanted > 0


def _is_held(lease, pods, now):
    """Whether a leader has renewed its lease lately, and since its own start."""
    start = LEADERS.get(_name(lease))
    if start is None:
        return True
    renewed = lease["spec"].get("renewTime")
    if not renewed or now - datetime.fromisoformat(renewed).timestamp() > FRESH_SECONDS:
        return False
    return all(
        renewed[:SECOND] > began
        for pod in pods
        if _name(pod).startswith(start)
        for began in _starts(pod)
    )


def _is_up(cluster, pods):
    """Whether the head of a RayCluster is ready, and no pod of it is missing."""
    if "deletionTimestamp" in cluster["metadata"] or cluster["spec"].get("suspend"):
        return True
    place = (cluster["metadata"]["namespace"], _name(cluster))
    own = [pod for pod in pods if _cluster_of(pod) == place]
    wanted = 1 + (cluster.get("status") or {}).get("desiredWorkerReplicas", 0)
    return _is_ready(cluster, "HeadPodReady") and len(own) == wanted


def _cluster_of(pod):
    labels = pod["metadata"].get("labels", {})
    return pod["metadata"]["namespace"], labels.get("ray.io/cluster")
