"""Before a cluster changes: the plan, who made it, the user's consent, one change at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from raykit import locks
from raykit.containers import kind
from raykit.errors import ConflictError, RaykitError, UsageError
from raykit.flows.clusters import applying, work
from raykit.kube.connection import Kubernetes
from raykit.kube.contexts import Context
from raykit.kuberay import raycluster
from raykit.kuberay.raycluster import Cluster
from raykit.manifests import change
from raykit.manifests.change import Change
from raykit.objects import Object
from raykit.progress import Progress

Confirm = Callable[[str], bool]
"""Asks the user one question; returns False for "no", or if nobody can answer."""


def describe(connection: Kubernetes) -> Context:
    """The connection's context; the docker engine shows whether `raykit kind up` made it."""
    about = connection.about
    if about.kind_cluster is None:
        return about
    try:
        ours = kind.answers_at(about.kind_cluster, connection.access.server)
    except RaykitError:
        # Only the docker engine shows who made a kind cluster.
        ours = False
    return replace(about, made_by_raykit=ours)


def require(
    context: Context,
    doing: str,
    confirm: Confirm,
    *,
    because: str = "",
    evidence: Sequence[str] = (),
) -> None:
    """Ask for consent, unless raykit made the cluster and `because` is empty.

    doing: what raykit is about to do. because: a further reason to ask, such as running jobs.
    evidence: further lines for the error.
    Errors: UsageError (2) if the answer is no.
    """
    if context.asks_first or because:
        reason = because or "raykit did not make the cluster of this context, so it asks first"
        ask(f"{doing}, in context {context}", confirm, because=reason, evidence=evidence)


def ask(doing: str, confirm: Confirm, *, because: str, evidence: Sequence[str] = ()) -> None:
    """Ask for consent to what raykit is about to do.

    Errors: UsageError (2) if the answer is no, with the reason for asking.
    """
    if not confirm(f"{doing}?"):
        raise UsageError(
            f"not confirmed: {doing}",
            evidence=[because, *evidence],
            next="run it again with --yes",
        )


def agree_to(
    changes: Change,
    existing: Cluster,
    context: Context,
    confirm: Confirm,
    progress: Progress,
) -> None:
    """Show what changes, which pods end and which jobs run; ask if jobs run or raykit did not
    make the Kubernetes cluster.

    Errors: UsageError (2) if the answer is no.
    """
    pods = raycluster.pods(existing)
    names = ", ".join(pod["metadata"]["name"] for pod in pods)
    effect = changes.effect(len(pods)) + (f": {names}" if changes.restarts and pods else "")
    evidence = [*change.shortened(changes.lines), effect]
    for line in evidence:
        progress.note(line)
    jobs = work.on_cluster(existing, pods, progress) if changes.ends_pods else ""
    if jobs:
        progress.note(jobs)
    doing = f"change {existing.name} in namespace {existing.namespace} ({effect})"
    require(context, doing, confirm, because=jobs, evidence=evidence)


def unchanged(existing: Cluster) -> Object:
    """The RayCluster as it is now; Ray's autoscaler may have changed its numbers of workers.

    Errors: ConflictError (8) if somebody else changed it after raykit showed the change.
    """
    before, now = existing.item, raycluster.refresh(existing).item
    versions = [
        (item["metadata"]["uid"], item["metadata"].get("generation")) for item in (before, now)
    ]
    if versions[0] != versions[1] and not _is_scaled(before, now):
        raise ConflictError(
            f"{existing.where} was changed meanwhile by somebody else",
            next="run the same command again: it shows what is left to change",
        )
    return now


def _is_scaled(before: Object, now: Object) -> bool:
    """Whether the one difference is what Ray's autoscaler has set."""
    same = before["metadata"]["uid"] == now["metadata"]["uid"]
    autoscaled = before["spec"].get("enableInTreeAutoscaling") is True
    ending = "deletionTimestamp" in now["metadata"]
    kept = applying.keep_autoscaled(before, now)
    return same and autoscaled and not ending and kept["spec"] == now["spec"]


@contextlib.contextmanager
def one_at_a_time(
    connection: Kubernetes, name: str, namespace: str | None, wait: float, progress: Progress
) -> Iterator[None]:
    """Wait up to `wait` seconds for another raykit on this machine that changes the same cluster.

    Errors: ConflictError (8) if that takes longer.
    """
    lock, doing = f"up-{connection.context}-{namespace}-{name}", f"on the cluster {name}"
    with contextlib.ExitStack() as holding:
        try:
            holding.enter_context(locks.held(lock, doing))
        except ConflictError as busy:
            progress.note(f"{busy.what}: waiting until it has ended")
            with progress.step("turn", f"the other raykit on {name} has ended"):
                holding.enter_context(locks.held(lock, doing, wait=wait))
        yield
