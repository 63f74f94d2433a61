"""Local heads that stay: the parts of `raykit up`, `status` and `down` with `--on local`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from raykit.errors import KubernetesError, MissingError, RaykitError
from raykit.local import folders, heads, warm
from raykit.local.warm import WarmHead
from raykit.progress import Progress, Waiting
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport

JOIN_SECONDS = 60.0


def up(name: str, nodes: int, progress: Progress) -> WarmHead:
    """Start a head of `nodes` Ray nodes that stays, and wait until all of them have joined.

    A head that this call started ends again if its nodes do not join, or if the user interrupts.
    Errors: UsageError (2), MissingError (4), ConflictError (8) as `local.warm.up`; KubernetesError
    (5) if no further node joins within 60 s.
    """
    head, is_new = warm.up(name, nodes, progress)
    if nodes > 1:
        try:
            progress.note(
                "with several Ray nodes, Ray listens on this machine's own address; "
                "a token guards it"
            )
            with progress.step("nodes-ready", f"{nodes} Ray nodes"):
                _wait_joined(head, progress)
        except BaseException:
            if is_new:
                warm.down(head)
            raise
    return head


def find(name: str) -> WarmHead:
    """The running warm head of a name.

    Errors: MissingError (4) if it does not run; then leftovers of killed heads are removed, too.
    """
    head = warm.find(name)
    if head is None:
        folders.sweep()
        others = ", ".join(other.name for other in warm.running())
        raise MissingError(
            f"no local head {name} is up",
            evidence=[f"running heads: {others}"] if others else [],
            next=f"raykit up --on local --name {name}",
        )
    return head


def down(head: WarmHead, progress: Progress) -> WarmHead:
    """End a warm head and all processes that it started."""
    with progress.step("down", f"local head {head.name} ended"):
        warm.down(head)
    return head


def status() -> list[dict[str, Any]]:
    """A row for each warm head: name, address, Ray nodes, p, Ray's version, age in seconds."""
    return [_row(head) for head in warm.running()]


def _row(head: WarmHead) -> dict[str, Any]:
    row = {
        "name": head.name,
        "url": head.url,
        "state": "ready",
        "nodes": head.nodes,
        "task_cpus": None,
        "ray_version": head.ray,
        "age_seconds": max(time.time() - head.started, 0.0),
    }
    try:
        alive = _alive(head)
    except RaykitError as error:
        return {**row, "state": error.what}
    return {**row, "nodes": len(alive), "task_cpus": sum(alive)}


def _alive(head: WarmHead) -> list[float]:
    """The CPUs that each live Ray node offers."""
    with Transport(head.head().endpoint()) as transport:
        return [
            float((node.get("resources_total") or {}).get("CPU", 0))
            for node in JobsApi(transport).nodes()
            if node["state"] == "ALIVE"
        ]


def _wait_joined(head: WarmHead, progress: Progress) -> None:
    """Wait for all nodes. They start one after another, so each has its own time to join."""
    waiting = Waiting(progress)
    joined, deadline = 0, time.monotonic() + JOIN_SECONDS
    while True:
        before, joined = joined, len(_alive(head))
        if joined >= head.nodes:
            return
        if joined > before:
            deadline = time.monotonic() + JOIN_SECONDS
        waiting.show(
            f"{joined} of {head.nodes} have joined; the next has {JOIN_SECONDS:g} s for it"
        )
        if time.monotonic() > deadline:
            raise KubernetesError(
                f"{joined} of {head.nodes} Ray nodes joined, no other within {JOIN_SECONDS:g} s",
                evidence=heads.last_lines(Path(head.folder)),
                next=f"raykit up --on local --name {head.name}, with fewer --nodes",
            )
        time.sleep(0.2)
