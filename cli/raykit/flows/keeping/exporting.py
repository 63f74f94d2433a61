"""`raykit runs export`: runs and experiments as one archive, or their times for other tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from raykit.errors import RecordError, UsageError
from raykit.flows.experiments import reading
from raykit.measure import run_ids
from raykit.measure.experiment import experiments
from raykit.measure.keeping import archive
from raykit.measure.keeping.archive import BadArchiveError, File, Writable
from raykit.measure.keeping.files import TRAVELS
from raykit.measure.records import RunRecord, RunsFolder
from raykit.measure.traces import chrome, otlp
from raykit.measure.traces.forms import Form


@dataclass(frozen=True)
class Chosen:
    """What is exported: ids, in the order in which they were named.

    unreadable: runs that are left out, since no other raykit could read them.
    """

    runs: tuple[str, ...]
    experiments: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {
            "runs": list(self.runs),
            "experiments": list(self.experiments),
            "unreadable": list(self.unreadable),
        }


def choose(words: Sequence[str], runs: RunsFolder) -> Chosen:
    """The runs that words name, and the experiments with all runs that they need.

    Errors: UsageError (2) where nothing is named, or a word names several runs; RecordError (7)
    where one is missing or cannot be read.
    """
    if not words:
        raise UsageError("which runs?", next="raykit runs export RUN…, an experiment, or --all")
    known: dict[str, None] = {}
    whole: dict[str, None] = {}
    for word in words:
        experiment = reading.find(runs, word)
        if experiment:
            whole[experiment.id] = None
            known |= {made.run: None for made in experiment.made}
        else:
            known[runs.find(word) or word] = None
    there = set(runs.ids())
    for name in known:
        if name not in there:
            raise runs.missing(name)
        runs.load(name)
    return Chosen(tuple(known), tuple(whole))


def choose_all(runs: RunsFolder) -> Chosen:
    """All runs and experiments that can be read."""
    readable: list[str] = []
    unreadable: list[str] = []
    for name, record in runs.records():
        usable = run_ids.is_plain(name) and not isinstance(record, RecordError)
        (readable if usable else unreadable).append(name)
    whole = []
    for path in sorted(runs.path.glob(f"*/{experiments.FILE}")):
        name = path.parent.name
        try:
            experiments.read(runs, name)
            whole.append(name)
        except RecordError:
            unreadable.append(name)
    return Chosen(tuple(readable), tuple(whole), tuple(unreadable))


def export(chosen: Chosen, form: Form, runs: RunsFolder, out: Writable) -> None:
    """Write an export.

    Errors: RecordError (7) for a record that cannot be read, or is too large for an archive.
    """
    if form is Form.archive:
        _archive(chosen, runs, out)
        return
    records = [runs.load(name) for name in chosen.runs]
    make: Callable[[Sequence[RunRecord]], dict[str, Any]]
    make = chrome.trace if form is Form.trace else otlp.traces
    out.write(json.dumps(make(records), separators=(",", ":"), allow_nan=False).encode() + b"\n")


def _archive(chosen: Chosen, runs: RunsFolder, out: Writable) -> None:
    names = [*chosen.experiments, *chosen.runs]
    try:
        archive.write(out, (file for name in names for file in _files(runs, name)))
    except BadArchiveError as error:
        raise RecordError(
            "the runs cannot be exported",
            evidence=[str(error)],
            next="raykit runs export takes fewer runs too; raykit runs lists them",
        ) from error


def _files(runs: RunsFolder, name: str) -> Iterator[File]:
    folder = runs.folder(name)
    for file in TRAVELS:
        path = folder / file
        if path.is_file() and not path.is_symlink():
            yield File(name, file, path)
