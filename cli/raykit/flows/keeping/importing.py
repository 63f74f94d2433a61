"""`raykit runs import FILE`: take in runs from another machine, all of them or none.

The archive is unpacked beside the runs and read to its end; every record must be readable. Only
then do the runs move to their places.
"""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from raykit import locks
from raykit.errors import ConflictError, RecordError
from raykit.measure.experiment import experiments
from raykit.measure.keeping import archive
from raykit.measure.keeping.archive import BadArchiveError
from raykit.measure.keeping.files import IMPORTED, TRAVELS
from raykit.measure.records import RECORD, RunsFolder, unwritable

STAGING = ".importing"


@dataclass(frozen=True)
class Imported:
    """What became of an archive: ids of runs and experiments that are new, and that were there."""

    new: tuple[str, ...]
    there: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return {"imported": list(self.new), "already there": list(self.there)}


def import_archive(stream: BinaryIO, title: str, runs: RunsFolder) -> Imported:
    """Take in the runs of an archive. title: its name, for error messages.

    Errors: RecordError (7) for what is no whole archive, MissingError (4) where nothing can be
    written, ConflictError (8) where a run is there with other content: nothing is taken in then.
    """
    runs.check_writable()
    with _staging(runs) as staged:
        _unpack(stream, title, staged)
        names = sorted(path.name for path in staged.path.iterdir())
        for name in names:
            _check(staged, name, title)
        there = [name for name in names if (runs.path / name).exists()]
        _refuse_others(staged, runs, there)
        new = [name for name in names if name not in there]
        for name in new:
            _move(staged.folder(name), runs.folder(name))
    return Imported(tuple(new), tuple(there))


@contextmanager
def _staging(runs: RunsFolder) -> Iterator[RunsFolder]:
    """A folder beside the runs, empty, and for one import at a time."""
    path = runs.path / STAGING
    with locks.held(f"import-{runs.path}", f"on an import into {runs.path}"):
        shutil.rmtree(path, ignore_errors=True)
        try:
            path.mkdir()
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            yield RunsFolder(path)
        finally:
            shutil.rmtree(path, ignore_errors=True)


def _unpack(stream: BinaryIO, title: str, staged: RunsFolder) -> None:
    try:
        for entry in archive.read(stream):
            folder = staged.folder(entry.run)
            folder.mkdir(exist_ok=True)
            with (folder / entry.name).open("xb") as out:
                for chunk in entry.chunks:
                    out.write(chunk)
    except BadArchiveError as error:
        raise _bad(title, str(error)) from error
    except OSError as error:
        raise unwritable(staged.path, error) from error


def _check(staged: RunsFolder, name: str, title: str) -> None:
    """Errors: RecordError (7) for a folder that holds no record or experiment of that name."""
    folder = staged.folder(name)
    try:
        held = []
        if (folder / RECORD).exists():
            held.append(staged.load(name).id)
            (folder / IMPORTED).touch()
        if experiment := experiments.read(staged, name):
            held.append(experiment.id)
    except RecordError as error:
        raise _bad(title, f"{name}: {' '.join(error.evidence)}") from error
    if not held or set(held) != {name}:
        raise _bad(title, f"{name} holds no record of that name")


def _refuse_others(staged: RunsFolder, runs: RunsFolder, there: Sequence[str]) -> None:
    """Errors: ConflictError (8) naming what is there with other content."""
    other = [name for name in there if not _is_same(staged.folder(name), runs.folder(name))]
    if other:
        raise ConflictError(
            "runs of these names are here with other content; nothing was imported",
            evidence=[f"in {runs.path}:", *other],
            next="RAYKIT_RUNS=OTHER-FOLDER raykit runs import … keeps both",
        )


def _is_same(one: Path, other: Path) -> bool:
    return all(_is_same_file(one / name, other / name) for name in TRAVELS)


def _is_same_file(one: Path, other: Path) -> bool:
    if not (one.exists() and other.exists()):
        return one.exists() == other.exists()
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def _move(staged: Path, place: Path) -> None:
    try:
        staged.rename(place)
    except OSError as error:
        raise unwritable(place, error) from error


def _bad(title: str, reason: str) -> RecordError:
    return RecordError(
        f"{title} is no archive of runs that can be imported",
        evidence=[reason],
        next="raykit runs export RUN… --output-file FILE makes one",
    )
