"""Apply the rendered objects of a spec, and show before what that would change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from raykit.errors import RaykitError
from raykit.kube.connection import FIELD_MANAGER, Kubernetes
from raykit.kuberay.raycluster import Cluster
from raykit.manifests import change
from raykit.manifests.change import Change
from raykit.objects import Object, applied_by, owners, ray_cluster_of
from raykit.spec.names import CLUSTER_LABEL

BESIDE = ("NetworkPolicy", "PodDisruptionBudget", "PodMonitor")
"""Kinds of objects that a spec may ask for beside the RayCluster. They are deleted with it."""

AUTOSCALERS_OWN = ("replicas", "scaleStrategy")
"""Fields of a worker group that Ray's autoscaler sets in a running cluster."""

AUTOSCALER = "python-requests"
"""The field manager of Ray's autoscaler: Kubernetes takes the name of its HTTP library."""


@dataclass(frozen=True)
class Plan:
    """What to apply.

    items: the objects. change: how they differ from the cluster. surplus: objects of an earlier
    spec that are to be deleted. force: take the RayCluster's fields over from their owner. uid: of
    the RayCluster that is to be changed; None: it is to be made.
    """

    items: Sequence[Object]
    change: Change = field(default_factory=Change)
    surplus: Sequence[Object] = ()
    force: bool = False
    uid: str | None = None


def plan(
    connection: Kubernetes, items: Sequence[Object], existing: Cluster, *, force: bool = False
) -> Plan:
    """The plan for an existing cluster. The API server reports the change by a dry run.

    force: take the RayCluster's fields over from their owner.
    """
    surplus = _surplus(connection, items, existing)
    items = [keep_autoscaled(item, existing.item) for item in items]
    force = force or _only_autoscaler_owns(existing.item)
    ray_cluster = Change()
    lines = [line for item in surplus for line in change.beside(item, None)]
    for item in items:
        is_cluster = item["kind"] == "RayCluster"
        after = connection.apply(item, dry_run=True, force=force and is_cluster)
        if is_cluster:
            ray_cluster = change.between(existing.item, after)
        else:
            metadata = item["metadata"]
            before = connection.get(item["kind"], metadata["name"], metadata["namespace"])
            lines += change.beside(before, after)
    whole = replace(ray_cluster, lines=[*ray_cluster.lines, *lines])
    return Plan(items, whole, surplus, force, existing.item["metadata"].get("uid"))


def renewed(to_do: Plan, now: Object) -> Plan:
    """The plan with the numbers that the autoscaler has set by now. now: the RayCluster."""
    return replace(to_do, items=[keep_autoscaled(item, now) for item in to_do.items])


def _only_autoscaler_owns(ray_cluster: Object) -> bool:
    """Whether nobody but raykit and Ray's autoscaler has set fields of a RayCluster's spec.

    All worker groups are one value: with a number the autoscaler becomes the owner of them all.
    """
    return owners(ray_cluster, "spec") - {FIELD_MANAGER} == {AUTOSCALER}


def keep_autoscaled(item: Object, existing: Object) -> Object:
    """An object to apply, with what Ray's autoscaler has set in each group of an existing cluster.

    Other objects, and clusters without the autoscaler, are returned as they are.
    """
    spec = item.get("spec") or {}
    if item["kind"] != "RayCluster" or not spec.get("enableInTreeAutoscaling"):
        return item
    groups = {group["groupName"]: group for group in existing["spec"].get("workerGroupSpecs") or []}
    kept = [_keep(group, groups.get(group["groupName"], {})) for group in spec["workerGroupSpecs"]]
    return {**item, "spec": {**spec, "workerGroupSpecs": kept}}


def _keep(group: Object, existing: Object) -> Object:
    own = {key: existing[key] for key in AUTOSCALERS_OWN if key in existing}
    if "replicas" in own:
        number = max(own["replicas"], group.get("minReplicas", 0))
        own["replicas"] = min(number, group.get("maxReplicas", number))
    others = {key: value for key, value in group.items() if key != "scaleStrategy"}
    return {**others, **own}


