"""What KubeRay says in events about a cluster: a spec it refuses, what it cannot create. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from raykit.kube.connection import FIELD_MANAGER
from raykit.kuberay import diagnosis
from raykit.kuberay.diagnosis import LATER, SOON, Scene
from raykit.kuberay.finding import Finding
from raykit.kuberay.pods import is_head, wanted_workers
from raykit.objects import Object, holds, last_applied, last_seen, seconds

FAILED, CREATED = "FailedToCreate", "Created"
NO_ACCOUNT = "AutoscalerServiceAccountNotFound"


def findings(cluster: Object, scene: Scene) -> list[Finding]:
    """What KubeRay has said about a RayCluster since its spec was applied."""
    events = diagnosis.events_of(cluster, scene.events)
    made = {event.get("reason", ""): last_seen(event) for event in events}
    warnings = [
        event
        for event in events
        if diagnosis.is_warning(event) and _is_new(event, cluster) and not _is_mended(event, made)
    ]
    return [*_refused_spec(cluster, warnings), *_failures(cluster, scene, warnings)]


def _is_new(event: Object, cluster: Object) -> bool:
    """Whether an event is not older than the spec: it stays for an hour, and may be mended."""
    applied = last_applied(cluster, FIELD_MANAGER)
    seen = last_seen(event)
    if not (applied and seen):
        return True
    return seen >= seconds(applied)


def _is_mended(event: Object, made: Mapping[str, float]) -> bool:
    """Whether KubeRay has created something of this kind since it failed to.

    Times are whole seconds: in the same second the failure counts as the earlier one, since KubeRay
    tries again, and a second failure has a later time. made: when each reason was last seen.
    """
    reason = event.get("reason", "")
    success = made.get(f"{CREATED}{reason.removeprefix(FAILED)}")
    return reason.startswith(FAILED) and success is not None and success >= last_seen(event)


def _refused_spec(cluster: Object, warnings: Sequence[Object]) -> Iterator[Finding]:
    """Events by which KubeRay refuses a spec: it has no admission webhook and does nothing else."""
    if (cluster.get("status") or {}).get("state") == "ready":
        return
    for event in warnings:
        if event.get("reason", "").startswith("Invalid"):
            yield Finding(
                "invalid",
                "KubeRay refuses it",
                (event.get("message", ""),),
                "change the spec, then raykit up again",
                SOON,
            )


def _failures(cluster: Object, scene: Scene, warnings: Sequence[Object]) -> Iterator[Finding]:
    """The creations that fail while pods are missing.

    KubeRay sets the condition ReplicaFailure for pods only, and only with the feature gate
    RayClusterStatusConditions; of Services, Secrets and Roles there are only events. What once
    failed keeps no pods away from a suspended cluster, such as one in a queue.
    """
    if holds(cluster, "ReplicaFailure") or _is_complete(cluster, scene):
        return
    if diagnosis.is_suspended(cluster):
        return
    newest = {event.get("reason", ""): event.get("message", "") for event in warnings}
    for reason, message in newest.items():
        if reason == NO_ACCOUNT:
            yield Finding(
                "no-account",
                "KubeRay does not find the ServiceAccount that the head names",
                tuple(message.splitlines()),
                "create it, or change head.serviceAccount in the spec; then raykit up again",
                LATER,
            )
        elif reason.startswith(FAILED):
            namespace = cluster["metadata"]["namespace"]
            yield Finding(
                f"event:{reason}",
                f"KubeRay cannot create its {reason.removeprefix(FAILED)}: "
                f"{diagnosis.why_refused(message)}",
                tuple(message.splitlines()),
                diagnosis.repair_of_refusal(message, scene.context, namespace),
                LATER,
            )


def _is_complete(cluster: Object, scene: Scene) -> bool:
    return any(map(is_head, scene.pods)) and len(scene.pods) > wanted_workers(cluster)
