"""Compare a RayCluster before and after a change: what differs, and which pods end."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from raykit.objects import Object
from raykit.spec.names import HASH_ANNOTATION

MOST_LINES = 12
IDENTITIES = ("groupName", "name", "key", "containerPort", "mountPath")
"""Keys that identify an item of a list, most important first."""
SHORT = {"headGroupSpec": "head", "workerGroupSpecs": "workers"}
KEPT_OF_GROUPS = ("replicas", "minReplicas", "maxReplicas")
KEPT_OF_PODS = ("tolerations", "schedulingGates")
ABSENT = object()


@dataclass(frozen=True)
class Change:
    """The differences, one a line.

    restarts: all pods are replaced. ending_workers: number of worker pods that end because the new
    spec asks for fewer. outdates: running pods keep what they were started with.
    """

    lines: Sequence[str] = ()
    restarts: bool = False
    ending_workers: int = 0
    outdates: bool = False

    def __bool__(self) -> bool:
        return bool(self.lines)

    @property
    def ends_pods(self) -> bool:
        return self.restarts or self.ending_workers > 0

    def effect(self, pods: int) -> str:
        """The effect on a cluster with `pods` pods, in words."""
        ending = min(self.ending_workers, pods)
        if self.ends_pods and not pods:
            return "no pod runs that would end"
        if self.restarts:
            return f"all {pods} pods restart" if pods != 1 else "its pod restarts"
        if ending:
            return f"{ending} of {pods} pods end"
        if self.outdates:
            return "running pods stay as they are (`upgrade: None`); --recreate replaces them"
        return "running pods stay"

    def recreated(self) -> Change:
        """The change if the RayCluster is deleted and made again."""
        return Change([*self.lines, "it is deleted and made again (--recreate)"], restarts=True)


def between(before: Object, after: Object) -> Change:
    """The change from one state of a RayCluster to another, both as the API server returns them."""
    lines = _lines(before, after)
    differs = _hashed(before["spec"]) != _hashed(after["spec"])
    return Change(
        [line for line in lines if HASH_ANNOTATION not in line] or lines,
        differs and _recreates(after["spec"]),
        max(_replicas(before["spec"]) - _replicas(after["spec"]), 0),
        differs and not _recreates(after["spec"]),
    )


def beside(before: Object | None, after: Object | None) -> list[str]:
    """The differences of an object beside the RayCluster; None stands for an absent one."""
    item = after or before or {}
    name = f"{item['kind']} {item['metadata']['name']}"
    if before is None:
        return [f"{name}: added"]
    if after is None:
        return [f"{name}: removed"]
    return [f"{name}: {line}" for line in _lines(before, after)]


def shortened(lines: Sequence[str]) -> list[str]:
    """The first 12 lines, and a line with the number of further ones."""
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], *([f"and {more} more"] if more > 0 else [])]


def _lines(before: Object, after: Object) -> list[str]:
    lines = [*_differences(before.get("spec"), after.get("spec"), "")]
    for part in ("labels", "annotations"):
        old, new = (item["metadata"].get(part) or {} for item in (before, after))
        lines += _differences(old, new, part)
    return lines


def _recreates(spec: Object) -> bool:
    return (spec.get("upgradeStrategy") or {}).get("type") == "Recreate"


def _hashed(spec: Object) -> Object:
    """The part of a spec that KubeRay compares with the strategy `Recreate` (utils/util.go)."""
    spec = copy.deepcopy(spec)
    spec.pop("upgradeStrategy", None)
    groups = spec.get("workerGroupSpecs") or []
    for group in groups:
        for key in KEPT_OF_GROUPS:
            group.pop(key, None)
        (group.get("scaleStrategy") or {}).pop("workersToDelete", None)
        if not group.get("scaleStrategy"):
            group.pop("scaleStrategy", None)
    for group in [spec.get("headGroupSpec") or {}, *groups]:
        pod = (group.get("template") or {}).get("spec") or {}
        for key in KEPT_OF_PODS:
            pod.pop(key, None)
    return spec


def _replicas(spec: Object) -> int:
    groups = spec.get("workerGroupSpecs") or []
    return sum(
        min(group.get("replicas") or 0, group.get("maxReplicas", group.get("replicas") or 0))
        * (group.get("numOfHosts") or 1)
        for group in groups
    )


def _differences(before: Any, after: Any, path: str) -> Iterator[str]:
    if before == after:
        return
    if isinstance(before, list) and isinstance(after, list):
        before, after = _by_identity(before), _by_identity(after)
        form = "{}[{}]"
    elif isinstance(before, dict) and isinstance(after, dict):
        form = "{}.{}"
    else:
        yield _line(path, before, after)
        return
    for key in [*before, *(key for key in after if key not in before)]:
        inner = form.format(path, SHORT.get(key, key)).removeprefix(".")
        yield from _differences(before.get(key, ABSENT), after.get(key, ABSENT), inner)


def _by_identity(items: list[Any]) -> dict[str, Any]:
    for key in IDENTITIES:
        names = [str(item[key]) for item in items if isinstance(item, dict) and key in item]
        if len(set(names)) == len(items):
            return dict(zip(names, items, strict=True))
    return {str(index): item for index, item in enumerate(items)}


def _line(path: str, before: Any, after: Any) -> str:
    path = path.replace(".template.spec.", ".").replace(".template.metadata.", ".")
    if before is ABSENT:
        return f"{path}: added"
    if after is ABSENT:
        return f"{path}: removed"
    if ".env[" in f".{path}" or isinstance(before, dict | list) or isinstance(after, dict | list):
        # The value of an environment variable may be a secret.
        return f"{path}: changed"
    return f"{path}: {before} -> {after}"
