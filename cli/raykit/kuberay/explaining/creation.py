"""What KubeRay says about a cluster: a spec it refuses, what it cannot create. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from raykit.kube.connection import FIELD_MANAGER
from raykit.kuberay import diagnosis
from raykit.kuberay.explaining.refusals import repair_of_refusal, why_refused
from raykit.kuberay.explaining.scene import LATER, SOON, UNREPEATED, Scene, events_of, is_warning
from raykit.kuberay.finding import Finding
from raykit.kuberay.pods import is_head, is_observed, wanted_workers
from raykit.objects import Object, condition, holds, last_changed, last_seen, seconds

FAILED, CREATED = "FailedToCreate", "Created"
NO_ACCOUNT = "AutoscalerServiceAccountNotFound"
REFUSED = "ReplicaFailure"


def findings(cluster: Object, scene: Scene) -> list[Finding]:
    """What KubeRay has said about a RayCluster since raykit last changed it."""
    events = events_of(cluster, scene.events)
    made = {event.get("reason", ""): last_seen(event) for event in events}
    new = [event for event in events if is_warning(event) and _is_new(event, cluster)]
    warnings = [event for event in new if not _is_mended(event, made)]
    return [
        *_refused_spec(cluster, warnings),
        *_refused_pods(cluster, scene, new),
        *_failures(cluster, scene, warnings),
    ]


def _is_new(event: Object, cluster: Object) -> bool:
    """Whether an event is not older than the change: it stays for an hour, and may be mended."""
    changed = last_changed(cluster, FIELD_MANAGER)
    seen = last_seen(event)
    if not (changed and seen):
        return True
    return seen >= seconds(changed)


def _is_mended(event: Object, made: Mapping[str, float]) -> bool:
    """Whether KubeRay has created something of this kind since it failed to.

    Times are whole seconds: in the same second the failure counts as the earlier one, since KubeRay
    tries again, and a second failure has a later time. made: when each reason was last seen.
    """
    reason = event.get("reason", "")
    success = made.get(f"{CREATED}{reason.removeprefix(FAILED)}")
    return reason.startswith(FAILED) and success is not None and success >= last_seen(event)


def _refused_spec(cluster: Object, warnings: Sequence[Object]) -> Iterator[Finding]:
    """Events by which KubeRay refuses a spec: it has no admission webhook and does nothing else.

    A cluster whose spec is refused keeps the state of its earlier spec, such as `ready`.
    """
    if is_observed(cluster) and (cluster.get("status") or {}).get("state") == "ready":
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


def _refused_pods(cluster: Object, scene: Scene, warnings: Sequence[Object]) -> Iterator[Finding]:
    """The condition of pods that cannot be created. It stays until KubeRay's next try, which after
    many failures comes minutes later; each try that fails writes an event too."""
    failure = condition(cluster, REFUSED) or {}
    if failure.get("status") != "True" or not is_observed(cluster):
        return
    message = failure.get("message", "")
    is_repeated = any(event.get("reason", "").startswith("FailedTo") for event in warnings)
    yield Finding(
        "replica-failure",
        f"its pods are refused: {why_refused(message)}",
        tuple(message.splitlines()) or (failure.get("reason", ""),),
        repair_of_refusal(message, scene.context, cluster["metadata"]["namespace"]),
        SOON if is_repeated else UNREPEATED,
        past=not is_repeated,
    )


def _failures(cluster: Object, scene: Scene, warnings: Sequence[Object]) -> Iterator[Finding]:
    """The creations that fail while pods are missing.

    KubeRay sets the condition ReplicaFailure for pods only, and only with the feature gate
    RayClusterStatusConditions; of Services, Secrets and Roles there are only events. What once
    failed keeps no pods away from a suspended cluster, such as one in a queue.
    """
    if (is_observed(cluster) and holds(cluster, REFUSED)) or _is_complete(cluster, scene):
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
                f"KubeRay cannot create its {reason.removeprefix(FAILED)}: {why_refused(message)}",
                tuple(message.splitlines()),
                repair_of_refusal(message, scene.context, namespace),
                LATER,
            )


def _is_complete(cluster: Object, scene: Scene) -> bool:
    return any(map(is_head, scene.pods)) and len(scene.pods) > wanted_workers(cluster)
