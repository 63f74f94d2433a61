"""`raykit collect`, and the evidence that is kept after a failure and before `down`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raykit.errors import (
    INTERRUPTS,
    JobFailedError,
    JobsApiError,
    KubernetesError,
    RaykitError,
)
from raykit.flows.keeping import gathering
from raykit.flows.session import Run
from raykit.flows.steps.arrival import new_id
from raykit.flows.targets import choosing
from raykit.flows.targets.kinds import Target
from raykit.flows.targets.where import Where
from raykit.measure.keeping.evidence import EVIDENCE, Collected
from raykit.measure.records import ELSEWHERE, RunsFolder
from raykit.progress import Progress, reason
from raykit.submission.jobs_api import JobsApi

BY_HAND_SECONDS, BY_ITSELF_SECONDS = 60.0, 10.0
"""How long to gather; an answer that is under way may take 3 s more."""

FAILURES = (KubernetesError, JobsApiError, JobFailedError)
"""The errors after which evidence is kept; others are about what the user typed, or his data."""


@dataclass(frozen=True)
class Saved:
    """Evidence on disk. path: of its archive."""

    collected: Collected
    path: Path

    def as_dict(self) -> dict[str, Any]:
        return {"path": str(self.path), **self.collected.as_dict()}


def collect(where: Where, file: Path | None, runs: RunsFolder, progress: Progress) -> Saved:
    """Gather evidence of the cluster or head that `where` names.

    file: where the archive goes; None: into a folder of its own among the runs.
    Errors: those of choosing a target (2, 4, 5, 6); RecordError (7) if nothing can be written;
    JobsApiError (6) if nothing could be had. A part that is missing is no error: the archive names
    it.
    """
    target = choosing.choose(where)
    if target.ends_with_job:
        raise JobsApiError(
            "there is nothing to collect from: no cluster, and no local head that is up",
            next="raykit status; then raykit collect CLUSTER",
        )
    if file is None:
        runs.check_writable()
    saved = _save(target, "raykit collect", BY_HAND_SECONDS, runs, progress, file)
    if not saved.collected.files:
        raise JobsApiError(
            "nothing could be had: the archive names only what is missing",
            evidence=saved.collected.missing,
            next="raykit status lists the clusters and heads that are up",
        )
    return saved


def before_end(target: Target, runs: RunsFolder, progress: Progress) -> None:
    """Keep evidence of a cluster or head that is about to be ended.

    Nothing that goes wrong matters, but an interrupt: then nothing is ended.
    """
    with _unharmed(progress):
        _note(_save(target, "before its end", BY_ITSELF_SECONDS, runs, progress), progress)


def not_ready(target: Target, error: RaykitError, runs: RunsFolder, progress: Progress) -> None:
    """Keep evidence of a cluster that was refused or did not become ready.

    Nothing that goes wrong matters.
    """
    with _unharmed(progress, INTERRUPTS):
        _note(_save(target, reason(error), BY_ITSELF_SECONDS, runs, progress), progress)


def after_failure(
    run: Run, target: Target, api: JobsApi, runs: RunsFolder, progress: Progress
) -> None:
    """Keep evidence beside the record of a run that failed. Nothing that goes wrong matters."""
    if not isinstance(run.error, FAILURES):
        return
    record = run.record
    why = f"{record.submission_id}: {run.error.what}"
    with _unharmed(progress, INTERRUPTS):
        begun = gathering.begin(record.id, why, record.target, BY_ITSELF_SECONDS)
        with progress.step("collect", "evidence of the failure"):
            gathering.gather(begun, target, [record.submission_id], api)
            gathering.write(begun, runs.folder(record.id) / EVIDENCE)
        progress.note(f"evidence kept: raykit runs show {record.id} --evidence")


def _note(saved: Saved, progress: Progress) -> None:
    progress.note(f"evidence kept: raykit runs show {saved.collected.id}")


@contextlib.contextmanager
def _unharmed(
    progress: Progress, interrupts: tuple[type[BaseException], ...] = ()
) -> Iterator[None]:
    """Go on whatever happens inside: evidence must not change how a command ends.

    interrupts: what skips the rest of the evidence, and no more.
    """
    try:
        yield
    except interrupts:
        progress.note("no evidence was kept: interrupted")
    except Exception as error:
        what = error.what if isinstance(error, RaykitError) else f"{type(error).__name__}: {error}"
        progress.note(f"no evidence was kept: {what}")


def _save(
    target: Target,
    why: str,
    seconds: float,
    runs: RunsFolder,
    progress: Progress,
    file: Path | None = None,
) -> Saved:
    named = gathering.name(target)
    title = str(named.get("cluster") or named.get("url"))
    name = new_id(str(named.get("cluster") or "head"))
    path = file or runs.folder(name) / EVIDENCE
    begun = gathering.begin(name, why, named, seconds)
    with progress.step("collect", f"evidence of {title}"):
        gathering.gather(begun, target, ())
        collected = gathering.write(begun, path, ELSEWHERE if file else "")
    return Saved(collected, path)
