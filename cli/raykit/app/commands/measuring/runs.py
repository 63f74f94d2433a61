"""`raykit runs`: the records on disk."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raykit.app import output
from raykit.app.commands.measuring import keeping
from raykit.app.options import Format, Output, refuse, runs_folder
from raykit.errors import UsageError

if TYPE_CHECKING:
    from raykit.measure.records import RunRecord, RunsFolder

EPILOG = """Examples:

\b
  raykit runs --limit 20                          the newest twenty
  raykit runs --job fib --status FAILED --since 7d
  raykit runs show last                           what it measured
  raykit runs show last --log                     what it printed
  raykit runs show last --evidence                what was collected of it
  raykit runs show CLUSTER                        why its raykit up failed
"""
NO_RUNS = "no runs yet; raykit submit fib makes the first"
NO_SUCH_RUNS = "no such runs; raykit runs lists all"

runs = typer.Typer(
    rich_markup_mode=None,
    invoke_without_command=True,
    help="List, show, export, import and prune run records.",
)


def register(app: typer.Typer) -> None:
    keeping.register(runs)
    app.add_typer(runs, name="runs")


@runs.callback(epilog=EPILOG)
def list_runs(
    context: typer.Context,
    job: Annotated[
        str | None, typer.Option("--job", metavar="NAME", help="Only runs of this job.")
    ] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only these, such as FAILED.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only the last 2d, 12h, 1h30m.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, max=1_000_000, metavar="N", help="Only the newest N."),
    ] = None,
    output_format: Output = Format.text,
) -> None:
    """List the runs, oldest first."""
    if context.invoked_subcommand:
        refuse(context, "they choose what is listed", "job", "status", "since", "limit")
        return
    from raykit.measure.keeping import ages
    from raykit.measure.keeping.summaries import Wanted, summaries

    began = None if since is None else time.time() - ages.parse(since, "--since")
    found = Wanted(job, status, began, limit).of(summaries(runs_folder()))
    rows = [run.as_row() for run in found]
    chosen = any(value is not None for value in (job, status, since))
    text = partial(_as_table, none=NO_SUCH_RUNS if chosen else NO_RUNS)
    output.show("runs", rows, output_format is Format.json, text)


@runs.command("show")
def show(
    run_id: Annotated[
        str, typer.Argument(metavar="ID", help="A run's id, its beginning, last, or last~1.")
    ],
    log: Annotated[bool, typer.Option("--log", help="Print the driver's log instead.")] = False,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="List what was collected of its cluster instead.")
    ] = False,
    file: Annotated[
        str | None,
        typer.Option("--file", metavar="NAME", help="Print one file of that evidence instead."),
    ] = None,
    output_format: Output = Format.text,
) -> None:
    """Show one run: its job, its phases, its results and its doubts.

    ID may also be what `raykit collect` named, or a cluster whose `raykit up` failed: its newest
    evidence is shown then.
    """
    if log and (evidence or file):
        raise UsageError("--log and evidence", next="leave one of them out")
    folder, as_json = runs_folder(), output_format is Format.json
    known_id = folder.find(run_id)
    if evidence or file or (known_id is None and not log):
        _show_evidence(folder, run_id, known_id, file, as_json, asked=evidence or bool(file))
        return
    if known_id is None:
        raise folder.missing(run_id)
    record = folder.load(known_id)
    if log:
        output.raw(folder.log(record.id))
        return
    data: Any = record.as_dict() if as_json else record
    output.show("runs show", data, as_json, partial(_as_page, folder=folder))


def _show_evidence(
    folder: RunsFolder, word: str, run_id: str | None, file: str | None, as_json: bool, asked: bool
) -> None:
    """Show the evidence that a word names. asked: the user wants evidence, not a run."""
    from raykit.app import evidence_page
    from raykit.flows.keeping import reading

    path = reading.find(folder, word, run_id)
    if path is None:
        raise reading.missing(word) if asked else folder.missing(word)
    if file:
        output.raw(reading.file(path, file))
        return
    collected = reading.index(path)
    data: Any = collected.as_dict() if as_json else collected
    output.show("runs show", data, as_json, evidence_page.page)


def _as_table(rows: list[dict[str, Any]], none: str) -> str:
    if not rows:
        return none
    return output.table(
        ["ID", "STATUS", "ON", "SECONDS", "JOB"],
        [
            (
                row["id"],
                row["status"],
                row["on"],
                "-" if row["seconds"] is None else f"{row['seconds']:.1f}",
                row["job"],
            )
            for row in rows
        ],
    )


def _as_page(record: RunRecord, folder: RunsFolder) -> str:
    from raykit.app.picture import page
    from raykit.flows.keeping import reading

    shown = page(record, output.width())
    if reading.of_run(folder, record) is None:
        return shown
    return f"{shown}\nevidence of its cluster: raykit runs show {record.id} --evidence"
