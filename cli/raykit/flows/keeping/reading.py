"""Reads evidence that was collected: of a run, or of a cluster that may be gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from raykit.errors import RecordError, UsageError
from raykit.measure import run_ids
from raykit.measure.keeping import evidence
from raykit.measure.keeping.evidence import EVIDENCE, Collected
from raykit.measure.keeping.plain_tar import BadArchiveError
from raykit.measure.keeping.summaries import collections
from raykit.measure.records import RunRecord, RunsFolder

MOST_NAMED = 10


def find(runs: RunsFolder, word: str) -> Path | None:
    """The archive that a word names; None if there is none.

    word: a run, as in `RunsFolder.find`, or what `raykit collect` named, or its beginning. A run
    without evidence of its own has that of its cluster, if its job is in there.
    Errors: UsageError (2) if a word names several runs; RecordError (7) for a damaged record.
    """
    if own := _of_collection(runs, word):
        return own
    run_id = runs.find(word)
    if run_id is None:
        return None
    beside = runs.folder(run_id) / EVIDENCE
    return beside if beside.is_file() else _of_cluster(runs, runs.load(run_id))


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


def _of_collection(runs: RunsFolder, word: str) -> Path | None:
    """The evidence of a cluster by its id, or by the only beginning of one."""
    names = [one.id for one in collections(runs)]
    matches = [word] if word in names else run_ids.beginning_with(word, names)
    return runs.folder(matches[0]) / EVIDENCE if len(matches) == 1 else None


def _of_cluster(runs: RunsFolder, record: RunRecord) -> Path | None:
    """The newest evidence of a run's cluster that has the run's job."""
    for one in reversed(collections(runs)):
        path = runs.folder(one.id) / EVIDENCE
        try:
            collected = index(path)
        except RecordError:
            continue
        if record.submission_id in collected.jobs and _is_same(record.target, collected.target):
            return path
    return None


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
