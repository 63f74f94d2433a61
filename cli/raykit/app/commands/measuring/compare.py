"""`raykit compare`: runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raykit.app import output
from raykit.app.options import TableFormat, number, refuse, runs_folder
from raykit.errors import UsageError
from raykit.flows.ranges import PRICE

if TYPE_CHECKING:
    from raykit.measure.compare import Arm, Comparison
    from raykit.measure.experiment.arm_results import ArmsCompared
    from raykit.measure.experiment.conditions import Condition
    from raykit.measure.experiment.experiments import Experiment
    from raykit.measure.records import RunsFolder
    from raykit.measure.statistics import Ratio


FailIf = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-if", metavar="CONDITION", help="Exit 10 where it holds, such as 'speedup<1.5'."
    ),
]

Price = Annotated[
    float | None,
    typer.Option(
        "--price",
        metavar="PRICE",
        parser=number(PRICE),
        help="Of a CPU hour, in no currency: adds costs.",
    ),
]

JOB_WIDTH = 22
ARM_WIDTH = 16
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
RUN_HEADER = ["", "RUN", "ON", "P", "RAY NODES", "JOB"]
ARM_HEADER = ["", "ARM", "T", "N", "P", "SPEEDUP", "EFFICIENCY"]
LEGEND = (
    "T: median seconds of N rounds. SPEEDUP: the run's own arm local over the arm, round by round. "
    "EFFICIENCY: SPEEDUP over P, the task CPUs. VS {base}: each round of {base} over each of the "
    "run, above 1.00 is faster. Ratios are Hodges-Lehmann estimates, not those of two T. In "
    "brackets: 95 % intervals, from the rounds of these runs."
)


def register(app: typer.Typer) -> None:
    """Add the command of this topic."""
    app.command("compare")(compare)


def compare(
    context: typer.Context,
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN RUN...|EXPERIMENT", help="Run ids, or one of `raykit bench`."),
    ],
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", help="The arm or run to compare with; else the first."),
    ] = None,
    unlike: Annotated[
        bool, typer.Option("--unlike", help="Also runs of different work, images or Ray.")
    ] = False,
    fail_if: FailIf = None,
    price: Price = None,
    output_format: Annotated[
        TableFormat, typer.Option("-o", "--output", help="How to print the result.")
    ] = TableFormat.text,
) -> None:
    """Show runs of the same work, or the arms of an experiment, side by side.

    A verdict in words, then times, speedup, efficiency and phases of each, and what is in doubt.
    """
    from raykit.flows.experiments import reading
    from raykit.measure.experiment import conditions

    wanted = [conditions.parse(text) for text in fail_if or []]
    folder = runs_folder()
    experiment = reading.find(folder, runs[0]) if len(runs) == 1 else None
    if experiment is not None and experiment.break_even is not None:
        _show_search(context, experiment, folder, output_format)
        return
    if experiment is not None:
        compared = reading.compared(experiment, folder, baseline, price)
        show_arms(compared, "compare", wanted, output_format)
        return
    refuse(context, "only an experiment has costs beside its arms", "price")
    _compare_runs(runs, baseline, unlike, wanted, output_format)


def _show_search(
    context: typer.Context, experiment: Experiment, folder: RunsFolder, output_format: TableFormat
) -> None:
    from raykit.app.commands.measuring import break_even
    from raykit.flows.experiments import reading

    refuse(
        context, "the experiment is a search for a size", "baseline", "unlike", "fail_if", "price"
    )
    break_even.show(reading.searched(experiment, folder), "compare", output_format)


def _compare_runs(
    runs: list[str],
    baseline: str | None,
    unlike: bool,
    wanted: list[Condition],
    output_format: TableFormat,
) -> None:
    from raykit.measure.compare import compare as compare_records

    if wanted:
        raise UsageError(
            "--fail-if is for experiments, which measure each arm often",
            next="raykit bench JOB --on A --on B, then raykit compare EXPERIMENT",
        )
    folder = runs_folder()
    records = [folder.read(run) for run in runs]
    if baseline is not None:
        first = folder.read(baseline)
        records = [first, *(record for record in records if record.id != first.id)]
    comparison = compare_records(records, unlike=unlike)
    as_json = output_format is TableFormat.json
    data: Any = asdict(comparison) if as_json else comparison
    text = {TableFormat.markdown: as_markdown, TableFormat.csv: as_csv}.get(output_format, as_text)
    output.show("compare", data, as_json, text)


def show_arms(
    compared: ArmsCompared,
    command: str,
    wanted: Sequence[Condition],
    output_format: TableFormat,
) -> None:
    """Print the arms of an experiment, then hold the conditions against them.

    Errors: ConditionError (10), after the table.
    """
    from raykit.app import arms_page
    from raykit.errors import ConditionError
    from raykit.measure.experiment import arms, conditions

    failed: ConditionError | None = None
    try:
        conditions.check(wanted, arms.values(compared))
    except ConditionError as error:
        failed = error
    if output_format is TableFormat.json:
        output.show_envelope(command, compared.as_dict(), failed)
        raise typer.Exit(failed.exit_code if failed else 0)
    text = {
        TableFormat.markdown: arms_page.as_markdown,
        TableFormat.csv: arms_page.as_csv,
    }.get(output_format, arms_page.as_text)
    output.show(command, compared, False, text)
    if failed:
        raise failed


def as_text(comparison: Comparison) -> str:
    """The comparison as plain text; runs are lettered, so that it fits 80 columns."""
    letters = {run["id"]: _letter(index) for index, run in enumerate(comparison.runs)}
    base = letters[comparison.baseline]
    parts = [
        *(
            output.wrapped(verdict.words(letters[verdict.run], letters[verdict.baseline]))
            for verdict in comparison.verdicts
        ),
        "",
        output.table(RUN_HEADER, _run_rows(comparison, letters)),
        "",
        output.table([*ARM_HEADER, f"VS {base}"], _arm_rows(comparison.arms, letters)),
        output.wrapped(LEGEND.format(base=base), ""),
        "",
        _phases(comparison, letters),
    ]
    lettered = [replace(item, why=_lettered(item.why, letters)) for item in comparison.doubts]
    return "\n".join([*parts, *output.doubts(lettered)])


def as_markdown(comparison: Comparison) -> str:
    """The comparison for a pull request; runs have the letters of the text."""
    from raykit.app.arms_page import markdown_table

    letters = {run["id"]: _letter(index) for index, run in enumerate(comparison.runs)}
    arm_header = [*ARM_HEADER, f"VS {letters[comparison.baseline]}"]
    words = [each.words(letters[each.run], letters[each.baseline]) for each in comparison.verdicts]
    runs = [
        (*row[:-1], f"`{' '.join([comparison.job, *run['arguments']])}`")
        for row, run in zip(_run_rows(comparison, letters), comparison.runs, strict=True)
    ]
    doubts = [f"- `{doubt.name}`: {_lettered(doubt.why, letters)}" for doubt in comparison.doubts]
    return "\n".join(
        [
            *(f"**{sentence}**" for sentence in words[:1]),
            *words[1:],
            "",
            *markdown_table(RUN_HEADER, runs),
            "",
            *markdown_table(arm_header, _arm_rows(comparison.arms, letters)),
            *(["", *doubts] if doubts else []),
        ]
    )


def as_csv(comparison: Comparison) -> str:
    """A row for each arm of each run, numbers in full. vs_baseline: above 1 is faster."""
    from raykit.app.arms_page import csv_table

    places = {run["id"]: run["on"] for run in comparison.runs}
    rows = [
        {
            "run": arm.run,
            "on": places[arm.run],
            "arm": arm.name if arm.source == "spans" else arm.source,
            "p": arm.p,
            "rounds": arm.timing.n,
            "seconds": arm.timing.seconds,
            "seconds_low": arm.timing.low,
            "seconds_high": arm.timing.high,
            **_ratio("speedup", arm.speedup),
            "efficiency": arm.efficiency.value if arm.efficiency else None,
            "serial_fraction": arm.serial_fraction,
            **_ratio("vs_baseline", arm.over_baseline),
        }
        for arm in comparison.arms
    ]
    return csv_table(rows)


def _ratio(name: str, ratio: Ratio | None) -> dict[str, float | None]:
    ends = (ratio.value, ratio.low, ratio.high) if ratio else (None, None, None)
    return dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))


def _letter(index: int) -> str:
    """A to Z, then AA, AB, as in a spreadsheet."""
    before, last = divmod(index, len(LETTERS))
    return (_letter(before - 1) if before else "") + LETTERS[last]


def _lettered(why: str, letters: dict[str, str]) -> str:
    """A doubt's reason; the id of the run that it begins with becomes a letter."""
    run, colon, rest = why.partition(": ")
    return f"{letters.get(run, run)}{colon}{rest}"


def _run_rows(comparison: Comparison, letters: dict[str, str]) -> list[tuple[object, ...]]:
    return [
        (
            letters[run["id"]],
            run["id"],
            run["on"] or "-",
            f"{run['p']:g}",
            run["ray_nodes"],
            output.shortened(" ".join([comparison.job, *run["arguments"]]), JOB_WIDTH),
        )
        for run in comparison.runs
    ]


def _arm_rows(arms: list[Arm], letters: dict[str, str]) -> list[tuple[object, ...]]:
    return [
        (
            letters[arm.run],
            output.shortened(arm.name, ARM_WIDTH) if arm.source == "spans" else arm.source,
            f"{arm.timing.seconds:.3f}",
            arm.timing.n,
            f"{arm.p:g}",
            arm.speedup or "-",
            f"{arm.efficiency.value:.2f}" if arm.efficiency else "-",
            arm.over_baseline or "-",
        )
        for arm in arms
    ]


def _phases(comparison: Comparison, letters: dict[str, str]) -> str:
    rows = [
        (name, *("-" if seconds is None else f"{seconds:.2f}" for seconds in row))
        for name, row in comparison.phases.items()
    ]
    return output.table(["PHASE (s)", *letters.values()], rows)
