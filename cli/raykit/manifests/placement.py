"""Render the part of a pod's spec that the scheduler reads: where the pod may run."""

from __future__ import annotations

from typing import Any

from raykit.objects import Object
from raykit.spec.model import ClusterSpec, Pods, WorkerGroup
from raykit.spec.names import HEAD_GROUP


def accelerators(pods: Pods) -> dict[str, int]:
    """The extended resources of each pod, with their numbers."""
    gpus = {} if pods.gpu is None else {pods.gpu_resource: pods.gpu}
    return {**pods.accelerators, **gpus}


def placement(spec: ClusterSpec, pods: Pods) -> Object:
    """Node selector, tolerations, affinity and spread of a group's pods."""
    fields: Object = {}
    if pods.node_selector:
        fields["nodeSelector"] = dict(sorted(pods.node_selector.items()))
    if pods.affinity:
        fields["affinity"] = pods.affinity
    tolerations = _tolerations(pods)
    if tolerations:
        fields["tolerations"] = tolerations
    if pods.topology_spread:
        fields["topologySpreadConstraints"] = _spread(spec, pods)
    return fields


def _tolerations(pods: Pods) -> list[Object]:
    """The spec's tolerations, and one for the taint that clouds put on nodes with accelerators."""
    own: list[dict[str, Any]] = [
        toleration.model_dump(by_alias=True, exclude_none=True) for toleration in pods.tolerations
    ]
    known = {toleration.get("key") for toleration in own}
    return own + [
        {"key": resource, "operator": "Exists", "effect": "NoSchedule"}
        for resource in sorted(accelerators(pods))
        if resource not in known
    ]


def _spread(spec: ClusterSpec, pods: Pods) -> list[Object]:
    group = pods.name if isinstance(pods, WorkerGroup) else HEAD_GROUP
    selector = {"matchLabels": {"ray.io/cluster": spec.name, "ray.io/group": group}}
    return [
        {
            "maxSkew": constraint.max_skew,
            "topologyKey": constraint.topology_key,
            "whenUnsatisfiable": constraint.when_unsatisfiable,
            "labelSelector": selector,
        }
        for constraint in pods.topology_spread
    ]
