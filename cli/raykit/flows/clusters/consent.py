"""Checks before a change of a cluster: who made it, the user's consent, one change at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from raykit import locks
from raykit.containers import kind
from raykit.errors import ConflictError, RaykitError, UsageError
from raykit.kube.connection import Kubernetes
from raykit.kube.contexts import Context
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
    if not (context.asks_first or because) or confirm(f"{doing}, in context {context}?"):
        return
    reason = because or "raykit did not make the cluster of this context, so it asks first"
    raise UsageError(
        f"not confirmed: {doing}, in context {context}",
        evidence=[reason, *evidence],
        next="run it again with --yes",
    )


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
