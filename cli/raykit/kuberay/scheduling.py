"""Explain why no Kubernetes node takes a pod: reasons, each with a count and an example node.

Pure functions. A survey reads nodes one by one and keeps only a few numbers of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from raykit.objects import Object, condition, last_seen
from raykit.spec import quantity

BLOCKING = ("NoSchedule", "NoExecute")
STARTS = ("taint node.kubernetes.io/not-ready:", "taint node.kubernetes.io/unreachable:")
"""How the reasons begin of a Kubernetes node that is starting, or was lost."""
GROWS, REFUSES = ("TriggeredScaleUp", "Nominated"), ("NotTriggerScaleUp", "FailedScaleUp")
"""Reasons of events by which the node autoscalers of clouds say what they do about a pod."""
GROWN_SECONDS = 900.0
"""How long a Kubernetes node may take that an autoscaler has asked for."""
HERE = ("kind", "k3s")
"""Providers whose Kubernetes nodes no autoscaler adds."""
LOOKED_INTO = 10
"""The most nodes whose pods are counted; others that are large enough are only counted."""

Amounts = dict[str, Decimal]


def needs(pod: Object) -> str:
    """A key that is equal for pods with the same needs, which the same nodes can take."""
    spec = pod["spec"]
    chosen = (spec.get("nodeSelector"), spec.get("tolerations"), spec.get("affinity"))
    return repr((sorted(requests(pod).items()), chosen))


def requests(pod: Object) -> Amounts:
    """The resources that a pod requests: the sum of its containers, or more if an init container
    needs more.

    An init container that keeps running (a sidecar) counts as a container.
    """
    total: Amounts = {"pods": Decimal(1)}
    started: Amounts = {}
    for container in pod["spec"].get("initContainers", []):
        if container.get("restartPolicy") == "Always":
            _add(total, _requests_of(container))
        else:
            started = _most(started, _requests_of(container))
    for container in pod["spec"].get("containers", []):
        _add(total, _requests_of(container))
    total = _most(total, started)
    _add(total, _parsed(pod["spec"].get("overhead") or {}))
    return total


@dataclass
class Group:
    """Nodes with the same reason.

    most: the largest free amount of each resource among them. whole: the largest total amount.
    """

    example: str
    count: int = 0
    most: Amounts = field(default_factory=dict)
    whole: Amounts = field(default_factory=dict)

    def add(self, free: Amounts, whole: Amounts) -> None:
        self.count += 1
        self.most = _most(self.most, free)
        self.whole = _most(self.whole, whole)


class Survey:
    """Why nodes do not take one pod. candidates: nodes that could take it if they were empty.

    starting: whether some node may take it once it is ready.
    """

    def __init__(self, pod: Object) -> None:
        self.pod = pod
        self.wanted = requests(pod)
        self.groups: dict[tuple[str, ...], Group] = {}
        self.large_enough = 0
        self.starting = False
        self.candidates: dict[str, Amounts] = {}
        self.full: dict[tuple[str, ...], Group] = {}

    def add(self, node: Object) -> None:
        """Take one node into account."""
        name = node["metadata"]["name"]
        blocking = (*_taints(self.pod, node), *_labels(self.pod, node))
        whole = _parsed((node.get("status") or {}).get("allocatable") or {})
        short = () if blocking else self._short(whole)
        if blocking and all(reason.startswith(STARTS) for reason in blocking):
            self.starting = self.starting or not self._short(whole)
        if blocking or short:
            group = self.groups.setdefault(blocking or short, Group(name))
            group.add(whole, whole)
            return
        self.large_enough += 1
        if len(self.candidates) < LOOKED_INTO:
            self.candidates[name] = whole

    def count_pods(self, node: str, pods: Sequence[Object]) -> None:
        """Take the pods of one of the candidates into account."""
        whole = self.candidates[node]
        used: Amounts = {}
        for pod in pods:
            if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
                _add(used, requests(pod))
        free = {name: amount - used.get(name, Decimal(0)) for name, amount in whole.items()}
        self.full.setdefault(self._short(free), Group(node)).add(free, whole)

    def lines(self) -> list[str]:
        """One line a reason, the reason of the most nodes first."""
        reasons = [(group, self._reason(key, group)) for key, group in self.groups.items()]
        for key, group in self.full.items():
            reasons.append((group, self._free(key, group)))
        reasons.sort(key=lambda pair: -pair[0].count)
        lines = [f"{_nodes(group)}: {reason}{_such_as(group)}" for group, reason in reasons]
        beyond = self.large_enough - len(self.candidates)
        if beyond:
            lines.append(f"{beyond} more nodes are large enough; their pods were not counted")
        return lines

    def _short(self, there: Mapping[str, Decimal]) -> tuple[str, ...]:
        """The names of the resources of which there is too little."""
        return tuple(
            name for name, amount in self.wanted.items() if amount > there.get(name, Decimal(0))
        )

    def _reason(self, key: tuple[str, ...], group: Group) -> str:
        if not set(key) <= set(self.wanted):
            return "; ".join(key)
        at_most = "at most " if group.count > 1 else ""
        return "; ".join(
            f"needs {self._wanted(name)}, has {at_most}{shown(name, _of(group.most, name))} in all"
            for name in key
        )

    def _free(self, key: tuple[str, ...], group: Group) -> str:
        if not key:
            return "has room by now, by its cpu, memory, taints and labels"
        at_most = "at most " if group.count > 1 else ""
        return "; ".join(
            f"needs {self._wanted(name)}, {at_most}{shown(name, _of(group.most, name))} of "
            f"{shown(name, _of(group.whole, name))} free"
            for name in key
        )

    def _wanted(self, name: str) -> str:
        return f"{shown(name, self.wanted[name])} {name}"


@dataclass(frozen=True)
class Machines:
    """Why nodes do not take pods. surveys: one for each key of `needs`.

    clusters: names of raykit's clusters that have pods. ending: some of these pods are ending.
    only: the number of nodes that were read if there may be more; None: all were read.
    in_cloud: whether a cloud's autoscaler may add nodes.
    """

    surveys: dict[str, Survey] = field(default_factory=dict)
    clusters: tuple[str, ...] = ()
    ending: bool = False
    only: int | None = None
    in_cloud: bool = False

    def survey(self, pod: Object) -> Survey | None:
        return self.surveys.get(needs(pod))

    def lines(self, pod: Object) -> list[str]:
        """The reasons why no node takes a pod, one a line."""
        survey = self.survey(pod)
        lines = survey.lines() if survey else []
        return [*lines, f"only {self.only:,} nodes were looked at"] if self.only else lines


def is_of_cloud(node: Object) -> bool:
    """Whether a cloud made a node, by its provider's ID, such as `aws:///eu-central-1a/i-0123`."""
    provider, colon, _ = str((node.get("spec") or {}).get("providerID") or "").partition("://")
    return bool(colon) and provider not in HERE


