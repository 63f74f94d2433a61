"""Wait until something is ready, look again on changes, and explain if it does not become ready."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from raykit.errors import KubernetesError, RaykitError
from raykit.kube.connection import Kubernetes
from raykit.kube.errors import ForbiddenError
from raykit.kuberay.finding import Finding
from raykit.objects import Object
from raykit.progress import Progress, Waiting

LONGEST_SLEEP, SETTLE = 2.0, 0.1
SILENT_API_SECONDS = RULES_SECONDS = 15.0
WATCH_SECONDS = 10
QUICK_SECONDS, FIRST_PAUSE, LONGEST_PAUSE = 1.0, 0.5, 30.0
"""A watch that ends sooner was closed by somebody, such as a proxy: the pauses before the next."""
LOG_LINES = 10
MOST_ASKED = 8
"""The most objects whose events are read: a hundred pods nearly always wait for one reason."""


@dataclass(frozen=True)
class Look:
    """The state at one moment. findings: why it is not ready. missing: what is not ready, in a
    few words. lines: one for each group that is not ready, with its reason. error: why the API
    server did not say."""

    ready: bool
    findings: Sequence[Finding] = ()
    missing: str = ""
    lines: Sequence[str] = ()
    error: RaykitError | None = None

    @property
    def reasons(self) -> Sequence[str]:
        return self.lines or [finding.what for finding in self.findings] or [self.missing]


def unless_forbidden(read: Callable[[], list[Finding]]) -> list[Finding]:
    """What `read` finds; a finding that says so if a right is missing, such as to read pods."""
    try:
        return read()
    except ForbiddenError as forbidden:
        return [Finding("forbidden", forbidden.what, forbidden.evidence, forbidden.next)]


def until(
    look: Callable[[], Look],
    *,
    what: str,
    timeout: float,
    progress: Progress,
    next: str,
    wake: Callable[[float], object] = time.sleep,
    log: Callable[[Finding], list[str]] = lambda _: [],
    late: Callable[[Look], Exception] | None = None,
) -> float:
    """Call `look` until it returns a ready state; return the seconds spent in a queue.

    The time-out does not count them.

    what: what is being waited for. timeout: seconds. next: the hint after a time-out. wake: sleeps
    up to so many seconds. log: the log lines that explain a finding. late: the error after
    the time-out, if it is not the usual one.
    Errors: ForbiddenError (4) if a right is missing; KubernetesError (5) with the first finding
    that is final, or, after `timeout`, with all findings of the last look.
    """
    began = last = time.monotonic()
    queued, has_answered = 0.0, False
    since: dict[str, float] = {}
    waiting = Waiting(progress)
    while True:
        seen = _patiently(look, has_answered)
        has_answered = has_answered or seen.error is None
        if seen.ready:
            return queued
        now = time.monotonic()
        queued += now - last if any(finding.queued for finding in seen.findings) else 0.0
        last = now
        # Patience begins when a finding gets a limit. It has none while it may resolve by itself,
        # such as while pods are ending whose room a pod waits for.
        limited = [finding for finding in seen.findings if finding.patience is not None]
        since = {finding.key: since.get(finding.key, now) for finding in limited}
        for finding in limited:
            if now - since[finding.key] >= (finding.patience or 0.0):
                if isinstance(seen.error, ForbiddenError):
                    raise seen.error
                raise _hopeless(what, finding, log(finding))
        if now - began - queued >= timeout:
            raise late(seen) if late else _late(what, timeout, seen, next)
        waiting.show(*seen.reasons)
        wake(_sleep(seen.findings, since, now, began + queued + timeout))


@dataclass(frozen=True)
class Watched:
    """Objects to watch: those of one kind in a namespace, selected by labels or fields."""

    kind: str
    labels: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def watched(
    connection: Kubernetes, namespace: str, *watches: Watched
) -> Iterator[Callable[[float], object]]:
    """A function that sleeps so many seconds, or less if one of these objects changes."""
    changed, ended = threading.Event(), threading.Event()

    def follow(watch: Watched) -> None:
        own = Kubernetes(connection.access)
        pause = 0.0
        while not ended.wait(pause):
            began, lasted = time.monotonic(), 0.0
            try:
                for _ in own.changes(
                    watch.kind, namespace, WATCH_SECONDS, labels=watch.labels, fields=watch.fields
                ):
                    changed.set()
                lasted = time.monotonic() - began
            except Exception:
                # A watch only shortens the sleep; without it the waiting still works.
                pass
            pause = pause_after(lasted, pause)
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
        # The threads end by themselves: closing a TLS connection from another thread crashes.
        ended.set()


def pause_after(lasted: float, before: float) -> float:
    """Seconds until the next watch. lasted: seconds of this one; before: the pause before it."""
    if lasted >= QUICK_SECONDS:
        return 0.0
    return min(max(2 * before, FIRST_PAUSE), LONGEST_PAUSE)


def events(connection: Kubernetes, namespace: str, of: Sequence[Object]) -> list[Object]:
    """Events about the first 8 of these objects; none if the user may not read events.

    One request an object: a namespace may have ten thousand events.
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
    """The last 10 lines of the log that explains a finding; empty if no log does."""
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


def _patiently(look: Callable[[], Look], has_answered: bool) -> Look:
    """A look, or why there is none. has_answered: an earlier look was allowed.

    Errors: ForbiddenError (4) if the first one is not.
    """
    try:
        return look()
    except (KubernetesError, ForbiddenError) as failed:
        refused = isinstance(failed, ForbiddenError)
        if refused and not has_answered:
            raise
        # An API server may restart while we wait. Then it refuses what it allowed, until it has
        # read its RBAC rules.
        key, patience = ("rules", RULES_SECONDS) if refused else ("api", SILENT_API_SECONDS)
        silent = Finding(key, failed.what, failed.evidence, failed.next, patience)
        return Look(False, [silent], error=failed)


def _sleep(
    findings: Sequence[Finding], since: Mapping[str, float], now: float, deadline: float
) -> float:
    ends = [
        since[finding.key] + finding.patience
        for finding in findings
        if finding.patience is not None
    ]
    return max(0.05, min(LONGEST_SLEEP, *(end - now for end in [*ends, deadline])))


def _hopeless(what: str, finding: Finding, log: list[str]) -> KubernetesError:
    return KubernetesError(
        f"{what} cannot become ready: {finding.what}",
        evidence=[*finding.evidence, *log],
        next=finding.next,
    )


def _late(what: str, timeout: float, seen: Look, next: str) -> KubernetesError:
    reasons = [line for item in seen.findings for line in (item.what, *item.evidence)]
    repairs = [finding.next for finding in seen.findings if finding.next]
    return KubernetesError(
        f"not ready within {timeout:.0f} s: {what}",
        evidence=reasons or seen.reasons,
        next=repairs[0] if repairs else next,
    )
