"""What a spec renders to, on the API server: what it would change, and the change itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from raykit.errors import RaykitError
from raykit.kube.connection import Kubernetes
from raykit.kuberay.raycluster import Cluster
from raykit.manifests import change
from raykit.manifests.change import Change
from raykit.objects import Object
from raykit.spec.names import CLUSTER_LABEL

BESIDE = ("NetworkPolicy", "PodDisruptionBudget", "PodMonitor")
"""Kinds of objects that a spec may ask for beside the RayCluster; they end with it."""


@dataclass(frozen=True)
class Plan:
    """What is to be applied. surplus: objects of an earlier spec that this one does not have."""

    items: Sequence[Object]
    change: Change = field(default_factory=Change)
    surplus: Sequence[Object] = ()


def plan(connection: Kubernetes, items: Sequence[Object], existing: Cluster) -> Plan:
    """What applying objects would change of a cluster, by the API server's own account."""
    surplus = _surplus(connection, items, existing)
    found = Change()
    lines = [line for item in surplus for line in change.beside(item, None)]
    for item in items:
        after = connection.apply(item, dry_run=True)
        if item["kind"] == "RayCluster":
            found = change.between(existing.item, after)
        else:
            metadata = item["metadata"]
            before = connection.get(item["kind"], metadata["name"], metadata["namespace"])
            lines += change.beside(before, after)
    return Plan(items, replace(found, lines=[*found.lines, *lines]), surplus)


def apply(connection: Kubernetes, to_do: Plan) -> Cluster:
    """Apply the objects, those beside the RayCluster as its own, and remove what is surplus."""
    applied = [connection.apply(item) for item in to_do.items]
    ray_cluster = next(item for item in applied if item["kind"] == "RayCluster")
    metadata = ray_cluster["metadata"]
    for item in to_do.items:
        if item["kind"] in BESIDE:
            connection.apply(_owned(item, ray_cluster))
    for item in to_do.surplus:
        connection.delete(item["kind"], item["metadata"]["name"], metadata["namespace"])
    return Cluster(connection, metadata["name"], metadata["namespace"], ray_cluster)


def _owned(item: Object, ray_cluster: Object) -> Object:
    owner = {
        "apiVersion": ray_cluster["apiVersion"],
        "kind": ray_cluster["kind"],
        "name": ray_cluster["metadata"]["name"],
        "uid": ray_cluster["metadata"]["uid"],
    }
    return {**item, "metadata": {**item["metadata"], "ownerReferences": [owner]}}


def _surplus(connection: Kubernetes, items: Sequence[Object], existing: Cluster) -> list[Object]:
    wanted = {(item["kind"], item["metadata"]["name"]) for item in items}
    labels = {CLUSTER_LABEL: existing.name}
    found = []
    for kind in BESIDE:
        read = partial(connection.objects, kind, existing.namespace, labels=labels)
        # A list leaves the kind of its items out.
        found += [{**item, "kind": kind} for item in _known(read)]
    return [item for item in found if (item["kind"], item["metadata"]["name"]) not in wanted]


def _known(read: partial[list[Object]]) -> list[Object]:
    """Objects of a kind; none where the API server does not know it or we may not read it."""
    try:
        return read()
    except RaykitError:
        return []
