"""`raykit runs prune`: delete old runs, and nothing that raykit did not write."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raykit.errors import RecordError, UsageError
from raykit.measure import run_ids
from raykit.measure.experiment import experiments
from raykit.measure.keeping.files import OF_A_RUN, own_files, size
from raykit.measure.keeping.pruning import MAY_RUN, Choice, Rule, choose
from raykit.measure.keeping.summaries import collections, summaries
from raykit.measure.records import UNFINISHED, RunsFolder, unwritable

FOLLOWED = "that a raykit follows right now"
FOREIGN = "with files that raykit did not write, or may not look at"
BESIDE_FOREIGN = "of an experiment with such files"


@dataclass(frozen=True)
class Pruned:
    """What was deleted, or would be. bytes: freed; kept: reason by id of what is old and stays."""

    runs: list[str] = field(default_factory=list)
    experiments: list[str] = field(default_factory=list)
    bytes: int = 0
    kept: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {
            "runs": self.runs,
            "experiments": self.experiments,
            "bytes": self.bytes,
            "kept": dict(self.kept),
            "dry_run": self.dry_run,
        }


def prune(
    rule: Rule, runs: RunsFolder, confirm: Callable[[str], bool], *, dry_run: bool = False
) -> Pruned:
    """Delete the runs that a rule names, and evidence of clusters that is as old.

    confirm: asked once, before anything is deleted.
    Errors: UsageError (2) where the answer is no; RecordError (7) for an experiment that cannot be
    read, since nobody knows which runs it needs, and for a disk that refuses.
    """
    needs = _needs(runs)
    kept_folders = sorted([*summaries(runs), *collections(runs)], key=lambda one: one.started)
    choice = choose(kept_folders, needs, rule, time.time())
    doomed, kept = _without_foreign(choice, needs, runs)
    total = sum(size(path) for name in doomed for path in own_files(runs.folder(name)))
    if not doomed or dry_run:
        return _pruned(choice, doomed, total, kept, dry_run)
    _ask(confirm, doomed, total, runs.path)
    freed, gone = 0, []
    for name in doomed:
        reason, freed_here = _delete(runs, name, rule)
        freed += freed_here
        if reason:
            kept[name] = reason
        else:
            gone.append(name)
    return _pruned(choice, gone, freed, kept, dry_run)


def _needs(runs: RunsFolder) -> dict[str, Sequence[str]]:
    """By experiment: the runs that it needs."""
    names = sorted(path.parent.name for path in runs.path.glob(f"*/{experiments.FILE}"))
    found = ((name, experiments.read(runs, name)) for name in names)
    return {name: [made.run for made in each.made] for name, each in found if each}


def _without_foreign(
    choice: Choice, needs: Mapping[str, Sequence[str]], runs: RunsFolder
) -> tuple[list[str], dict[str, str]]:
    """The ids to delete, and why others stay: those with files of somebody else among them.

    An experiment and its runs go together or not at all.
    """
    named = [*choice.runs, *choice.experiments]
    foreign = {name for name in named if not _is_ours(runs.path / name)}
    groups = [{name, *needs[name]} & {*named} for name in choice.experiments]
    beside = {name for group in groups if group & foreign for name in group} - foreign
    kept = dict.fromkeys(beside, BESIDE_FOREIGN) | dict.fromkeys(foreign, FOREIGN)
    return [name for name in named if name not in kept], {**choice.kept, **kept}


def _is_ours(folder: Path) -> bool:
    """Whether raykit wrote all that is in a folder."""
    try:
        strange = any(path.name not in OF_A_RUN for path in folder.iterdir())
    except OSError:
        return False
    return run_ids.is_plain(folder.name) and not folder.is_symlink() and not strange


def _ask(confirm: Callable[[str], bool], doomed: Sequence[str], total: int, folder: Path) -> None:
    what = f"delete {len(doomed)} folders of {folder}, {total / 1e6:.1f} MB"
    if not confirm(f"{what}?"):
        raise UsageError(
            f"not confirmed: {what}",
            evidence=["--dry-run lists them"],
            next="run it again with --yes",
        )


def _delete(runs: RunsFolder, name: str, rule: Rule) -> tuple[str | None, int]:
    """Delete one folder while its lock is held: why it stays, or the bytes that were freed.

    The record goes first: from then on there is no such run, whatever happens.
    """
    folder = runs.folder(name)
    with runs.followed(name) as free:
        if not free:
            return FOLLOWED, 0
        if runs.status(name) == UNFINISHED and not rule.unfinished:
            return MAY_RUN, 0
        freed = 0
        try:
            for path in own_files(folder):
                freed += size(path)
                path.unlink()
            folder.rmdir()
        except OSError as error:
            raise _undeletable(folder, error) from error
    return None, freed


def _undeletable(folder: Path, error: OSError) -> RecordError:
    refused = unwritable(folder, error)
    return RecordError(
        f"{folder} could not be deleted",
        evidence=refused.evidence,
        next=f"ls -la {folder}; then run the same command again",
    )


def _pruned(
    choice: Choice, gone: Sequence[str], freed: int, kept: Mapping[str, str], dry_run: bool
) -> Pruned:
    deleted = set(gone)
    return Pruned(
        runs=[name for name in choice.runs if name in deleted],
        experiments=[name for name in choice.experiments if name in deleted],
        bytes=freed,
        kept=kept,
        dry_run=dry_run,
    )
