"""Runs as a list shows them, a line each, oldest first."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raykit.measure import run_ids
from raykit.measure.experiment.experiments import FILE
from raykit.measure.keeping import shapes
from raykit.measure.keeping.evidence import EVIDENCE, read_index
from raykit.measure.keeping.plain_tar import BadArchiveError
from raykit.measure.records import RECORD, SCHEMA, UNFINISHED, RunsFolder

UNREADABLE = "UNREADABLE"
COLLECTED = "COLLECTED"
"""The status of evidence that `raykit collect` kept of a cluster, in a folder without a run."""
OTHERS = (RECORD, FILE)
"""What makes a folder one of a run or of an experiment."""


@dataclass(frozen=True)
class Summary:
    """One run of a list.

    status: as in its record, or UNREADABLE. job: its name, with its arguments in `command`.
    on: the cluster, or the kind of place. started, ended: Unix seconds; of an unreadable record
    `started` is when it was last written. submission_id: empty where unreadable.
    """

    id: str
    status: str
    job: str
    command: str
    on: str
    started: float
    ended: float | None = None
    submission_id: str = ""

    @property
    def seconds(self) -> float | None:
        return self.ended - self.started if self.ended else None

    def as_row(self) -> dict[str, Any]:
        """For `raykit runs -o json`."""
        return {
            "id": self.id,
            "status": self.status,
            "job": self.command,
            "on": self.on,
            "started": self.started,
            "ended": self.ended,
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class Wanted:
    """Which runs a list shows. None: any. since: Unix seconds; limit: only so many, the newest."""

    job: str | None = None
    status: str | None = None
    since: float | None = None
    limit: int | None = None

    def of(self, runs: Sequence[Summary]) -> list[Summary]:
        """Those of the runs, in their order."""
        rules: list[Callable[[Summary], bool]] = []
        if self.job is not None:
            rules.append(lambda run: run.job == self.job)
        if self.status is not None:
            rules.append(lambda run: run.status == str(self.status).upper())
        if self.since is not None:
            rules.append(lambda run: run.started >= (self.since or 0.0))
        found = [run for run in runs if all(rule(run) for rule in rules)]
        return found if self.limit is None else found[max(len(found) - self.limit, 0) :]


def summaries(runs: RunsFolder) -> list[Summary]:
    """All runs of a folder, oldest first; those of one second by the time in their records."""
    found = [summary(runs, path.parent.name) for path in runs.path.glob(f"*/{RECORD}")]
    return sorted(found, key=_moment)


def collections(runs: RunsFolder) -> list[Summary]:
    """The evidence of clusters that is in folders of its own, oldest first.

    Names know the second alone: where two share one, their archives say which is older.
    """
    folders = (path.parent for path in runs.path.glob(f"*/{EVIDENCE}") if path.is_file())
    alone = [
        folder
        for folder in folders
        if run_ids.is_plain(folder.name) and not any((folder / name).exists() for name in OTHERS)
    ]
    seconds = {folder: run_ids.started(folder.name) or 0.0 for folder in alone}
    shared = Counter(seconds.values())
    times = {
        folder: (_collected_at(folder) if shared[second] > 1 else None) or second
        for folder, second in seconds.items()
    }
    found = [Summary(folder.name, COLLECTED, "", "", "", time) for folder, time in times.items()]
    return sorted(found, key=_moment)


def _collected_at(folder: Path) -> float | None:
    """When evidence was collected, Unix seconds; None where its archive cannot say."""
    with contextlib.suppress(OSError, BadArchiveError), (folder / EVIDENCE).open("rb") as stream:
        return read_index(stream).at
    return None


def _moment(run: Summary) -> tuple[float, float, str]:
    second = run_ids.started(run.id)
    return (run.started if second is None else second), run.started, run.id


def summary(runs: RunsFolder, run_id: str) -> Summary:
    """One run of a folder, by the beginning of its record."""
    try:
        return _of_head(run_id, runs.head(run_id))
    except (OSError, ValueError, RecursionError):
        return Summary(run_id, UNREADABLE, "", "", "", runs.started(run_id))


def _of_head(run_id: str, head: dict[str, Any]) -> Summary:
    """Errors: ValueError where it is no head of a record."""
    if head.get("schema") != SCHEMA:
        raise ValueError("another schema")
    shapes.check_head(head)
    job, target, ended = head["job"], head["target"], head.get("ended")
    return Summary(
        id=run_id,
        status=head.get("status", UNFINISHED),
        job=job["name"],
        command=" ".join([job["name"], *job["arguments"]]),
        on=target.get("cluster") or target.get("kind") or "",
        started=float(head["started"]),
        ended=None if ended is None else float(ended),
        submission_id=head["submission_id"],
    )
