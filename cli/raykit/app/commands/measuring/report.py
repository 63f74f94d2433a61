"""`raykit report`: a run or an experiment as one page for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raykit.app import output
from raykit.app.commands.measuring.compare import Price
from raykit.app.options import runs_folder
from raykit.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command of this topic."""
    app.command("report")(report)


def report(
    name: Annotated[
        str, typer.Argument(metavar="RUN|EXPERIMENT", help="As `raykit compare` takes it.")
    ],
    file: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Where to write; else beside the record."),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="The arm to compare with; else the first.")
    ] = None,
    price: Price = None,
) -> None:
    """Write one HTML file that says what a run or an experiment measured.

    The answer in words, then plots, each with its table, the environment, what is in doubt, and the
    commands that repeat it. No scripts, no network. Needs the extra `report`.
    """
    from raykit.flows.experiments import report as flow
    from raykit.measure.keeping.files import REPORT

    if file is not None and file.is_dir():
        raise UsageError(f"--output {file} is a folder", next=f"name a file: {file / REPORT}")
    folder = runs_folder()
    made = flow.report(name, folder, baseline, price)
    path = file or folder.folder(made.id) / REPORT
    flow.write(made.document, path)
    output.show("report", str(path), False, str)
