"""`raykit down --idle`: end the clusters on which nothing has run for some time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from raykit.errors import ConflictError, MissingError, RaykitError, UsageError
from raykit.flows.clusters import consent, work
from raykit.flows.clusters.work import Activity
from raykit.flows.ranges import BRING_UP_SECONDS
from raykit.flows.targets.kinds import OnKubernetes
from raykit.flows.targets.where import Where
from raykit.kube.connection import DEFAULT_NAMESPACE, Kubernetes, connect
from raykit.kube.errors import ForbiddenError
from raykit.kube.reference import Reference, check_namespace, narrowed, parse
from raykit.kuberay import bring_up, choosing, operator, raycluster
from raykit.kuberay.pods import is_head, serves
from raykit.kuberay.raycluster import Cluster
from raykit.manifests.upkeep.idle_cronjob import idle_cronjob
from raykit.measure.keeping import ages
from raykit.objects import Object
from raykit.progress import Progress
from raykit.spec.rules import images
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport

AT_ONCE = 8
KEPT, DUE, ENDED = "kept", "idle", "ended"


@dataclass(frozen=True)
class Request:
    """The arguments of `raykit down --idle`.

    where: its `on` names one cluster; without it, all of raykit's clusters of the namespace are
    meant. seconds: how long a cluster must have been idle. dry_run: end nothing. confirm: asks the
    user.
    """

    where: Where
    seconds: float
    dry_run: bool
    confirm: consent.Confirm


@dataclass(frozen=True)
class Verdict:
    """A cluster, and what becomes of it.

    state: `kept`, `idle` (it would be ended, or the user is asked), or `ended`. reason: why it is
    kept. idle_seconds: how long it has been idle; None if something runs, or if that is unknown.
    error: why it could not be ended.
    """

    cluster: Cluster = field(repr=False)
    state: str
    reason: str = ""
    idle_seconds: float | None = None
    error: RaykitError | None = field(default=None, repr=False)

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.cluster.name,
            "namespace": self.cluster.namespace,
            "state": self.state,
            "reason": self.reason or None,
            "idle_seconds": self.idle_seconds,
        }


def end_idle(request: Request, progress: Progress) -> list[Verdict]:
    """End idle clusters that raykit made; return what became of each.

    A cluster whose head cannot be asked is kept, and one that Argo CD, Flux or Helm applies. One
    that cannot be ended keeps none of the others.
    Errors: UsageError (2) if the user does not confirm, ConflictError (8) if raykit did not make
    the named cluster.
    """
    with progress.step("preflight", "Kubernetes and KubeRay"):
        connection, namespace, clusters = _clusters(request.where)
    count = "1 cluster" if len(clusters) == 1 else f"{len(clusters)} clusters"
    with progress.step("look", f"{count} in namespace {namespace}"):
        verdicts = _look_at(clusters, request.seconds)
    due = [verdict for verdict in verdicts if verdict.state == DUE]
    if not due or request.dry_run:
        return verdicts
    names = ", ".join(verdict.cluster.name for verdict in due)
    doing = f"delete {names} in namespace {namespace}"
    consent.require(consent.describe(connection), doing, request.confirm)
    return [_end(verdict, request.seconds, progress) for verdict in verdicts]


def cronjob(image: str, age: str, name: str | None, namespace: str | None) -> list[Object]:
    """The objects of a CronJob that runs `raykit down --idle` in a cluster; asks no cluster.

    age: as the user writes it, such as `2h`. name: of the one cluster to end;
    None: all of raykit's.
    Errors: UsageError (2) for a wrong age, name, namespace or image.
    """
    ages.parse(age, "--idle")
    try:
        images.reference(image)
    except ValueError as wrong:
        raise UsageError(f"--render-cronjob: {wrong}", next="REGISTRY/NAME:TAG") from wrong
    if namespace:
        check_namespace(namespace)
    if name is None:
        return idle_cronjob(image, namespace or DEFAULT_NAMESPACE, age)
    reference = narrowed(parse(name, "NAME"), None, namespace)
    if reference.context:
        raise UsageError(
            f"{name} names a context, which is nothing to a CronJob",
            next=f"name it {reference.namespace}/{reference.name}",
        )
    return idle_cronjob(image, reference.namespace or DEFAULT_NAMESPACE, age, reference.name)


def look(cluster: Cluster, seconds: float, now: float) -> Verdict:
    """Whether a cluster has been idle for so many seconds. now: Unix seconds."""
    tool = choosing.applied_from_elsewhere(cluster.item)
    if tool:
        return Verdict(cluster, KEPT, f"{tool} applies it, and may make it again")
    try:
        heads = [pod for pod in raycluster.pods(cluster) if is_head(pod) and serves(pod)]
        if not heads:
            return Verdict(cluster, KEPT, "its head is not ready, so it cannot be asked")
        seen = _ask(cluster)
    except RaykitError as error:
        return Verdict(cluster, KEPT, f"its head cannot be asked: {error.what}")
    return judge(cluster, seen, bring_up.ray_started(cluster.item, heads[0]), seconds, now)


def judge(
    cluster: Cluster, seen: Activity, started: float | None, seconds: float, now: float
) -> Verdict:
    """The verdict on a cluster whose head was asked.

    started: when the head started, None if unknown. started, now: Unix seconds.
    """
    if seen.busy:
        return Verdict(cluster, KEPT, f"busy: {'; '.join(seen.busy)}")
    if started is None:
        return Verdict(cluster, KEPT, "it is unknown when its head started")
    idle = max(now - max(started, seen.last or 0.0), 0.0)
    if idle < seconds:
        return Verdict(cluster, KEPT, "not idle for long enough", idle)
    return Verdict(cluster, DUE, idle_seconds=idle)


def _clusters(where: Where) -> tuple[Kubernetes, str, list[Cluster]]:
    if where.namespace:
        check_namespace(where.namespace)
    if where.on:
        return _named(narrowed(parse(where.on, "NAME"), where.context, where.namespace))
    connection = _connect(where.context)
    namespace = where.namespace or connection.namespace
    clusters = choosing.find(connection, namespace, labelled=True)
    ours = [each for each in clusters if choosing.made_by(each.item) == choosing.MADE_BY_RAYKIT]
    return connection, namespace, ours


def _named(reference: Reference) -> tuple[Kubernetes, str, list[Cluster]]:
    """The cluster of a reference; none if it has ended, as after an earlier `down --idle`."""
    connection = _connect(reference.context)
    namespace = reference.namespace or connection.namespace
    item = connection.get("RayCluster", reference.name, namespace)
    if item is None:
        return connection, namespace, []
    choosing.refuse_foreign(item)
    return connection, namespace, [Cluster(connection, reference.name, namespace, item)]


def _connect(context: str | None) -> Kubernetes:
    connection = connect(context)
    operator.require(connection)
    return connection


def _look_at(clusters: Sequence[Cluster], seconds: float) -> list[Verdict]:
    now = time.time()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda cluster: look(cluster, seconds, now), clusters))


def _ask(cluster: Cluster) -> Activity:
    with (
        OnKubernetes(cluster, "").open(Progress()) as endpoint,
        Transport(endpoint) as transport,
    ):
        return work.activity(JobsApi(transport))


def _end(verdict: Verdict, seconds: float, progress: Progress) -> Verdict:
    """End a cluster that was idle, unless it is busy by now, was replaced or has gone."""
    if verdict.state != DUE:
        return verdict
    old = verdict.cluster
    try:
        with consent.one_at_a_time(
            old.connection, old.name, old.namespace, BRING_UP_SECONDS, progress
        ):
            cluster = choosing.find_one(old.connection, old.name, old.namespace)
            again = look(cluster, seconds, time.time())
            if again.state != DUE:
                return again
            with progress.step("down", f"{cluster.name} ended"):
                raycluster.end(old, progress)
    except RaykitError as error:
        has_gone = isinstance(error, MissingError | ConflictError)
        failed = None if has_gone and not isinstance(error, ForbiddenError) else error
        return replace(verdict, state=KEPT, reason=error.what, idle_seconds=None, error=failed)
    return replace(again, state=ENDED)
