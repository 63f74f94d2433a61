"""`raykit data`: fetch, list and verify GSOD archives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raykit.app import output
from raykit.app.options import Format, Output

if TYPE_CHECKING:
    from raykit.flows.data import Outcome

EPILOG = """Examples:

\\b
  raykit data fetch 1980 2020            NOAA's archives, about 60 and 100 MB
  raykit data fetch 1950..1959 --data ~/gsod
  raykit data list
  raykit submit gsod -- --data DIR       DIR is what `raykit data list` names

On a cluster the folder must be there too. Up to 100 MiB go with the job:

\\b
  cd ~/gsod && raykit submit gsod --on NAME --working-dir . -- --data .
"""

data = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    epilog=EPILOG,
    help="Fetch, list and verify GSOD archives.",
)
Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Folder. [default: your cache]")
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
        str | None, typer.Option(metavar="URL", help="Folder of archives. [default: NOAA's]")
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=8, help="Transfers at a time.")] = 2,
    again: Annotated[
        bool, typer.Option("--again", help="Also fetch archives that you have.")
    ] = False,
    output_format: Output = Format.text,
) -> None:
    """Fetch archives. Broken transfers are resumed; only complete archives are kept."""
    from raykit.flows import data as flow
    from raykit.progress import Progress

    outcome = flow.fetch(
        years,
        folder,
        source,
        parallel=parallel,
        again=again,
        progress=Progress(output.Screen()),
    )
    _show("data fetch", outcome, output_format, _fetched)


@data.command("list")
def list_archives(folder: Data = None, output_format: Output = Format.text) -> None:
    """List the archives in a folder."""
    from raykit.flows import data as flow

    output.show("data list", flow.archives(folder), output_format is Format.json, _listed)


@data.command("verify")
def verify(
    years: Annotated[list[str] | None, typer.Argument(metavar="[YEAR...]")] = None,
    folder: Data = None,
    output_format: Output = Format.text,
) -> None:
    """Read archives to their end and compare them with their checksums from the fetch."""
    from raykit.flows import data as flow

    _show("data verify", flow.verify(years or [], folder), output_format, _verified)


def _show(
    command: str,
    outcome: Outcome,
    output_format: Format,
    text: Callable[[list[dict[str, Any]]], str],
) -> None:
    """Print the rows and the error, if there is one; as JSON, both in one envelope."""
    if output_format is Format.json:
        output.show_envelope(command, outcome.rows, outcome.error)
        raise typer.Exit(outcome.error.exit_code if outcome.error else 0)
    output.show(command, outcome.rows, False, text)
    if outcome.error:
        raise outcome.error


def _fetched(rows: list[dict[str, Any]]) -> str:
    return output.table(
        ["YEAR", "MB", "STATE"],
        [
            (
                row["year"],
                "-" if row["size"] is None else f"{row['size'] / 1e6:.1f}",
                "failed" if row["error"] else "fetched" if row["fetched"] else "kept",
            )
            for row in rows
        ],
    )


def _listed(content: dict[str, Any]) -> str:
    import shlex

    folder = content["folder"]
    if not content["archives"]:
        fetch = f"raykit data fetch 1980 2020 --data {shlex.quote(folder)}"
        return f"no archives in {folder}\nnext: {fetch}"
    rows = [
        (entry["year"], f"{entry['size'] / 1e6:.1f}", entry["state"], (entry["sha256"] or "-")[:12])
        for entry in content["archives"]
    ]
    return f"{folder}\n" + output.table(["YEAR", "MB", "STATE", "SHA-256"], rows)


def _verified(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "no archives to verify"
    return output.table(
        ["YEAR", "STATE"],
        [(row["year"], row["error"]["what"] if row["error"] else "whole") for row in rows],
    )
