"""Reads evidence that was collected: of a run, or of a cluster that may be gone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from raykit.errors import RecordError, UsageError
from raykit.measure import run_ids
from raykit.measure.keeping import evidence
from raykit.measure.keeping.evidence import EVIDENCE, Collected
from raykit.measure.keeping.plain_tar import BadArchiveError
from raykit.measure.keeping.summaries import Summary, collections
from raykit.measure.records import RunRecord, RunsFolder

MOST_NAMED = 10


def find(runs: RunsFolder, word: str, run_id: str | None) -> Path | None:
    """The archive that a word names; None if there is none.

    word: a run, what `raykit collect` named, its beginning, or a cluster, whose newest it is then.
    run_id: the run that the word names, if any; without evidence of its own, it has that of its
    cluster, if its job is in there.
    Errors: RecordError (7) for a damaged record.
    """
    kept = collections(runs)
    if own := _by_id(kept, word):
        return runs.folder(own) / EVIDENCE
    if run_id is not None:
        return _beside(runs, run_id) or _of_cluster(runs, runs.load(run_id), kept)
    return next(_named(runs, kept, word), None)


def of_run(runs: RunsFolder, record: RunRecord) -> Path | None:
    """The evidence of a run: its own, else that of its cluster, if its job is in there."""
    return _beside(runs, record.id) or _of_cluster(runs, record, collections(runs))


@dataclass(frozen=True)
class KeptLog:
    """A job's log on this machine. source: where it lies, in words."""

    text: bytes
    source: str


def log(runs: RunsFolder, record: RunRecord) -> KeptLog | None:
    """What this machine has of a job's log: the longer of the saved log and that in its evidence.

    None if it has nothing of it.
    """
    kept = []
    with contextlib.suppress(RecordError):
        saved = f"saved as far as it was read, in {runs.folder(record.id)}"
        kept.append(KeptLog(runs.log(record.id), saved))
    with contextlib.suppress(RecordError, UsageError):
        if path := of_run(runs, record):
            text = file(path, f"jobs/{record.submission_id}/driver.log")
            kept.append(KeptLog(text, f"in the evidence of its cluster, {path}"))
    return max((one for one in kept if one.text), key=lambda one: len(one.text), default=None)


def index(path: Path) -> Collected:
    """What an archive holds. Errors: RecordError (7) if it cannot be read."""
    with _opened(path) as stream:
        return evidence.read_index(stream)


def file(path: Path, name: str) -> bytes:
    """One file of an archive. name: its whole name, or an ending that only one file has.

    Errors: RecordError (7) if there is none of that name; UsageError (2) if there are several.
    """
    collected = index(path)
    names = [str(one["name"]) for one in collected.files]
    matches = [name] if name in names else [one for one in names if one.endswith(f"/{name}")]
    lists = f"raykit runs show {collected.id} --evidence lists them"
    if len(matches) > 1:
        raise UsageError(f"several files are {name}", evidence=matches[:MOST_NAMED], next=lists)
    found = None
    if matches:
        with _opened(path) as stream:
            found = evidence.read_file(stream, matches[0])
    if found is None:
        raise RecordError(f"the evidence {path} has no file {name}", next=lists)
    return found


def missing(word: str) -> RecordError:
    """The error for a word without evidence."""
    return RecordError(
        f"there is no evidence of {word}",
        evidence=["it is kept after a failure, before `raykit down`, and by `raykit collect`"],
        next="raykit collect CLUSTER, as long as the cluster is up",
    )


def _beside(runs: RunsFolder, run_id: str) -> Path | None:
    """The evidence that is kept beside a run's record."""
    path = runs.folder(run_id) / EVIDENCE
    return path if path.is_file() else None


def _by_id(kept: Sequence[Summary], word: str) -> str | None:
    """The evidence of a cluster by its id, or by the only beginning of one."""
    names = [one.id for one in kept]
    matches = [word] if word in names else run_ids.beginning_with(word, names)
    return matches[0] if len(matches) == 1 else None


def _of_cluster(runs: RunsFolder, record: RunRecord, kept: Sequence[Summary]) -> Path | None:
    """The newest evidence of a run's cluster that has the run's job."""
    for path, collected in _newest_first(runs, kept):
        if record.submission_id in collected.jobs and _is_same(record.target, collected.target):
            return path
    return None


def _named(runs: RunsFolder, kept: Sequence[Summary], cluster: str) -> Iterator[Path]:
    """The evidence of clusters of a name, the newest first."""
    label = f"-{run_ids.label(cluster)}-"
    for path, collected in _newest_first(runs, [one for one in kept if label in one.id]):
        if collected.target.get("cluster") == cluster:
            yield path


def _newest_first(runs: RunsFolder, kept: Sequence[Summary]) -> Iterator[tuple[Path, Collected]]:
    """The archives that can be read, and what they hold."""
    for one in reversed(kept):
        path = runs.folder(one.id) / EVIDENCE
        with contextlib.suppress(RecordError):
            yield path, index(path)


def _is_same(one: dict[str, object], other: dict[str, object]) -> bool:
    keys = ("kind", "context", "namespace", "cluster")
    return all(one.get(key) == other.get(key) for key in keys)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Errors: RecordError (7) where an archive cannot be read."""
    try:
        with path.open("rb") as stream:
            yield stream
    except (OSError, BadArchiveError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise RecordError(
            f"the evidence {path} cannot be read",
            evidence=[reason or str(error)],
            next="raykit collect gathers it again, as long as the cluster is up",
        ) from error
