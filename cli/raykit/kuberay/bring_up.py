"""The phases in which a cluster came up. `raykit up` records them; every submit reads them.

They must be recorded at once: a readiness probe that fails later changes the pod's times.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Sequence

from raykit.errors import RaykitError
from raykit.kube.connection import FIELD_MANAGER
from raykit.kuberay import raycluster
from raykit.kuberay.pods import is_head, ray_container
from raykit.kuberay.raycluster import Cluster
from raykit.objects import Object, condition, last_applied, seconds
from raykit.phases import WALL, Phase

ANNOTATION = "raykit.io/bring-up"
SOURCE = "kubernetes"
RESOLUTION_SECONDS = 1.0
PHASES = ("applied", "scheduled", "image", "head-ready", "workers-ready")


def pod_phases(cluster: Object, pods: Sequence[Object]) -> list[Phase]:
    """The phases in which a cluster came up, from the API server's timestamps (resolution 1 s).

    Each phase begins where the one before ends:
    `applied`: from the last apply by raykit (else the creation) until the head pod exists;
    `scheduled`: until the head pod has a Kubernetes node;
    `image`: until the head's Ray container has started, with image and volumes;
    `head-ready`: until the head is ready;
    `workers-ready`: until the last worker is ready.
    Phases that have not ended are left out.
    """
    head = next((pod for pod in pods if is_head(pod)), None)
    created = [item["metadata"].get("creationTimestamp") for item in (cluster, head or cluster)]
    if head is None or not all(created):
        return []
    ends = {
        "applied": seconds(created[1]),
        "scheduled": _condition(head, "PodScheduled"),
        "image": ray_started(cluster, head),
        "head-ready": _condition(head, "Ready"),
        "workers-ready": _workers_ready(pods),
    }
    phases, start = [], seconds(last_applied(cluster, FIELD_MANAGER))
    for name, end in ends.items():
        if end is None:
            break
        phases.append(Phase(name, start, max(end - start, 0.0), SOURCE, WALL, RESOLUTION_SECONDS))
        start = max(start, end)
    return phases


def record(cluster: Cluster, applied: Object) -> None:
    """Store the phases of a cluster that has just become ready in its annotations.

    applied: the RayCluster as the API server returned it when it was applied.
    Its errors are ignored: the phases are only information.
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
    """The phases that `raykit up` recorded for the current head; empty if it recorded none."""
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
        # Everyone who may change the cluster may write anything into its annotations.
        return []


def _living(pods: Sequence[Object]) -> list[Object]:
    return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]


def _head_uid(pods: Sequence[Object]) -> str | None:
    uids: list[str] = [pod["metadata"]["uid"] for pod in pods if is_head(pod)]
    return uids[0] if len(uids) == 1 else None


def ray_started(cluster: Object, pod: Object) -> float | None:
    """When the Ray container of a pod started, in Unix seconds; None if it does not run."""
    name = ray_container(cluster, pod).get("name")
    for state in (pod.get("status") or {}).get("containerStatuses", []):
        started = ((state.get("state") or {}).get("running") or {}).get("startedAt")
        if state["name"] == name and started:
            return seconds(started)
    return None


def _workers_ready(pods: Sequence[Object]) -> float | None:
    """When the last worker became ready; None without workers, or while one is not ready."""
    ready = [_condition(pod, "Ready") for pod in pods if not is_head(pod)]
    known = [moment for moment in ready if moment is not None]
    return max(known) if known and len(known) == len(ready) else None


def _condition(pod: Object, kind: str) -> float | None:
    state = condition(pod, kind) or {}
    if state.get("status") != "True" or "lastTransitionTime" not in state:
        return None
    return seconds(state["lastTransitionTime"])
