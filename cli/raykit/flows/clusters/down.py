"""`raykit down`: end one of raykit's clusters or a local head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from raykit.errors import MissingError, RaykitError, UsageError
from raykit.flows import local
from raykit.flows.clusters import consent, up, work
from raykit.flows.ranges import BRING_UP_SECONDS
from raykit.flows.targets.kinds import OnKubernetes, Target, WarmLocal
from raykit.flows.targets.where import Where
from raykit.kube import kubeconfig
from raykit.kube.connection import Kubernetes, connect
from raykit.kube.reference import Reference, narrowed, parse
from raykit.kuberay import choosing, operator, raycluster
from raykit.kuberay.raycluster import Cluster
from raykit.local import warm
from raykit.progress import Progress

Keep = Callable[[Target], None]
"""Keeps evidence of what is about to end."""


def nothing(_: Target) -> None:
    """Keep no evidence."""


@dataclass(frozen=True)
class Gone:
    """A cluster that has ended. namespace: None for a local head."""

    name: str
    namespace: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        return asdict(self)


def of_name(
    where: Where, confirm: consent.Confirm, progress: Progress, keep: Keep = nothing
) -> Gone:
    """End the cluster or the local head that `where.on` names.

    A name alone means a local head, or a cluster of the namespace that `up` uses; other namespaces
    are not searched. keep: called before it ends.
    Errors: UsageError (2) if both exist or the user does not confirm, MissingError (4) if neither
    exists, ConflictError (8) if raykit did not make the cluster.
    """
    word = where.on or ""
    reference = narrowed(parse(word, "NAME"), where.context, where.namespace)
    head = warm.find(word) if reference == Reference(word) else None
    if head is None:
        return of_reference(reference, confirm, progress, keep)
    if cluster := _of_the_same_name(word, progress):
        raise UsageError(
            f"{word} names several",
            evidence=[f"local head {word}", cluster.where],
            next=f"raykit down {word} --on local, or raykit down {cluster.where}",
        )
    return of_head(word, confirm, progress, keep)


def of_spec(
    path: Path,
    context: str | None,
    namespace: str | None,
    confirm: consent.Confirm,
    progress: Progress,
    keep: Keep = nothing,
) -> Gone:
    """End the cluster that `raykit up -f` makes of a spec.

    Errors: SpecError (3) for the spec; else as `of_name`.
    """
    spec = up.read_spec(path, namespace=namespace)
    return of_reference(Reference(spec.name, spec.namespace, context), confirm, progress, keep)


def of_head(name: str, confirm: consent.Confirm, progress: Progress, keep: Keep = nothing) -> Gone:
    """End a local head.

    Errors: MissingError (4) if none of that name runs, UsageError (2) if jobs run there and the
    user does not confirm.
    """
    head = local.find(name)
    jobs = work.on_target(WarmLocal(head, ""), progress)
    if jobs:
        progress.note(jobs)
        consent.ask(f"end the local head {name}", confirm, because=jobs)
    keep(WarmLocal(head, ""))
    return Gone(local.down(head, progress).name)


def of_reference(
    reference: Reference, confirm: consent.Confirm, progress: Progress, keep: Keep = nothing
) -> Gone:
    """Delete one of raykit's clusters and wait until its pods are gone.

    A reference without a namespace means the context's namespace. Errors: as `of_name`.
    """
    name = reference.name
    with progress.step("preflight", "Kubernetes and KubeRay"):
        connection = _connect(reference)
        namespace = reference.namespace or connection.namespace
        cluster = _find(connection, name, namespace)
    doing = f"delete {name} in namespace {namespace}"
    because = _at_stake(cluster, progress)
    consent.require(consent.describe(connection), doing, confirm, because=because)
    with consent.one_at_a_time(connection, name, namespace, BRING_UP_SECONDS, progress):
        keep(OnKubernetes(choosing.find_one(connection, name, namespace), ""))
        # The cluster that was confirmed: one that took its name since is another.
        with progress.step("down", f"{name} ended"):
            raycluster.end(cluster, progress)
    return Gone(name, namespace)


def _at_stake(cluster: Cluster, progress: Progress) -> str:
    """What is lost with a cluster, or undoes its deletion; empty if nothing is."""
    tool = choosing.applied_from_elsewhere(cluster.item)
    again = f"{tool} applies {cluster.where}, and may make it again" if tool else ""
    jobs = work.on_cluster(cluster, raycluster.pods(cluster), progress)
    reasons = [reason for reason in (jobs, again) if reason]
    for reason in reasons:
        progress.note(reason)
    return "; ".join(reasons)


def _connect(reference: Reference) -> Kubernetes:
    if not reference.context and not kubeconfig.has_context():
        raise MissingError(
            f"there is no local head {reference.name}, and no Kubernetes context",
            evidence=_heads(),
            next="raykit status",
        )
    connection = connect(reference.context)
    operator.require(connection)
    return connection


def _find(connection: Kubernetes, name: str, namespace: str) -> Cluster:
    try:
        return choosing.find_one(connection, name, namespace)
    except MissingError as absent:
        evidence = [*absent.evidence, *_heads()]
        raise MissingError(absent.what, evidence=evidence, next=absent.next) from None


def _heads() -> list[str]:
    return [f"there is the local head {head.name}" for head in warm.running()]


def _of_the_same_name(name: str, progress: Progress) -> Cluster | None:
    """The cluster that `down` would end for the name; None also if no context can be asked."""
    if not kubeconfig.has_context():
        return None
    try:
        with connect() as connection:
            if not operator.is_served(connection):
                return None
            item = connection.get("RayCluster", name, connection.namespace)
    except RaykitError as error:
        progress.note(f"the context could not be asked for a cluster {name}: {error.what}")
        return None
    return Cluster(connection, name, connection.namespace, item) if item else None
