"""How the containers of pods ended, and whether that says how they stand now. Pure functions."""

from __future__ import annotations

from raykit.objects import Object, seconds

BACKS_OFF = "CrashLoopBackOff"
OUT_OF_MEMORY = "OOMKilled"
UNSEEN = {"Unknown", "ContainerStatusUnknown"}
"""Reasons of an end that nobody saw: the Kubernetes node went down with the container, whose exit
code, 255 or 137, is then made up by containerd or the kubelet."""
STEADY_SECONDS = 600.0
"""A container that runs so long does start. Then kubelets forget its earlier ends, too; the number
of its restarts counts from the pod's first day."""


def last(container: Object) -> Object:
    """The last end in a container's status, its present one first; empty if it never ended."""
    for state in ("state", "lastState"):
        ended: Object | None = (container.get(state) or {}).get("terminated")
        if ended:
            return ended
    return {}


def again_and_again(container: Object, now: float) -> bool:
    """Whether a container keeps ending, or ran out of memory. now: Unix seconds."""
    ended = last(container)
    if not ended or ended.get("exitCode") == 0 or ended.get("reason") in UNSEEN:
        return False
    if _backs_off(container):
        return True
    running = (container.get("state") or {}).get("running") or {}
    since = seconds(running["startedAt"]) if "startedAt" in running else now
    if max(_ran(ended), now - since) >= STEADY_SECONDS:
        return False
    return ended.get("reason") == OUT_OF_MEMORY or container.get("restartCount", 0) >= 2


def is_down(container: Object) -> bool:
    """Whether a container has ended and is not being started again yet."""
    return _backs_off(container) or "terminated" in (container.get("state") or {})


def before(container: Object, moment: float) -> bool:
    """Whether the last end of a container was before a moment, in Unix seconds."""
    finished = last(container).get("finishedAt")
    return finished is not None and seconds(finished) < moment


def _backs_off(container: Object) -> bool:
    waiting = (container.get("state") or {}).get("waiting") or {}
    return waiting.get("reason") == BACKS_OFF


def _ran(ended: Object) -> float:
    if not (ended.get("startedAt") and ended.get("finishedAt")):
        return 0.0
    return seconds(ended["finishedAt"]) - seconds(ended["startedAt"])
