"""Why no Kubernetes node takes a pod, node by node."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from raykit.objects import Object
from raykit.spec import quantity

BLOCKING = ("NoSchedule", "NoExecute")


def requests(pod: Object) -> dict[str, Decimal]:
    """What a pod asks for: the sum over its containers, or more where an init container does."""
    total: dict[str, Decimal] = {}
    for container in pod["spec"].get("containers", []):
        for name, amount in _requests_of(container).items():
            total[name] = total.get(name, Decimal(0)) + amount
    for container in pod["spec"].get("initContainers", []):
        for name, amount in _requests_of(container).items():
            total[name] = max(total.get(name, Decimal(0)), amount)
    return total


def reasons(pod: Object, nodes: Sequence[Object], others: Sequence[Object]) -> list[str]:
    """One line a node: what keeps the pod off it. `others`: all pods that are seen."""
    return [f"node {node['metadata']['name']}: {_reason(pod, node, others)}" for node in nodes]


def never_fits(pod: Object, nodes: Sequence[Object]) -> bool:
    """Whether no node could take the pod even if it were empty."""
    wanted = requests(pod)
    return not any(
        all(amount <= _allocatable(node, name) for name, amount in wanted.items())
        for node in nodes
        if not (_taints(pod, node) or _labels(pod, node))
    )


def _reason(pod: Object, node: Object, others: Sequence[Object]) -> str:
    blocking = [*_taints(pod, node), *_labels(pod, node)]
    if blocking:
        return "; ".join(blocking)
    name = node["metadata"]["name"]
    used = [requests(each) for each in others if _holds(each, name)]
    short = []
    for resource, wanted in requests(pod).items():
        whole = _allocatable(node, resource)
        free = whole - sum((each.get(resource, Decimal(0)) for each in used), Decimal(0))
        if wanted > free:
            short.append(
                f"needs {_shown(resource, wanted)} {resource}, "
                f"{_shown(resource, free)} of {_shown(resource, whole)} free"
            )
    return "; ".join(short) or "has room by now"


def _taints(pod: Object, node: Object) -> list[str]:
    tolerations = pod["spec"].get("tolerations") or []
    return [
        f"taint {taint['key']}:{taint['effect']} is not tolerated"
        for taint in node["spec"].get("taints") or []
        if taint["effect"] in BLOCKING
        and not any(_tolerates(toleration, taint) for toleration in tolerations)
    ]


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("key") in (None, ""):
        return toleration.get("operator") == "Exists"
    if toleration["key"] != taint["key"]:
        return False
    exists = toleration.get("operator") == "Exists"
    return exists or toleration.get("value", "") == taint.get("value", "")


def _labels(pod: Object, node: Object) -> list[str]:
    has = node["metadata"].get("labels") or {}
    wanted = pod["spec"].get("nodeSelector") or {}
    return [
        f"lacks the label {key}={value}" for key, value in wanted.items() if has.get(key) != value
    ]


def _holds(pod: Object, node: str) -> bool:
    ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return pod["spec"].get("nodeName") == node and not ended


def _requests_of(container: Object) -> dict[str, Decimal]:
    asked = (container.get("resources") or {}).get("requests") or {}
    return {name: quantity.parse(str(amount)) for name, amount in asked.items()}


def _allocatable(node: Object, resource: str) -> Decimal:
    return quantity.parse(str(node["status"].get("allocatable", {}).get(resource, "0")))


def _shown(resource: str, amount: Decimal) -> str:
    if resource in ("memory", "ephemeral-storage"):
        return f"{amount / quantity.GIB:.1f}Gi"
    return f"{amount.normalize():f}"
