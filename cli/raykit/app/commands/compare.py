"""`raykit compare`: runs side by side."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raykit.app import output
from raykit.app.commands.runs import runs_folder
from raykit.app.options import Format, Output

if TYPE_CHECKING:
    from raykit.measure.compare import Arm, Comparison

JOB_WIDTH = 22
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def register(app: typer.Typer) -> None:
    app.command("compare")(compare)


def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN RUN...", help="Run ids; the first is the baseline.")
    ],
    output_format: Output = Format.text,
) -> None:
    """Show runs side by side.

    Times, speedup, efficiency and phases of each, and what is in doubt.
    """
    from raykit.measure.compare import compare as compare_records

    folder = runs_folder()
    found = compare_records([folder.read(run) for run in runs])
    as_json = output_format is Format.json
    data: Any = asdict(found) if as_json else found
    output.show("compare", data, as_json, as_text)


def as_text(found: Comparison) -> str:
    """The comparison as plain tables; runs are lettered, so that it fits 80 columns."""
    letters = {run["id"]: LETTERS[index % 26] for index, run in enumerate(found.runs)}
    parts = [
        _runs(found, letters),
        f"baseline: {letters[found.baseline]}",
        "",
        _arms(found.arms, letters),
        "T: median seconds. SPEEDUP: T of the run's local arm over T. VS BASE: T of the\n"
        "baseline's same arm over T; above 1.00 is faster than the baseline.",
        "",
        _phases(found, letters),
    ]
    if found.doubts:
        parts += ["", "doubts:"]
        for doubt in found.doubts:
            parts.append(output.wrapped(f"{doubt.name}: {doubt.why}; {doubt.advice}", "  "))
    return "\n".join(parts)


def _runs(found: Comparison, letters: dict[str, str]) -> str:
    rows = [
        (
            letters[run["id"]],
            run["id"],
            run["on"] or "-",
            f"{run['p']:g}",
            run["ray_nodes"],
            output.shortened(" ".join([found.job, *run["arguments"]]), JOB_WIDTH),
        )
        for run in found.runs
    ]
    return output.table(["", "RUN", "ON", "P", "RAY NODES", "JOB"], rows)


def _arms(arms: list[Arm], letters: dict[str, str]) -> str:
    rows = [
        (
            letters[arm.run],
            arm.name,
            f"{arm.timing.seconds:.3f}",
            arm.timing.n,
            f"{arm.p:g}",
            arm.speedup or "-",
            arm.efficiency or "-",
            arm.over_baseline or "-",
            arm.source,
        )
        for arm in arms
    ]
    header = ["", "ARM", "T", "N", "P", "SPEEDUP", "EFFICIENCY", "VS BASE", "T FROM"]
    return output.table(header, rows)


def _phases(found: Comparison, letters: dict[str, str]) -> str:
    rows = [
        (name, *("-" if seconds is None else f"{seconds:.2f}" for seconds in row))
        for name, row in found.phases.items()
    ]
    return output.table(["PHASE (s)", *letters.values()], rows)
