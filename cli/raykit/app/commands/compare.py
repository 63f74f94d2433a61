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
LEGEND = (
    "T: median seconds of N rounds. SPEEDUP: the run's own arm local over the arm, round by round. "
    "EFFICIENCY: SPEEDUP over P, the task CPUs. VS {base}: T of {base} over T, above 1.00 is "
    "faster. In brackets: 95 % intervals, from the rounds of these runs."
)


def register(app: typer.Typer) -> None:
    """Add the command of this topic."""
    app.command("compare")(compare)


def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN RUN...", help="Run ids; the first is the baseline.")
    ],
    unlike: Annotated[
        bool, typer.Option("--unlike", help="Also runs of different work, images or Ray.")
    ] = False,
    output_format: Output = Format.text,
) -> None:
    """Show runs of the same work side by side.

    A verdict in words, then times, speedup, efficiency and phases of each, and what is in doubt.
    """
    from raykit.measure.compare import compare as compare_records

    folder = runs_folder()
    found = compare_records([folder.read(run) for run in runs], unlike=unlike)
    as_json = output_format is Format.json
    data: Any = asdict(found) if as_json else found
    output.show("compare", data, as_json, as_text)


def as_text(found: Comparison) -> str:
    """The comparison as plain text; runs are lettered, so that it fits 80 columns."""
    letters = {run["id"]: _letter(index) for index, run in enumerate(found.runs)}
    base = letters[found.baseline]
    parts = [
        *(
            output.wrapped(verdict.words(letters[verdict.run], letters[verdict.baseline]))
            for verdict in found.verdicts
        ),
        "",
        _runs(found, letters),
        "",
        _arms(found.arms, letters, base),
        output.wrapped(LEGEND.format(base=base), ""),
        "",
        _phases(found, letters),
    ]
    if found.doubts:
        parts += ["", "doubts:"]
        for doubt in found.doubts:
            text = f"{doubt.name}: {_lettered(doubt.why, letters)}; {doubt.advice}"
            parts.append(output.wrapped(text, "  "))
    return "\n".join(parts)


def _letter(index: int) -> str:
    """A to Z, then AA, AB, as in a spreadsheet."""
    before, last = divmod(index, len(LETTERS))
    return (_letter(before - 1) if before else "") + LETTERS[last]


def _lettered(why: str, letters: dict[str, str]) -> str:
    """A doubt's reason; the id of the run that it begins with becomes a letter."""
    run, colon, rest = why.partition(": ")
    return f"{letters.get(run, run)}{colon}{rest}"


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


def _arms(arms: list[Arm], letters: dict[str, str], base: str) -> str:
    rows = [
        (
            letters[arm.run],
            arm.name if arm.source == "spans" else arm.source,
            f"{arm.timing.seconds:.3f}",
            arm.timing.n,
            f"{arm.p:g}",
            arm.speedup or "-",
            f"{arm.efficiency.value:.2f}" if arm.efficiency else "-",
            arm.over_baseline or "-",
        )
        for arm in arms
    ]
    header = ["", "ARM", "T", "N", "P", "SPEEDUP", "EFFICIENCY", f"VS {base}"]
    return output.table(header, rows)


def _phases(found: Comparison, letters: dict[str, str]) -> str:
    rows = [
        (name, *("-" if seconds is None else f"{seconds:.2f}" for seconds in row))
        for name, row in found.phases.items()
    ]
    return output.table(["PHASE (s)", *letters.values()], rows)
