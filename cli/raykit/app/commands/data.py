"""`raykit data`: GSOD archives on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raykit.app import output
from raykit.app.options import Format, Output
from raykit.errors import DataError, RaykitError

if TYPE_CHECKING:
    from raykit.archives.store import Store

EPILOG = """Examples:

\b
  raykit data fetch 1980 2020            NOAA's archives, about 60 and 100 MB
  raykit data fetch 1950..1959 --data ~/gsod
  raykit data list
  raykit submit gsod -- --data DIR       DIR is what `raykit data list` names
"""

data = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    epilog=EPILOG,
    help="Fetch, list and verify GSOD archives.",
)
Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Folder; else a cache of yours.")
]
Years = Annotated[
    list[str], typer.Argument(metavar="YEAR...", help="Years and ranges: 1980, 1950..1959.")
]


def register(app: typer.Typer) -> None:
    app.add_typer(data, name="data")


@data.command("fetch", epilog=EPILOG)
def fetch(
    years: Years,
    folder: Data = None,
    source: Annotated[
        str | None, typer.Option(metavar="URL", help="Folder of archives; else NOAA's.")
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=8, help="Years at once.")] = 2,
    again: Annotated[bool, typer.Option("--again", help="Also those that are there.")] = False,
    output_format: Output = Format.text,
) -> None:
    """Fetch archives: resumed after a cut, tried again, kept only when whole."""
    from raykit.archives import fetch as fetching
    from raykit.archives.store import years as parsed
    from raykit.progress import Progress

    store = _store(folder)
    progress = Progress(output.Screen())

    def show(year: int, done: int, total: int | None) -> None:
        of = f" of {total / 1e6:.1f}" if total else ""
        progress.detail(f"{year}: {done / 1e6:.1f}{of} MB")

    wanted = parsed(years)
    with progress.step("fetch", f"{len(wanted)} archives into {store.folder}"):
        found = fetching.fetch(
            store,
            wanted,
            source or fetching.NCEI,
            parallel=parallel,
            again=again,
            on_bytes=show,
        )
    rows = [
        {
            "year": each.year,
            "fetched": each.fresh and each.error is None,
            "size": each.seal.size if each.seal else None,
            "sha256": each.seal.sha256 if each.seal else None,
            "error": each.error.as_dict() if each.error else None,
        }
        for each in found
    ]
    error = _all([each.error for each in found if each.error])
    _tell("data fetch", rows, error, output_format, _fetched)


@data.command("list")
def list_archives(folder: Data = None, output_format: Output = Format.text) -> None:
    """List the archives in a folder."""
    store = _store(folder)
    content = {"folder": str(store.folder), "archives": [asdict(each) for each in store.entries()]}
    output.show("data list", content, output_format is Format.json, _listed)


@data.command("verify")
def verify(
    years: Annotated[list[str] | None, typer.Argument(metavar="[YEAR...]")] = None,
    folder: Data = None,
    output_format: Output = Format.text,
) -> None:
    """Read archives to their very end, and compare them with what was fetched."""
    from raykit.archives.store import years as parsed

    store = _store(folder)
    found = list(store.verify(parsed(years or [])))
    rows = [{"year": year, "error": each.as_dict() if each else None} for year, each in found]
    error = _all([each for _, each in found if each])
    _tell("data verify", rows, error, output_format, _verified)


def _store(folder: Path | None) -> Store:
    import platformdirs

    from raykit.archives.store import Store

    return Store(folder or platformdirs.user_cache_path("raykit") / "gsod")


def _tell(
    command: str,
    rows: list[dict[str, Any]],
    error: RaykitError | None,
    output_format: Format,
    text: Callable[[list[dict[str, Any]]], str],
) -> None:
    """Print the rows, also where an error comes with them: as JSON both in one envelope."""
    if output_format is Format.json:
        output.show_envelope(command, rows, error)
        raise typer.Exit(error.exit_code if error else 0)
    output.show(command, rows, False, text)
    if error:
        raise error


def _all(errors: list[Any]) -> RaykitError | None:
    """One error that names all; its kind is the first's."""
    if not errors:
        return None
    first: RaykitError = errors[0]
    kind = DataError if any(isinstance(each, DataError) for each in errors) else type(first)
    lines = [f"{each.what}: {'; '.join(each.evidence)}" for each in errors]
    return kind(f"{len(errors)} archives are not there whole", evidence=lines, next=first.next)


def _fetched(rows: list[dict[str, Any]]) -> str:
    return output.table(
        ["YEAR", "MB", "STATE"],
        [
            (
                row["year"],
                "-" if row["size"] is None else f"{row['size'] / 1e6:.1f}",
                "failed" if row["error"] else "fetched" if row["fetched"] else "there already",
            )
            for row in rows
        ],
    )


def _listed(content: dict[str, Any]) -> str:
    if not content["archives"]:
        return f"no archives in {content['folder']}; next: raykit data fetch 1980 2020"
    rows = [
        (each["year"], f"{each['size'] / 1e6:.1f}", each["state"], (each["sha256"] or "-")[:12])
        for each in content["archives"]
    ]
    return f"{content['folder']}\n" + output.table(["YEAR", "MB", "STATE", "SHA-256"], rows)


def _verified(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "no archives to verify"
    return output.table(
        ["YEAR", "STATE"],
        [(row["year"], row["error"]["what"] if row["error"] else "whole") for row in rows],
    )
