"""Before a cluster is changed: whose it is, the consent of the user, one change at a time."""

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
"""Asks one question; False where there is nobody to ask."""


def describe(connection: Kubernetes) -> Context:
    """What the context is, with the mark of `raykit kind up` looked up in the docker engine."""
    about = connection.about
    if about.kind_cluster is None:
        return about
    try:
        ours = kind.answers_at(about.kind_cluster, connection.access.server)
    except RaykitError:
        # Without the docker engine nothing shows whose cluster it is.
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
    """Ask, unless raykit made the cluster and nothing else (`because`) is a reason to ask.

    Errors: UsageError (2) where the answer is no.
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
    """Whoever changes the same cluster from this machine waits for the one before, `wait` seconds.

    Errors: ConflictError (8) where it takes longer.
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