def of_autoscaler(events: Sequence[Object]) -> Object | None:
    """The newest event of a node autoscaler. events: a pod's, the newest last."""
    its = [event for event in events if event.get("reason") in (*GROWS, *REFUSES)]
    return its[-1] if its else None


def is_growing(event: Object, now: float) -> bool:
    """Whether a node that an autoscaler asked for may still come. now: Unix seconds."""
    return event.get("reason") in GROWS and now - (last_seen(event) or now) < GROWN_SECONDS


def is_unschedulable(pod: Object) -> bool:
    scheduled = condition(pod, "PodScheduled") or {}
    return scheduled.get("status") != "True" and scheduled.get("reason") == "Unschedulable"


def _nodes(group: Group) -> str:
    return f"node {group.example}" if group.count == 1 else f"{group.count:,} nodes"


def _such_as(group: Group) -> str:
    return "" if group.count == 1 else f", such as {group.example}"


def _taints(pod: Object, node: Object) -> list[str]:
    tolerations = pod["spec"].get("tolerations") or []
    return [
        f"taint {taint['key']}:{taint['effect']} is not tolerated"
        for taint in (node.get("spec") or {}).get("taints") or []
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


def _requests_of(container: Object) -> Amounts:
    return _parsed((container.get("resources") or {}).get("requests") or {})


def _parsed(amounts: Mapping[str, object]) -> Amounts:
    return {name: quantity.parse(str(amount)) for name, amount in amounts.items()}


def _add(total: Amounts, more: Amounts) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, Decimal(0)) + amount


def _most(one: Amounts, other: Amounts) -> Amounts:
    names = {**one, **other}
    return {name: max(_of(one, name), _of(other, name)) for name in names}


def _of(amounts: Amounts, name: str) -> Decimal:
    return amounts.get(name, Decimal(0))


def shown(resource: str, amount: Decimal) -> str:
    """An amount of a resource for people: memory in Gi, everything else as a number."""
    if resource in ("memory", "ephemeral-storage"):
        return f"{amount / quantity.GIB:.1f}Gi"
    return f"{amount.normalize():f}"
