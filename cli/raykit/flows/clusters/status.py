"""`raykit status`: the local heads of this machine and the RayClusters of a context."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from raykit.errors import MissingError, RaykitError, UsageError
from raykit.flows import local
from raykit.flows.clusters import waiting_rayjobs
from raykit.flows.targets.where import Where, refuse_context
from raykit.kube import kubeconfig
from raykit.kube.connection import Kubernetes, connect
from raykit.kube.reference import Reference, check_namespace, narrowed, parse
from raykit.kuberay import choosing, operator, raycluster
from raykit.kuberay.finding import Finding
from raykit.kuberay.pods import (
    head_is_ready,
    is_observed,
    ray_image,
    ready_workers,
    wanted_workers,
)
from raykit.kuberay.raycluster import Cluster
from raykit.kuberay.waiting import unless_forbidden
from raykit.objects import Object, holds

PAUSED = ("queued", "suspended")
"""Findings that are states of a cluster of their own."""

MOST_EXPLAINED = 10
"""The most RayClusters for which pods and events are read to explain why they are not ready."""


@dataclass(frozen=True)
class Status:
    """Rows of RayClusters, of local heads and of RayJobs that have not ended.

    error: why the context could not be read.
    """

    clusters: Sequence[dict[str, Any]] = ()
    local: Sequence[dict[str, Any]] = ()
    rayjobs: Sequence[dict[str, Any]] = ()
    error: RaykitError | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "clusters": list(self.clusters),
            "local": list(self.local),
            "rayjobs": list(self.rayjobs),
        }


def status(where: Where) -> Status:
    """A row for each local head, and for each RayCluster that the user may read, also of others.

    where: `--on` selects by name, `--context` and `--namespace` by place. If the context cannot be
    read, the status still has the local heads, and the error.
    Errors: UsageError (2) for a bad name, MissingError (4) if `--on` names nothing.
    """
    if where.on:
        return _of_word(where, where.on)
    if where.namespace:
        check_namespace(where.namespace)
    heads = local.status()
    try:
        return _of_context(where, heads)
    except RaykitError as error:
        return Status(local=heads, error=error)


def _of_word(where: Where, word: str) -> Status:
    """The status of what `--on` names."""
    if word.startswith(("http://", "https://")):
        raise UsageError(
            f"--on {word}: status knows clusters and local heads", next=f"raykit ps --on {word}"
        )
    if word == "local":
        refuse_context(where)
    reference = narrowed(parse(word, "--on"), where.context, where.namespace)
    is_name = reference == Reference(word)
    heads = [row for row in local.status() if is_name and row["name"] == word]
    if word == "local" or (is_name and not kubeconfig.has_context()):
        return _unless_empty(Status(local=heads), word)
    try:
        connection = connect(reference.context)
        operator.require(connection)
        named = Status(_rows(choosing.named(connection, reference)), heads)
    except RaykitError as error:
        return Status(local=heads, error=error)
    return _unless_empty(named, word)


def _unless_empty(named: Status, word: str) -> Status:
    if named.clusters or named.local:
        return named
    raise MissingError(
        f"--on {word}: there is no cluster and no local head of that name",
        next="raykit status   shows all",
    )


def _of_context(where: Where, heads: Sequence[dict[str, Any]]) -> Status:
    """The status with a context. Without it if there is no context, or if there are local heads
    and the current context has no KubeRay and was not asked for."""
    named = where.context or where.namespace
    if not named and not kubeconfig.has_context():
        return Status(local=heads)
    connection = connect(where.context)
    if heads and not named and not operator.is_served(connection):
        return Status(local=heads)
    operator.require(connection)
    clusters = _rows(choosing.find(connection, where.namespace))
    return Status(clusters, heads, waiting_rayjobs.rows(connection, where.namespace))


@dataclass(frozen=True)
class _State:
    """How a RayCluster stands. workers: how many are ready. findings: None: not looked for."""

    head: bool
    workers: int
    findings: Sequence[Finding] | None = None

    @classmethod
    def of_status(cls, item: Object) -> _State:
        """What KubeRay says."""
        workers = (item.get("status") or {}).get("readyWorkerReplicas", 0)
        return cls(is_observed(item) and holds(item, "HeadPodReady"), int(workers))

    def is_whole(self, item: Object) -> bool:
        return self.head and self.workers == wanted_workers(item)


def _rows(clusters: Sequence[Cluster]) -> list[dict[str, Any]]:
    """One row a RayCluster. Pods and events are read only for some: for those that are not ready,
    and for all if what KubeRay says may be of long ago."""
    states = {cluster.where: _State.of_status(cluster.item) for cluster in clusters}
    is_silent = bool(clusters) and _is_kuberay_silent(clusters[0].connection)
    unsure = [
        cluster
        for cluster in clusters
        if is_silent or not states[cluster.where].is_whole(cluster.item)
    ]
    unsure.sort(key=lambda cluster: choosing.made_by(cluster.item) != choosing.MADE_BY_RAYKIT)
    for cluster in unsure[:MOST_EXPLAINED]:
        states[cluster.where] = _looked_at(cluster, states[cluster.where], is_silent)
    return [_row(cluster, states[cluster.where]) for cluster in clusters]


def _is_kuberay_silent(connection: Kubernetes) -> bool:
    """Whether KubeRay's operator does not run: then the status of its objects stays as it was."""
    with contextlib.suppress(RaykitError):
        return not operator.is_ready(operator.find(connection))
    return False


def _looked_at(cluster: Cluster, state: _State, is_silent: bool) -> _State:
    """A cluster's state with the reasons why it is not ready.

    Its workers are counted as `up` does: KubeRay counts them a moment later. is_silent: its pods
    count alone.
    """
    item = cluster.item
    with contextlib.suppress(RaykitError):
        pods = raycluster.pods(cluster)
        head = state.head and (not is_silent or head_is_ready(item, pods))
        state = _State(head, ready_workers(item, pods))
    if state.is_whole(item):
        return state
    findings = unless_forbidden(lambda: raycluster.findings(cluster, raycluster.pods(cluster)))
    return replace(state, findings=findings)


def _row(cluster: Cluster, state: _State) -> dict[str, Any]:
    item, whole = cluster.item, state.is_whole(cluster.item)
    findings = state.findings
    reasons = findings or []
    word = next((finding.key for finding in reasons if finding.key in PAUSED), "not ready")
    unexplained = "" if whole or findings is not None else f"raykit status --on {cluster.where}"
    return {
        "name": cluster.name,
        "namespace": cluster.namespace,
        "context": cluster.connection.context,
        "made_by": choosing.made_by(item),
        "state": "ready" if whole else word,
        "head": "ready" if state.head else "not ready",
        "workers_ready": state.workers,
        "workers_wanted": wanted_workers(item),
        "ray_version": item["spec"].get("rayVersion"),
        "image": ray_image(item),
        "created": item["metadata"].get("creationTimestamp"),
        "reasons": [
            {"what": finding.what, "evidence": list(finding.evidence)} for finding in reasons
        ],
        "next": next((finding.next for finding in reasons if finding.next), unexplained),
    }
