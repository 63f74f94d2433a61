"""What a pod that is not ready does now, where nothing is wrong with it. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from raykit.kuberay.explaining.scene import events_of
from raykit.objects import Object, holds

WAIT_FOR_HEAD = "wait-gcs-ready"


def stage(pod: Object, events: Sequence[Object]) -> str:
    """What a pod waits for, in a few words that stay the same while it does so.

    events: those about this pod, and perhaps others.
    """
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return "its old pod is still ending"
    if not holds(pod, "PodScheduled"):
        return "it waits for a Kubernetes node"
    for container in status.get("initContainerStatuses", []):
        if "running" in (container.get("state") or {}):
            name = container["name"]
            return (
                "it waits until the head answers"
                if name == WAIT_FOR_HEAD
                else f"its init container {name} runs"
            )
    states = [item.get("state") or {} for item in status.get("containerStatuses", [])]
    if states and all("running" in state for state in states):
        return "its containers run, and Ray starts in them"
    return _creating(pod, events)


def _creating(pod: Object, events: Sequence[Object]) -> str:
    own = events_of(pod, events)
    pulled = [item for item in own if item.get("reason") == "Pulled"]
    pulling = [item for item in own if item.get("reason") == "Pulling"]
    if len(pulling) > len(pulled):
        return f"its Kubernetes node pulls an image ({pulling[-1].get('message', '')})"
    return "its containers are being created"
