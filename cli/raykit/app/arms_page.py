"""How the arms of an experiment are shown: the answer in words, then tables, then doubts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from raykit.app import arms_plot, output
from raykit.measure import cost
from raykit.measure.experiment.arm_results import ArmResult, ArmsCompared
from raykit.measure.experiment.arms import values

LEGEND = (
    "T: median seconds of a run's parallel arm, else its makespan. TOOK: the arm over the "
    "baseline, round by round (Hodges-Lehmann, not the ratio of two T). SPEEDUP: 1 over TOOK, and "
    "not a run's own over its arm local. EFFICIENCY: {efficiency}. OVERHEAD: seconds a run took "
    "beyond T. In brackets: 95 % intervals."
)
EFFICIENCY = {
    "weak": "SPEEDUP, since the work grows with P",
    "strong": "SPEEDUP over P, relative to the baseline's",
    "as-given": "SPEEDUP over P, relative to the baseline's",
}
HEADER = ["ARM", "P", "N", "T", "TOOK", "SPEEDUP", "EFFICIENCY", "OVERHEAD"]


def as_text(compared: ArmsCompared) -> str:
    """The comparison for a terminal."""
    parts = [
        *(output.wrapped(sentence) for sentence in compared.sentences),
        "",
        f"{compared.job}; {compared.scaling} scaling; baseline: {compared.baseline}",
        output.table(HEADER, [_row(arm) for arm in compared.arms]),
        output.wrapped(LEGEND.format(efficiency=EFFICIENCY[compared.scaling])),
        *([] if compared.price is None else [output.wrapped(_counted(compared.price))]),
    ]
    p_base = next(arm.p for arm in compared.arms if arm.name == compared.baseline)
    columns = output.width()
    plots = [arms_plot.repeats(compared.arms, columns)]
    if compared.scaling != "weak":
        plots.insert(0, arms_plot.speedups(compared.arms, p_base, columns))
    for plot in plots:
        parts += ["", *plot] if plot else []
    beside = _beside(compared.arms)
    if beside:
        parts += ["", *beside]
    if compared.phases:
        names = [arm.name for arm in compared.arms]
        rows = [
            (name, *("-" if seconds is None else f"{seconds:.2f}" for seconds in row))
            for name, row in compared.phases.items()
        ]
        parts += ["", output.table(["PHASE (s)", *names], rows)]
    parts += output.doubts(compared.doubts)
    return "\n".join(parts)


def as_markdown(compared: ArmsCompared) -> str:
    """The comparison for a pull request."""
    lines = [f"**{sentence}**" for sentence in compared.sentences[:1]]
    lines += compared.sentences[1:]
    lines += [
        "",
        f"`{compared.job}`, {compared.scaling} scaling, baseline `{compared.baseline}`",
        "",
    ]
    lines += markdown_table(HEADER, [_row(arm) for arm in compared.arms])
    if compared.price is not None:
        costs = [f"- {arm.name}: {cost.shown(arm.cost)} a run" for arm in compared.arms]
        lines += ["", *costs, "", _counted(compared.price)]
    if compared.doubts:
        lines += ["", *(f"- `{doubt.name}`: {doubt.why}" for doubt in compared.doubts)]
    return "\n".join(lines)


def as_csv(compared: ArmsCompared) -> str:
    """The table as CSV, a row an arm, numbers in full."""
    return csv_table(values(compared))


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a table; the header's names in small letters."""
    lines = [[name.lower() for name in header], ["---"] * len(header)]
    lines += [[_escaped(str(cell)) for cell in row] for row in rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def csv_table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of the same names, numbers in full."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().rstrip("\n")


def _counted(price: float) -> str:
    return cost.COUNTED.format(price=price)


def _row(arm: ArmResult) -> list[str]:
    timing = arm.seconds
    interval = "" if timing.low is None else f" ({timing.low:.2f}-{timing.high:.2f})"
    return [
        arm.name,
        f"{arm.p:g}",
        str(arm.rounds),
        f"{timing.seconds:.3f}{interval}",
        str(arm.took or "-"),
        f"{arm.speedup.value:.2f}" if arm.speedup else "-",
        f"{arm.efficiency.value:.2f}" if arm.efficiency else "-",
        "-" if arm.overhead is None else f"{arm.overhead:.1f}",
    ]


def _beside(arms: Sequence[ArmResult]) -> list[str]:
    """What only some arms have: serial fractions, overhead a task, cold starts, costs, retries."""
    lines = []
    for arm in arms:
        facts = []
        if arm.serial_fraction is not None:
            facts.append(f"serial fraction {arm.serial_fraction:.2f} (Karp-Flatt, p = {arm.p:g})")
        if arm.task_overhead is not None:
            facts.append(f"overhead {1000 * arm.task_overhead:.0f} CPU ms a task")
        if arm.cold is not None:
            facts.append(f"{arm.cold.n} cold starts, T {arm.cold.seconds:.3f} s")
        if arm.cost is not None:
            facts.append(f"cost {cost.shown(arm.cost)} a run")
        if arm.retried:
            facts.append(f"{arm.retried} tasks tried again")
        if facts:
            lines.append(f"{arm.name}: {', '.join(facts)}")
    return lines


def _escaped(cell: str) -> str:
    return " ".join(cell.split()).replace("|", "\\|")
