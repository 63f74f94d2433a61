"""Waiting that says why: check, then wake on changes, until ready, hopeless or out of time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from raykit.errors import KubernetesError
from raykit.kube.connection import Kubernetes
from raykit.kube.errors import ForbiddenError
from raykit.kuberay.finding import Finding
from raykit.objects import Object
from raykit.progress import Progress

LONGEST_SLEEP, SETTLE = 2.0, 0.1
SILENT_API_SECONDS = 15.0
WATCH_SECONDS = 10
LOG_LINES = 10
MOST_ASKED = 8
"""Objects whose events are read: what keeps a hundred pods is nearly always one reason."""


@dataclass(frozen=True)
class Look:
    """One look at what is being waited for. missing: what is not there yet, in a few words."""

    ready: bool
    findings: Sequence[Finding] = ()
    missing: str = ""


def until(
    look: Callable[[], Look],
    *,
    what: str,
    timeout: float,
    progress: Progress,
    next: str,
    wake: Callable[[float], object] = time.sleep,
    log: Callable[[Finding], list[str]] = lambda _: [],
) -> None:
    """Look until ready.

    Errors: KubernetesError (5) with the first finding that outlasted its patience, or, after
    `timeout` seconds, with all findings of the last look.
    """
    began = time.monotonic()
    since: dict[str, float] = {}
    while True:
        seen = _patiently(look)
        if seen.ready:
            return
        now = time.monotonic()
        since = {each.key: since.get(each.key, now) for each in seen.findings}
        for finding in seen.findings:
            if finding.patience is not None and now - since[finding.key] >= finding.patience:
                raise _hopeless(what, finding, log(finding))
        if now - began >= timeout:
            raise _late(what, timeout, seen, next)
        progress.detail(seen.findings[0].what if seen.findings else seen.missing)
        wake(_sleep(seen.findings, since, now, began + timeout))


@dataclass(frozen=True)
class Watched:
    """Objects of one kind in a namespace, by their labels or fields."""

    kind: str
    labels: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def watched(
    connection: Kubernetes, namespace: str, *watches: Watched
) -> Iterator[Callable[[float], object]]:
    """A sleep that ends early when one of these objects changes."""
    changed, ended = threading.Event(), threading.Event()

    def follow(watch: Watched) -> None:
        own = Kubernetes(connection.access)
        while not ended.is_set():
            try:
                for _ in own.changes(
                    watch.kind, namespace, WATCH_SECONDS, labels=watch.labels, fields=watch.fields
                ):
                    changed.set()
            except Exception:
                # A watch only shortens the sleep: without it the looks are rarer, not wrong.
                ended.wait(LONGEST_SLEEP)
        own.close()

    def wake(seconds: float) -> None:
        if changed.wait(seconds):
            time.sleep(SETTLE)
            changed.clear()

    for watch in watches:
        threading.Thread(target=follow, args=(watch,), daemon=True).start()
    try:
        yield wake
    finally:
        # The threads end with their watches: closing TLS from another thread crashes.
        ended.set()


def events(connection: Kubernetes, namespace: str, of: Sequence[Object]) -> list[Object]:
    """Events about the first of these objects; none where we may not read them.

    Asked for one by one: a namespace may hold ten thousand events.
    """
    uids = [item["metadata"].get("uid", "") for item in of[:MOST_ASKED]]
    try:
        return [
            event
            for uid in uids
            for event in connection.objects("Event", namespace, fields={"involvedObject.uid": uid})
        ]
    except ForbiddenError:
        return []


def last_lines(connection: Kubernetes, finding: Finding) -> list[str]:
    """The end of the log that explains a finding; nothing where none does."""
    if finding.log is None:
        return []
    namespace, pod, container, previous = finding.log
    try:
        log = connection.log(pod, namespace, container, LOG_LINES, previous)
    except (KubernetesError, ForbiddenError):
        return []
    lines = [line for line in log if line.strip()]
    wrong = any("exec format error" in line for line in lines)
    hint = ["the image is built for another processor architecture"] if wrong else []
    return [*hint, *(f"| {line}" for line in lines)]


def _patiently(look: Callable[[], Look]) -> Look:
    try:
        return look()
    except KubernetesError as error:
        # An API server may restart while we wait.
        silent = Finding("api", error.what, error.evidence, error.next, SILENT_API_SECONDS)
        return Look(False, [silent])


def _sleep(
    findings: Sequence[Finding], since: Mapping[str, float], now: float, deadline: float
) -> float:
    ends = [since[each.key] + each.patience for each in findings if each.patience is not None]
    return max(0.05, min(LONGEST_SLEEP, *(end - now for end in [*ends, deadline])))


def _hopeless(what: str, finding: Finding, log: list[str]) -> KubernetesError:
    return KubernetesError(
        f"{what} cannot become ready: {finding.what}",
        evidence=[*finding.evidence, *log],
        next=finding.next,
    )


def _late(what: str, timeout: float, seen: Look, next: str) -> KubernetesError:
    reasons = [line for each in seen.findings for line in (each.what, *each.evidence)]
    return KubernetesError(
        f"{what} was not ready within {timeout:g} s",
        evidence=reasons or [seen.missing],
        next=next,
    )
