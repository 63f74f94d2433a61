"""What explains together why pods are not ready, and how long a reason may last. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from raykit.kuberay.finding import Finding
from raykit.kuberay.scheduling import Machines
from raykit.objects import Object, last_seen, seconds

AT_ONCE, SOON, LATER, UNREPEATED = 0.0, 8.0, 12.0, 18.0
"""Seconds that a reason may last. Unrepeated: it is from before the wait; a kubelet looks again
within 15 s, as a node autoscaler does, and KubeRay looks at once if it is asked to."""
NOT_READ = Machines()


@dataclass(frozen=True)
class Scene:
    """The objects to diagnose together.

    events: those about the cluster and its pods. machines: why Kubernetes nodes do not take
    unschedulable pods. now: Unix seconds. since: when the wait began; 0: nobody waits. own_image:
    prefix of raykit's own image, which is in no registry. queued: how a suspended cluster waits in
    its queue, if it has one.
    """

    context: str
    pods: Sequence[Object] = ()
    events: Sequence[Object] = ()
    machines: Machines = NOT_READ
    now: float = 0.0
    since: float = 0.0
    own_image: str = "raykit:"
    queued: Finding | None = None


def events_of(item: Object, events: Sequence[Object]) -> list[Object]:
    """The events about an object, in the order in which they were last seen.

    Those of one second stay as listed: the API server lists events as they first happened.
    """
    uid = item["metadata"].get("uid")
    own = [event for event in events if (event.get("involvedObject") or {}).get("uid") == uid]
    return sorted(own, key=last_seen)


def is_warning(event: Object) -> bool:
    return bool(event.get("type") == "Warning")


def is_said_now(pod: Object, events: Sequence[Object], scene: Scene) -> bool:
    """Whether one of these events about a pod, or the pod itself, is not older than the wait.

    An event without a time counts.
    """
    created = pod["metadata"].get("creationTimestamp")
    is_new = bool(created) and seconds(created) >= int(scene.since)
    times = [last_seen(event) or scene.since for event in events]
    return not scene.since or is_new or any(time >= int(scene.since) for time in times)
