"""`raykit data`: fetch, list and verify GSOD archives on disk."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import platformdirs

from raykit import kit, processes
from raykit.archives import fetch as fetching
from raykit.archives.store import Store, corrupt, years
from raykit.errors import INTERRUPTS, DataError, InterruptedByUserError, MissingError, RaykitError
from raykit.progress import Progress

Row = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """A row for each year, and one error for all years that failed."""

    rows: list[Row]
    error: RaykitError | None


def fetch(
    words: Sequence[str],
    folder: Path | None,
    source: str | None,
    *,
    parallel: int,
    again: bool,
    progress: Progress,
) -> Outcome:
    """Fetch the archives of years into a folder.

    words: years and ranges of years. folder: None: the user's cache. source: None: NOAA. parallel:
    transfers at a time. again: fetch archives that are there already, too.

    Errors: UsageError (2) for an invalid year or source, MissingError (4) if the folder cannot be
    made, InterruptedByUserError (130). The errors of single years are in the outcome.
    """
    wanted, store = years(words), Store(_folder(folder))

    def show(year: int, done: int, total: int | None) -> None:
        of = f" of {total / 1e6:.1f}" if total else ""
        progress.detail(f"{year}: {done / 1e6:.1f}{of} MB")

    try:
        with (
            _usable(store.folder),
            progress.step("fetch", f"{len(wanted)} archives into {store.folder}"),
        ):
            fetched = fetching.fetch(
                store,
                wanted,
                source or fetching.NCEI,
                parallel=parallel,
                again=again,
                on_bytes=show,
            )
    except INTERRUPTS as interrupt:
        command = ["raykit", "data", "fetch", *words, "--data", str(store.folder)]
        command += ["--source", source] if source else []
        raise InterruptedByUserError(
            "interrupted: what was transferred stays",
            next=f"{shlex.join(command)} continues where it stopped",
        ) from interrupt
    rows = [
        {
            "year": archive.year,
            "fetched": archive.fresh and archive.error is None,
            "size": archive.seal.size if archive.seal else None,
            "sha256": archive.seal.sha256 if archive.seal else None,
            "error": archive.error.as_dict() if archive.error else None,
        }
        for archive in fetched
    ]
    return Outcome(rows, _one_error([archive.error for archive in fetched if archive.error]))


def archives(folder: Path | None) -> dict[str, Any]:
    """The folder and its archives. Errors: MissingError (4) if it cannot be read."""
    store = Store(_folder(folder))
    with _usable(store.folder):
        archives = [asdict(entry) for entry in store.entries()]
    return {"folder": str(store.folder), "archives": archives}


def verify(words: Sequence[str], folder: Path | None) -> Outcome:
    """Read the archives of years, or all of the folder, to their end, with the reader of `gsod`.

    Errors: UsageError (2) for an invalid year, MissingError (4) if the folder cannot be read. The
    errors of single years are in the outcome.
    """
    wanted, store = years(words), Store(_folder(folder))
    with _usable(store.folder):
        verdicts = list(store.verify(wanted, _read))
    rows: list[Row] = [
        {"year": year, "error": error.as_dict() if error else None} for year, error in verdicts
    ]
    return Outcome(rows, _one_error([error for _, error in verdicts if error]))


def _read(path: Path, year: int) -> str:
    """Read an archive as the job does; its SHA-256.

    Errors: DataError (9), MissingError (4) if the reader itself fails.
    """
    words = [sys.executable, "-P", str(kit.root() / "jobs"), "gsod.verify", str(path.parent)]
    done = processes.run([*words, str(year)], error=MissingError)
    verdict = json.loads(done.stdout)
    if "problem" in verdict:
        raise corrupt(path, verdict["problem"], *verdict["evidence"])
    return str(verdict["sha256"])


def _folder(folder: Path | None) -> Path:
    """The given folder, else the user's cache; absolute, so that messages can be pasted."""
    return (folder or platformdirs.user_cache_path("raykit") / "gsod").absolute()


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MissingError(
            f"the folder {folder} cannot be used",
            evidence=[error.strerror or str(error)],
            next="with --data, name a folder that can be read and written",
        ) from error


def _one_error(errors: Sequence[RaykitError]) -> RaykitError | None:
    """One error with the lines of all: a DataError if one of them is, else of the first's class."""
    if not errors:
        return None
    first = errors[0]
    kind = DataError if any(isinstance(error, DataError) for error in errors) else type(first)
    lines = [": ".join(filter(None, [error.what, "; ".join(error.evidence)])) for error in errors]
    count = "1 archive is" if len(errors) == 1 else f"{len(errors)} archives are"
    return kind(f"{count} missing or damaged", evidence=lines, next=first.next)
