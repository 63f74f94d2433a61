"""A finding: one reason why something in a cluster is not ready."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Finding:
    """One reason why something is not ready.

    key: identifies the reason from one look to the next. what: one line. next: the command that
    repairs it; empty if there is none.
    patience: seconds after which this reason is final (0: at once); None: it may resolve by itself.
    log: namespace, pod and container whose log explains it, and whether it is the previous run's.
    pod: name of the pod that it is about; the texts may contain it. queued: it waits for its turn
    in a queue, which no time-out counts.
    past: it was so before the last change, and may no longer be.
    """

    key: str
    what: str
    evidence: tuple[str, ...] = ()
    next: str = ""
    patience: float | None = None
    log: tuple[str, str, str, bool] | None = None
    pod: str = ""
    queued: bool = False
    past: bool = False


def grouped(findings: Iterable[Finding]) -> list[Finding]:
    """Merge findings that differ only in the pod into one, with a count and an example."""
    alike: dict[object, list[Finding]] = {}
    for finding in findings:
        alike.setdefault(_without_pod(finding), []).append(finding)
    return [_as_one(group) for group in alike.values()]


def _without_pod(finding: Finding) -> object:
    if not finding.pod:
        return finding.key
    name = re.compile(rf"(?<![\w.-]){re.escape(finding.pod)}(?![\w.-])")
    texts = (finding.what, *finding.evidence, finding.next)
    return (*(name.sub("*", text) for text in texts), finding.patience)


def _as_one(group: list[Finding]) -> Finding:
    first = group[0]
    if len(group) == 1:
        return first
    named, several = f"pod {first.pod}", f"{len(group)} pods, such as {first.pod}"
    what = (
        first.what.replace(named, several) if named in first.what else f"{first.what} ({several})"
    )
    return replace(first, what=what)
