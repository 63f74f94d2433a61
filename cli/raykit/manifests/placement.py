"""Where pods may run: the part of a pod's spec that the scheduler reads."""

from __future__ import annotations

from typing import Any

from raykit.objects import Object
from raykit.spec.model import ClusterSpec, Pods, WorkerGroup
from raykit.spec.names import HEAD_GROUP


def accelerators(pods: Pods) -> dict[str, int]:
    """Extended resources of each pod and how many of each."""
    gpus = {} if pods.gpu is None else {pods.gpu_resource: pods.gpu}
    return {**pods.accelerators, **gpus}


def placement(spec: ClusterSpec, pods: Pods) -> Object:
    """Node selector, tolerations, affinity and spread of a group's pods."""
    found: Object = {}
    if pods.node_selector:
        found["nodeSelector"] = dict(sorted(pods.node_selector.items()))
    if pods.affinity:
        found["affinity"] = pods.affinity
    tolerations = _tolerations(pods)
    if tolerations:
        found["tolerations"] = tolerations
    if pods.topology_spread:
        found["topologySpreadConstraints"] = _spread(spec, pods)
    return found


def _tolerations(pods: Pods) -> list[Object]:
    """Those of the spec, then the one by which clouds keep other pods off each accelerator."""
    given: list[dict[str, Any]] = [
        each.model_dump(by_alias=True, exclude_none=True) for each in pods.tolerations
    ]
    known = {each.get("key") for each in given}
    return given + [
        {"key": resource, "operator": "Exists", "effect": "NoSchedule"}
        for resource in sorted(accelerators(pods))
        if resource not in known
    ]


def _spread(spec: ClusterSpec, pods: Pods) -> list[Object]:
    group = pods.name if isinstance(pods, WorkerGroup) else HEAD_GROUP
    selector = {"matchLabels": {"ray.io/cluster": spec.name, "ray.io/group": group}}
    return [
        {
            "maxSkew": each.max_skew,
            "topologyKey": each.topology_key,
            "whenUnsatisfiable": each.when_unsatisfiable,
            "labelSelector": selector,
        }
        for each in pods.topology_spread
    ]
