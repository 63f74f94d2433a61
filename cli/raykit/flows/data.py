"""GSOD archives on disk: fetch them, list them, read them to their end."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import platformdirs

from raykit.archives import fetch as fetching
from raykit.archives.store import Store, years
from raykit.errors import INTERRUPTS, DataError, InterruptedByUserError, MissingError, RaykitError
from raykit.progress import Progress

Row = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What was done year by year, and the error that names all that went wrong."""

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
    """Fetch years into a folder. words: years and ranges; source: NOAA where none is given.

    Errors: UsageError (2) for words and sources that are none, MissingError (4) where the folder
    cannot be made, InterruptedByUserError (130). What went wrong with a year is in the outcome.
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
            next=f"{shlex.join(command)} goes on where it stopped",
        ) from interrupt
    rows = [
        {
            "year": each.year,
            "fetched": each.fresh and each.error is None,
            "size": each.seal.size if each.seal else None,
            "sha256": each.seal.sha256 if each.seal else None,
            "error": each.error.as_dict() if each.error else None,
        }
        for each in fetched
    ]
    return Outcome(rows, _one_error([each.error for each in fetched if each.error]))


def archives(folder: Path | None) -> dict[str, Any]:
    """The folder and the archives in it. Errors: MissingError (4) where it cannot be read."""
    store = Store(_folder(folder))
    with _usable(store.folder):
        return {"folder": str(store.folder), "archives": [asdict(one) for one in store.entries()]}


def verify(words: Sequence[str], folder: Path | None) -> Outcome:
    """Read years, or all that are there, to their very end.

    Errors: UsageError (2) for words that are no years, MissingError (4) where the folder cannot be
    read. What is wrong with a year is in the outcome.
    """
    wanted, store = years(words), Store(_folder(folder))
    with _usable(store.folder):
        verdicts = list(store.verify(wanted))
    rows: list[Row] = [
        {"year": year, "error": error.as_dict() if error else None} for year, error in verdicts
    ]
    return Outcome(rows, _one_error([error for _, error in verdicts if error]))


def _folder(folder: Path | None) -> Path:
    """The folder given, else a cache of the user's; whole, so that it can be pasted elsewhere."""
    return (folder or platformdirs.user_cache_path("raykit") / "gsod").absolute()


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MissingError(
            f"the folder {folder} cannot be used",
            evidence=[error.strerror or str(error)],
            next="name a folder that can be read and written with --data",
        ) from error


def _one_error(errors: Sequence[RaykitError]) -> RaykitError | None:
    """One error that names all; its kind is that of data where one is, else the first's."""
    if not errors:
        return None
    first = errors[0]
    kind = DataError if any(isinstance(each, DataError) for each in errors) else type(first)
    lines = [": ".join(filter(None, [each.what, "; ".join(each.evidence)])) for each in errors]
    count = "1 archive is" if len(errors) == 1 else f"{len(errors)} archives are"
    return kind(f"{count} not there whole", evidence=lines, next=first.next)
