"""The report of an experiment: its arms side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raykit.measure import cost
from raykit.measure.experiment.arm_results import ArmResult, ArmsCompared
from raykit.measure.experiment.arms import time_of
from raykit.measure.experiment.experiments import Experiment
from raykit.measure.records import RunRecord
from raykit.measure.report import sections
from raykit.measure.report.drawing import HEADING, Plot, shortened
from raykit.measure.report.html import Html, element, table
from raykit.measure.report.page import Page, Section
from raykit.measure.report.plots import gantt, points, scaling, waterfall
from raykit.measure.statistics import Ratio

MOST_GANTTS = 4
HEADER = ("arm", "p", "rounds", "T (s)", "speedup", "efficiency", "overhead (s)")
LEGEND = (
    "T: median seconds of a run's parallel arm, else its makespan. Speedup: over the baseline, "
    "round by round (Hodges-Lehmann). Overhead: seconds a run took beyond T. In brackets: 95 % "
    "intervals."
)


def page(
    experiment: Experiment,
    compared: ArmsCompared,
    records: Mapping[str, RunRecord],
    again: Sequence[str],
) -> str:
    """The document. records: by run id; again: commands to repeat the experiment."""
    measured = [records[run] for arm in experiment.plan.arms for _, run in experiment.runs(arm)]
    samples = {arm.name: arm.samples for arm in compared.arms}
    names = [arm.name for arm in compared.arms]
    return Page(
        title=f"{compared.job}: raykit report",
        about=f"raykit report of the experiment {experiment.id}",
        heading=shortened(compared.job, HEADING),
        answer=compared.sentences,
        doubts=list(dict.fromkeys(doubt.name for doubt in compared.doubts)),
        sections=[
            Section("arms", "Arms side by side", _arms(compared)),
            *sections.figure(
                "phases", "Where the time went", waterfall.of_arms(compared.phases, names)
            ),
            *sections.figure("tasks", "Tasks", *_gantts(experiment, compared.arms, records)),
            *sections.figure("scaling", "Speedup", scaling.of_arms(compared)),
            *sections.figure("samples", "Repeats", points.of_samples(samples, "T of one run")),
            *sections.environment(measured),
            *sections.doubts(compared.doubts),
            *sections.commands(again, [_order(experiment)]),
        ],
    ).html()


def _arms(compared: ArmsCompared) -> Html:
    about = f"Scaling: {compared.scaling}. Baseline: {compared.baseline}. {LEGEND}"
    header: tuple[str, ...] = HEADER
    rows = [_row(arm) for arm in compared.arms]
    if compared.price is not None:
        about += f" {cost.COUNTED.format(price=compared.price)}"
        header = (*header, "cost a run")
        rows = [(*row, cost.shown(arm.cost)) for row, arm in zip(rows, compared.arms, strict=True)]
    return Html(element("p", about) + table("Arms", header, rows))


def _row(arm: ArmResult) -> tuple[object, ...]:
    return (
        arm.name,
        f"{arm.p:g}",
        arm.rounds,
        f"{arm.seconds.seconds:.3f}{points.interval(arm.seconds)}".replace(" ", "\n"),
        _over_lines(arm.speedup),
        _over_lines(arm.efficiency),
        "-" if arm.overhead is None else f"{arm.overhead:.1f}",
    )


def _over_lines(ratio: Ratio | None) -> str:
    """A ratio, its interval on a line of its own: the table then fits a column of text."""
    return "-" if ratio is None else str(ratio).replace(" ", "\n")


def _gantts(
    experiment: Experiment, arms: Sequence[ArmResult], records: Mapping[str, RunRecord]
) -> list[Plot | None]:
    """The tasks of one run of each arm, the one whose T is closest to the arm's."""
    plots: list[Plot | None] = []
    for number, arm in enumerate(arms[:MOST_GANTTS]):
        runs = [records[run] for _, run in experiment.runs(arm.name)]
        usual = min(runs, key=lambda record: abs(time_of(record) - arm.seconds.seconds))
        about = f"The run {usual.id}, of {len(runs)} the one nearest to T."
        plots.append(gantt.of_tasks(usual.tasks, f"gantt-{number}", arm.name, about))
    return plots


def _order(experiment: Experiment) -> str:
    plan: Any = experiment.plan
    return (
        f"Every round ran each arm once, in an order from the seed {plan.seed}; "
        f"{plan.warm_ups} warm-up and {plan.cold} cold starts of each arm came before and are not "
        "in these figures."
    )
