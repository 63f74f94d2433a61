"""Below an error of `raykit up` and `submit`: what `raykit doctor` would say of the same place."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from raykit.errors import INTERRUPTS, KubernetesError, MissingError, RaykitError
from raykit.flows.targets.kinds import OnKubernetes, Target
from raykit.flows.targets.where import Where

if TYPE_CHECKING:
    from raykit.flows.examining.quick import Subject
    from raykit.flows.session import Run
    from raykit.spec.model import ClusterSpec

EXAMINED = (MissingError.exit_code, KubernetesError.exit_code)

About = Callable[[], "Subject | None"]
"""Says what a failed command was about; None: not about a Kubernetes cluster."""


def of_up(spec: ClusterSpec, context: str | None) -> Subject:
    """`raykit up` with a spec."""
    from raykit.flows.examining import quick

    return quick.of_spec(spec, context)


def of_own_cluster(spec: ClusterSpec, where: Where) -> Subject:
    """A submission with a cluster of its own."""
    from raykit.flows.examining import quick

    return quick.of_spec(spec, where.context, as_rayjob=True)


def of_choice(where: Where) -> Subject | None:
    """A submission whose target is not chosen yet."""
    from raykit.flows.examining import quick
    from raykit.kube.reference import narrowed, parse

    word = where.word
    if not word:
        return quick.of_place(where.context, where.namespace)
    if word == "local" or word.startswith(("http://", "https://")):
        return None
    reference = narrowed(parse(word, where.source), where.context, where.namespace)
    return quick.of_place(reference.context, reference.namespace)


def of_target(target: Target) -> Subject | None:
    """A submission to a target."""
    from raykit.flows.examining import quick

    if not isinstance(target, OnKubernetes):
        return None
    cluster = target.cluster
    return quick.of_place(cluster.connection.context, cluster.namespace, cluster.item)


@contextlib.contextmanager
def advised(about: About) -> Iterator[None]:
    """Add doctor's advice to an error that leaves the block with exit code 4 or 5."""
    try:
        yield
    except RaykitError as error:
        advise(error, about)
        raise


def advised_run(about: About, work: Callable[[], Run]) -> Run:
    """The run of `work`. Advice is added to the errors that it raises, and to the run's own."""
    with advised(about):
        run = work()
        if run.error:
            advise(run.error, about)
        return run


def advise(error: RaykitError, about: About) -> None:
    """Add what doctor's quick checks find and the error does not say yet.

    The error stays what it is: an interrupt, or a bug of a check, only ends the checks.
    """
    if error.exit_code not in EXAMINED or error.also:
        return
    from raykit.flows.examining import quick

    with contextlib.suppress(*INTERRUPTS):
        error.also = tuple(quick.further(error, about))
