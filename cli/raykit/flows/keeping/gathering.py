"""Gather evidence of a target from Kubernetes and from its head, side by side, and write it."""

from __future__ import annotations

import contextlib
import io
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from raykit import versions
from raykit.errors import JobsApiError, RecordError
from raykit.flows.targets.address import Address
from raykit.flows.targets.kinds import OnKubernetes, Target, WarmLocal
from raykit.measure.keeping.evidence import Collected, Collection
from raykit.measure.keeping.plain_tar import BadArchiveError
from raykit.measure.records import write_atomically
from raykit.progress import Attempt, Progress, attempt_all
from raykit.submission.evidence import head
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport

REACH_SECONDS = 2.0
"""How long to try the API server's way to a head that may be in trouble."""

OUTER_SECONDS = 1.0
"""Each of the two sides ends in time by itself, and says what it lacks."""

WRITE_SECONDS = 6.0
"""How long after its time is over what was gathered may still be searched for secrets. Steps that
are under way take up to 4 s of that; to search 64 MiB takes 1 to 2 s."""


@dataclass(frozen=True)
class Begun:
    """Evidence that is being gathered. collected: what is known of it before."""

    collected: Collected
    files: Collection


def begin(name: str, why: str, target: Mapping[str, Any], seconds: float) -> Begun:
    """Begin to gather. name: the id of the evidence. seconds: until it must be whole."""
    tools = {"raykit": versions.RAYKIT, "python": platform.python_version()}
    collected = Collected(name, time.time(), why, 0.0, dict(target), tools)
    return Begun(collected, Collection(time.monotonic() + seconds))


def name(target: Target) -> dict[str, Any]:
    """How records name a target."""
    if isinstance(target, OnKubernetes):
        return target.cluster.target
    if isinstance(target, WarmLocal):
        return dict(target.head.head().endpoint().target)
    return {"kind": "url", "url": target.url} if isinstance(target, Address) else {"kind": "local"}


def gather(begun: Begun, target: Target, wanted: Sequence[str], api: JobsApi | None = None) -> None:
    """Gather what Kubernetes and the head know. What fails is noted.

    wanted: submission ids that matter most. api: the head, where a connection is open already.
    """
    into = begun.files
    steps = [Attempt("the head", lambda: _ask_head(target, wanted, into, api))]
    if isinstance(target, OnKubernetes):
        from raykit.kuberay.evidence import cluster as kubernetes

        observed = target.cluster
        steps.append(Attempt("Kubernetes", lambda: kubernetes.gather(observed, into)))
    try:
        attempt_all(steps, into.deadline + OUTER_SECONDS, into.miss)
    except BaseException:
        into.stop()
        raise


def write(begun: Begun, path: Path, next: str = "") -> Collected:
    """Write the archive as a whole or not at all; return what is in it.

    next: what to do if it cannot be written there. Errors: RecordError (7) if the disk refuses.
    """
    out = io.BytesIO()
    known = replace(begun.collected, seconds=round(time.time() - begun.collected.at, 3))
    try:
        collected = begun.files.close(out, known, begun.files.deadline + WRITE_SECONDS)
    except BadArchiveError as error:
        raise RecordError("the evidence cannot be archived", evidence=[str(error)]) from error
    write_atomically(path, out.getvalue(), next)
    return collected


def _ask_head(target: Target, wanted: Sequence[str], into: Collection, api: JobsApi | None) -> None:
    with contextlib.nullcontext(api) if api else _opened(target) as head_api:
        head.gather(head_api, wanted, into)


@contextlib.contextmanager
def _opened(target: Target) -> Iterator[JobsApi]:
    """The head of a target. One that cannot be reached is given up soon."""
    with contextlib.ExitStack() as way:
        if isinstance(target, OnKubernetes):
            from raykit.kuberay.reach import reach

            _check_head_pod(target)
            endpoint = way.enter_context(reach(target.cluster, Progress(), REACH_SECONDS))
        else:
            endpoint = way.enter_context(target.open(Progress()))
        yield JobsApi(way.enter_context(Transport(endpoint)))


def _check_head_pod(target: OnKubernetes) -> None:
    """Errors: JobsApiError (6) if no head pod serves: then there is nobody to ask."""
    from raykit.kuberay import raycluster
    from raykit.kuberay.pods import is_head, serves

    if not any(is_head(pod) and serves(pod) for pod in raycluster.pods(target.cluster)):
        raise JobsApiError("its pod is not ready")
