"""A line a group while a cluster is waited for: the head and each worker group. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from raykit.kuberay import diagnosis
from raykit.kuberay.explaining.scene import Scene
from raykit.kuberay.explaining.stages import stage
from raykit.kuberay.finding import Finding
from raykit.kuberay.pods import GROUP_LABEL, is_head, serves, wanted
from raykit.objects import Object, holds


@dataclass(frozen=True)
class Group:
    """The head, or a worker group. wanted: how many pods it should have. pods: those there are."""

    title: str
    wanted: int
    pods: Sequence[Object]

    @property
    def ready(self) -> int:
        return sum(map(serves, self.pods))


def lines(cluster: Object, scene: Scene, findings: Sequence[Finding]) -> list[str]:
    """A line for each group that is not ready, with its reason.

    findings: all of the cluster; those that are about no pod explain why a group has too few.
    """
    of_cluster = next((finding.what for finding in findings if not finding.pod), "")
    return [
        f"{group.title}: {_reason(group, scene, of_cluster)}"
        for group in _groups(cluster, scene.pods)
        if group.ready < group.wanted or len(group.pods) > group.wanted
    ]


def _groups(cluster: Object, pods: Sequence[Object]) -> Iterator[Group]:
    heads = [pod for pod in pods if is_head(pod)]
    yield Group("head", 1, heads)
    for group in cluster["spec"].get("workerGroupSpecs", []):
        name = group["groupName"]
        own = [
            pod
            for pod in pods
            if not is_head(pod) and (pod["metadata"].get("labels") or {}).get(GROUP_LABEL) == name
        ]
        number = wanted(group)
        yield Group(f"group {name}, {sum(map(serves, own))} of {number} ready", number, own)


def _reason(group: Group, scene: Scene, of_cluster: str) -> str:
    unready = [pod for pod in group.pods if not serves(pod)]
    ready = [pod for pod in scene.pods if holds(pod, "Ready")]
    about_pods = diagnosis.of_pods(replace(scene, pods=[*ready, *unready]))
    if about_pods:
        return about_pods[0].what
    if of_cluster:
        return of_cluster
    if unready:
        return stage(unready[0], scene.events)
    surplus = len(group.pods) > group.wanted
    return f"KubeRay has not {'ended its surplus pods' if surplus else 'made all of its pods'} yet"
