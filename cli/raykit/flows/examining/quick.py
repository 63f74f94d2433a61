"""Doctor's quick checks of what a failed command was about: those that ask the API server only.

They run together, and for 3 s at most.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from raykit import checks
from raykit.checks import Check, Question, State
from raykit.containers import image
from raykit.errors import KubernetesError, RaykitError
from raykit.flows.examining import questions
from raykit.kube.access import last_read
from raykit.kube.checks import rights, rules
from raykit.kube.checks.rules import Rule
from raykit.kube.connection import Kubernetes
from raykit.kube.errors import ForbiddenError, got_no_answer
from raykit.kuberay.reach import has_secret
from raykit.manifests.render import render
from raykit.objects import Object, ray_cluster_of
from raykit.spec.model import ClusterSpec

SECONDS = 3.0
GRACE_SECONDS = 0.2
"""A check that is no longer waited for ends so many seconds later."""
MOST, MOST_LINES = 3, 5


@dataclass(frozen=True)
class Subject:
    """What a command was about.

    context, namespace: None: the current one, and that of the context. rules: the rights without
    which it fails. to_make: the RayCluster that it was to make, if any. queued: what may name a
    queue.
    """

    context: str | None
    namespace: str | None
    rules: Sequence[Rule]
    to_make: Object | None = None
    queued: Sequence[Object] = ()


def of_spec(spec: ClusterSpec, context: str | None, *, as_rayjob: bool = False) -> Subject:
    """A command that makes the cluster of a spec. as_rayjob: as a part of a RayJob."""
    items = render(spec, image=spec.image or image.reference())
    ray_cluster = ray_cluster_of(items)
    kinds = ["RayJob"] if as_rayjob else [item["kind"] for item in items]
    verbs = rules.OF_SUBMIT if as_rayjob else rules.OF_UP
    needed = rules.only(rules.of_kinds(kinds), verbs)
    # A cluster that is a part of a RayJob waits in the RayJob's queue.
    queued = [{**ray_cluster, "kind": "RayJob"}] if as_rayjob else items
    return Subject(context, spec.namespace, needed, ray_cluster, queued)


def of_place(
    context: str | None, namespace: str | None, ray_cluster: Object | None = None
) -> Subject:
    """A submission to a cluster that is there. ray_cluster: None: not known yet."""
    needed = rules.only(rules.ALWAYS, rules.OF_SUBMIT)
    if ray_cluster is None:
        return Subject(context, namespace, needed)
    if not has_secret(ray_cluster):
        needed = [rule for rule in needed if rule.resource != "secrets"]
    return Subject(context, namespace, needed, queued=[{**ray_cluster, "kind": "RayCluster"}])


def further(error: RaykitError, about: Callable[[], Subject | None]) -> list[RaykitError]:
    """The checks that fail and are not in the error yet, as errors: at most 3, then how many more.

    Empty if the API server does not answer.
    """
    if got_no_answer(error):
        return []
    began = time.monotonic()
    place = next(filter(None, checks.in_time(SECONDS, [partial(_reach, about)])), None)
    if place is None:
        return []
    asked = [partial(checks.answer, question) for question in place.questions()]
    results = checks.in_time(SECONDS - (time.monotonic() - began), asked)
    news = _new([check for check in results if check.state is State.fail], error)
    shown = [_shortened(check.error) for check in news[:MOST]]
    return [*shown, place.more(len(news) - MOST)] if news[MOST:] else shown


@dataclass(frozen=True)
class _Place:
    """The place of a subject, in a context that answers."""

    subject: Subject
    connection: Kubernetes

    @property
    def namespace(self) -> str:
        return self.subject.namespace or self.connection.namespace

    def questions(self) -> list[Question]:
        return [
            Question(rights.NAME, self._rights),
            *questions.kuberay(self.connection, self.namespace),
            *questions.place(self.connection, self.namespace, self.subject.to_make),
            *questions.queues(self.connection, self.namespace, self.subject.queued),
        ]

    def more(self, count: int) -> RaykitError:
        what = f"{count} more of doctor's checks fail{'s' if count == 1 else ''}"
        where = f"--context {self.connection.about.quoted} -n {self.namespace}"
        return KubernetesError(what, next=f"raykit doctor {where}")

    def _rights(self) -> Check:
        found = rights.read(self.connection, self.subject.rules, self.namespace)
        return rights.judge(found, self.namespace)


def _reach(about: Callable[[], Subject | None]) -> _Place | None:
    """None if the command was not about a context, or could not read it.

    Errors: as `Kubernetes` if the API server does not answer.
    """
    subject = about()
    known = last_read(subject.context) if subject else None
    if subject is None or known is None:
        return None
    connection = Kubernetes(known, SECONDS + GRACE_SECONDS)
    with contextlib.suppress(ForbiddenError):
        connection.version()
    return _Place(subject, connection)


def _new(failed: Sequence[Check], error: RaykitError) -> list[Check]:
    """The failed checks that neither the error nor a check before them says."""
    said, news = [error], []
    for check in failed:
        if not any(_says(one, check) for one in said):
            news.append(check)
            said.append(check.error)
    return news


def _says(error: RaykitError, check: Check) -> bool:
    """Whether an error says what a check says: in its words, or by the same advice."""
    if check.next and check.next == error.next:
        return True
    if isinstance(error, ForbiddenError) and check.name == rights.NAME:
        return len(check.evidence) == 1
    text = "\n".join([error.what, *error.evidence])
    return any(line in text for line in (check.what, *check.evidence) if line)


def _shortened(error: RaykitError) -> RaykitError:
    lines = error.evidence
    more = [f"… and {len(lines) - MOST_LINES} more"] if lines[MOST_LINES:] else []
    error.evidence = (*lines[:MOST_LINES], *more)
    return error
