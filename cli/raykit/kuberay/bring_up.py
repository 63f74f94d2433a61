"""How a cluster came up: recorded by `raykit up` when it has just seen it, read by every submit.

Later nothing shows it any more: a readiness probe that fails once moves the pod's times.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Sequence
from datetime import datetime

from raykit.errors import RaykitError
from raykit.kube.connection import FIELD_MANAGER
from raykit.kuberay import raycluster
from raykit.kuberay.pods import is_head, ray_container
from raykit.kuberay.raycluster import Cluster
from raykit.objects import Object, condition
from raykit.phases import WALL, Phase

ANNOTATION = "raykit.io/bring-up"
SOURCE = "kubernetes"
RESOLUTION_SECONDS = 1.0
PHASES = ("applied", "scheduled", "image", "head-ready", "workers-ready")


def pod_phases(cluster: Object, pods: Sequence[Object]) -> list[Phase]:
    """How a cluster came up, from the API server's own timestamps, each phase where the last ends.

    `applied`: RayCluster last applied by raykit, else made → head pod made; `scheduled` → a
    Kubernetes node has it; `image` → pulled, mounted, started; `head-ready` → ready;
    `workers-ready` → the last worker is.
    What has not happened yet is left out. Resolution 1 s.
    """
    head = next((pod for pod in pods if is_head(pod)), None)
    made = [each["metadata"].get("creationTimestamp") for each in (cluster, head or cluster)]
    if head is None or not all(made):
        return []
    ends = {
        "applied": _seconds(made[1]),
        "scheduled": _condition(head, "PodScheduled"),
        "image": _started(cluster, head),
        "head-ready": _condition(head, "Ready"),
        "workers-ready": _workers_ready(pods),
    }
    phases, start = [], _seconds(_applied(cluster))
    for name, end in ends.items():
        if end is None:
            break
        phases.append(Phase(name, start, max(end - start, 0.0), SOURCE, WALL, RESOLUTION_SECONDS))
        start = max(start, end)
    return phases


def record(cluster: Cluster, applied: Object) -> None:
    """Keep the phases of a cluster that has just become ready; what only informs may fail.

    applied: the RayCluster as the API server answered when it was applied.
    """
    with contextlib.suppress(RaykitError):
        pods = _living(raycluster.pods(cluster))
        phases = pod_phases(applied, pods)
        content = {
            "head": _head_uid(pods),
            "phases": [[phase.name, phase.start, phase.seconds] for phase in phases],
        }
        text = json.dumps(content, separators=(",", ":"))
        cluster.connection.annotate(
            "RayCluster", cluster.name, cluster.namespace, {ANNOTATION: text}
        )


def recorded(item: Object, pods: Sequence[Object]) -> list[Phase]:
    """The phases that `raykit up` recorded for the head that runs now; none where it did not."""
    text = (item["metadata"].get("annotations") or {}).get(ANNOTATION, "{}")
    try:
        content = json.loads(text)
        if content.get("head") is None or content["head"] != _head_uid(_living(pods)):
            return []
        return [
            Phase(
                str(name),
                float(start),
                float(seconds),
                SOURCE,
                WALL,
                RESOLUTION_SECONDS,
            )
            for name, start, seconds in content["phases"]
            if name in PHASES and math.isfinite(start) and 0 <= seconds < math.inf
        ]
    except (ValueError, TypeError, KeyError, AttributeError):
        # Anybody who may change the cluster may write into its annotations.
        return []


def _living(pods: Sequence[Object]) -> list[Object]:
    return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]


def _head_uid(pods: Sequence[Object]) -> str | None:
    uids: list[str] = [pod["metadata"]["uid"] for pod in pods if is_head(pod)]
    return uids[0] if len(uids) == 1 else None


def _applied(cluster: Object) -> str:
    """When raykit last changed what a RayCluster asks for, else when it was made."""
    metadata = cluster["metadata"]
    times = [
        entry["time"]
        for entry in metadata.get("managedFields") or []
        if (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply")
    ]
    return str(max([metadata["creationTimestamp"], *times]))


def _started(cluster: Object, pod: Object) -> float | None:
    name = ray_container(cluster, pod).get("name")
    for state in (pod.get("status") or {}).get("containerStatuses", []):
        started = ((state.get("state") or {}).get("running") or {}).get("startedAt")
        if state["name"] == name and started:
            return _seconds(started)
    return None


def _workers_ready(pods: Sequence[Object]) -> float | None:
    """When the last worker was ready; None without workers, or while one is not."""
    ready = [_condition(pod, "Ready") for pod in pods if not is_head(pod)]
    known = [each for each in ready if each is not None]
    return max(known) if known and len(known) == len(ready) else None


def _condition(pod: Object, kind: str) -> float | None:
    found = condition(pod, kind) or {}
    if found.get("status") != "True" or "lastTransitionTime" not in found:
        return None
    return _seconds(found["lastTransitionTime"])


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
