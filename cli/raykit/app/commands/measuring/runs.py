"""`raykit runs`: the records on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from raykit.app import output
from raykit.app.options import Format, Output, runs_folder
from raykit.errors import RaykitError

if TYPE_CHECKING:
    from raykit.measure.records import RunRecord

runs = typer.Typer(
    rich_markup_mode=None, invoke_without_command=True, help="List and show run records."
)


def register(app: typer.Typer) -> None:
    app.add_typer(runs, name="runs")


@runs.callback()
def list_runs(context: typer.Context, output_format: Output = Format.text) -> None:
    """List the runs, oldest first."""
    if context.invoked_subcommand:
        return
    rows = [_row(run_id, record) for run_id, record in runs_folder().records()]
    output.show("runs", rows, output_format is Format.json, _as_table)


@runs.command("show")
def show(
    run_id: Annotated[
        str, typer.Argument(metavar="ID", help="A run's id, its beginning, last, or last~1.")
    ],
    log: Annotated[bool, typer.Option("--log", help="Print the driver's log instead.")] = False,
    output_format: Output = Format.text,
) -> None:
    """Show one run: its job, its phases, its results and its doubts."""
    folder = runs_folder()
    record = folder.read(run_id)
    if log:
        output.raw(folder.log(record.id))
        return
    as_json = output_format is Format.json
    data: Any = record.as_dict() if as_json else record
    output.show("runs show", data, as_json, _as_page)


def _row(run_id: str, record: RunRecord | RaykitError) -> dict[str, Any]:
    if isinstance(record, RaykitError):
        return {"id": run_id, "status": "UNREADABLE", "job": "", "on": "", "seconds": None}
    seconds = record.ended - record.started if record.ended else None
    return {
        "id": run_id,
        "status": record.status,
        "job": " ".join([record.job["name"], *record.job["arguments"]]),
        "on": str(record.target.get("cluster") or record.target.get("kind", "")),
        "seconds": seconds,
    }


def _as_table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "no runs yet; raykit submit fib makes the first"
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


def _as_page(record: RunRecord) -> str:
    from raykit.app.picture import page

    return page(record, output.width())
