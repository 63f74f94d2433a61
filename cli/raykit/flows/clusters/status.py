"""`raykit status`: the local heads of this machine and the RayClusters of a context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from raykit.errors import MissingError, RaykitError, UsageError
from raykit.flows import local
from raykit.flows.clusters import waiting_rayjobs
from raykit.flows.targets.where import Where, refuse_context
from raykit.kube import kubeconfig
from raykit.kube.connection import connect
from raykit.kube.reference import Reference, check_namespace, narrowed, parse
from raykit.kuberay import choosing, operator, raycluster
from raykit.kuberay.finding import Finding
from raykit.kuberay.pods import is_observed, ray_image, wanted_workers
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


def _rows(clusters: Sequence[Cluster]) -> list[dict[str, Any]]:
    """One row a RayCluster. Pods and events are read only for some that are not ready."""
    waiting = [cluster for cluster in clusters if not _is_ready(cluster.item)]
    waiting.sort(key=lambda cluster: choosing.made_by(cluster.item) != choosing.MADE_BY_RAYKIT)
    findings = {cluster.where: _findings(cluster) for cluster in waiting[:MOST_EXPLAINED]}
    return [_row(cluster, findings.get(cluster.where)) for cluster in clusters]


def _is_ready(item: Object) -> bool:
    return _head_is_ready(item) and _ready_workers(item) == wanted_workers(item)


def _head_is_ready(item: Object) -> bool:
    return is_observed(item) and holds(item, "HeadPodReady")


def _ready_workers(item: Object) -> int:
    return int((item.get("status") or {}).get("readyWorkerReplicas", 0))


def _findings(cluster: Cluster) -> list[Finding]:
    return unless_forbidden(lambda: raycluster.findings(cluster, raycluster.pods(cluster)))


def _row(cluster: Cluster, findings: Sequence[Finding] | None) -> dict[str, Any]:
    item, whole = cluster.item, _is_ready(cluster.item)
    reasons = findings or []
    state = next((finding.key for finding in reasons if finding.key in PAUSED), "not ready")
    unexplained = "" if whole or findings is not None else f"raykit status --on {cluster.where}"
    return {
        "name": cluster.name,
        "namespace": cluster.namespace,
        "context": cluster.connection.context,
        "made_by": choosing.made_by(item),
        "state": "ready" if whole else state,
        "head": "ready" if _head_is_ready(item) else "not ready",
        "workers_ready": _ready_workers(item),
        "workers_wanted": wanted_workers(item),
        "ray_version": item["spec"].get("rayVersion"),
        "image": ray_image(item),
        "created": item["metadata"].get("creationTimestamp"),
        "reasons": [
            {"what": finding.what, "evidence": list(finding.evidence)} for finding in reasons
        ],
        "next": next((finding.next for finding in reasons if finding.next), unexplained),
    }