def remove_beside(connection: Kubernetes, existing: Cluster) -> None:
    """Delete the objects beside a cluster that has ended.

    Kubernetes deletes them too, some time after their owner; until then they could be taken for
    those of a new cluster of the same name.
    """
    _delete_all(connection, _surplus(connection, [], existing))


def _delete_all(connection: Kubernetes, items: Sequence[Object]) -> None:
    for item in items:
        metadata = item["metadata"]
        connection.delete(
            item["kind"], metadata["name"], metadata["namespace"], uid=metadata.get("uid")
        )


def apply(connection: Kubernetes, to_do: Plan) -> Cluster:
    """Apply the objects of a plan, delete its surplus, and return the cluster.

    The RayCluster becomes the owner of the objects beside it; of one that is there they get the
    uid at once, so that Kubernetes deletes them if it is gone.
    Errors: ConflictError (8) if the RayCluster that is to be changed has been deleted, also if
    another one has its name.
    """
    items = [_very(item, to_do.uid) for item in to_do.items]
    meant = ray_cluster_of(items)
    if to_do.uid is not None:
        items = [_owned(item, meant) for item in items]
    applied = [
        connection.apply(item, force=to_do.force and item["kind"] == "RayCluster") for item in items
    ]
    ray_cluster = ray_cluster_of(applied)
    if to_do.uid is None:
        for item in filter(_is_beside, items):
            connection.apply(_owned(item, ray_cluster))
    _delete_all(connection, to_do.surplus)
    metadata = ray_cluster["metadata"]
    return Cluster(connection, metadata["name"], metadata["namespace"], ray_cluster)


def _very(item: Object, uid: str | None) -> Object:
    """The RayCluster with its uid: the API server then applies it to that very object only."""
    if uid is None or item["kind"] != "RayCluster":
        return item
    return {**item, "metadata": {**item["metadata"], "uid": uid}}


def _is_beside(item: Object) -> bool:
    return item["kind"] in BESIDE


def _owned(item: Object, ray_cluster: Object) -> Object:
    """An object beside a RayCluster as its property; others as they are."""
    if not _is_beside(item):
        return item
    owner = {
        "apiVersion": ray_cluster["apiVersion"],
        "kind": ray_cluster["kind"],
        "name": ray_cluster["metadata"]["name"],
        "uid": ray_cluster["metadata"]["uid"],
    }
    return {**item, "metadata": {**item["metadata"], "ownerReferences": [owner]}}


def _surplus(connection: Kubernetes, items: Sequence[Object], existing: Cluster) -> list[Object]:
    """What raykit made beside a cluster and the spec no longer asks for."""
    wanted = {(item["kind"], item["metadata"]["name"]) for item in items}
    labels = {CLUSTER_LABEL: existing.name}
    present = []
    for kind in BESIDE:
        read = partial(connection.objects, kind, existing.namespace, labels=labels)
        # The items of a list come without their kind.
        present += [{**item, "kind": kind} for item in _known(read) if _is_ours(item, existing)]
    return [item for item in present if (item["kind"], item["metadata"]["name"]) not in wanted]


def _is_ours(item: Object, existing: Cluster) -> bool:
    """Whether raykit made an object beside a cluster. The label alone shows nothing: anybody may
    set it."""
    metadata, uid = item["metadata"], existing.item["metadata"]["uid"]
    owned = any(owner.get("uid") == uid for owner in metadata.get("ownerReferences") or [])
    return owned or applied_by(item, FIELD_MANAGER) is not None


def _known(read: partial[list[Object]]) -> list[Object]:
    """Objects of a kind; none if the API server does not know it or we may not read it."""
    try:
        return read()
    except RaykitError:
        return []
