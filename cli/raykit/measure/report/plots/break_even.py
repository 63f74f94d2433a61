"""The break-even chart: at each size, the local loop's time over that of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from raykit.measure.experiment.break_even import Answer, Point, Winner
from raykit.measure.report.drawing import INK, MUTED, OTHER, SERIES, WIDE, Plot, canvas
from raykit.measure.statistics import Ratio

WINNERS = {Winner.tasks: SERIES[2], Winner.local: SERIES[1], Winner.undecided: OTHER}
MEANINGS = {
    Winner.tasks: "tasks are faster",
    Winner.local: "the local loop is faster",
    Winner.undecided: "undecided",
}
RATIOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def of_points(points: Sequence[Point], answer: Answer | None) -> Plot | None:
    """The sizes that a search measured, by size; None if there are none."""
    if not points:
        return None
    return Plot(
        id="break-even",
        title="Break-even size",
        description="The local loop's time over the tasks' time at each size: above the line tasks "
        "are faster. Bars are intervals that hold together at 95 %; the break-even size lies in "
        "the grey band. Both axes are logarithmic.",
        draw=lambda width: _draw(points, answer, width),
        header=("size", "rounds", "local (s)", "tasks (s)", "local over tasks", "faster"),
        rows=[
            (
                f"{point.size:,}",
                point.rounds,
                f"{point.local_seconds:.3f}",
                f"{point.tasks_seconds:.3f}",
                point.ratio,
                point.winner,
            )
            for point in points
        ],
        legend=[
            (WINNERS[name], MEANINGS[name])
            for name in WINNERS
            if any(point.winner is name for point in points)
        ],
    )


def _draw(points: Sequence[Point], answer: Answer | None, width: int) -> Figure:
    figure, axes = canvas(width, 300, 56)
    axes.set_xscale("log")
    axes.set_yscale("log")
    sizes = [point.size for point in points]
    ends = [end for point in points for end in _ends(point.ratio)]
    axes.set_xlim(min(sizes) / 1.5, max(sizes) * 1.5)
    axes.set_ylim(min([*ends, 0.9]) / 1.15, max([*ends, 1.1]) * 1.15)
    axes.axhline(1, color=INK, linewidth=1.5)
    if answer is not None and answer.low is not None and answer.high is not None:
        axes.axvspan(answer.low, answer.high, color=MUTED, alpha=0.18, linewidth=0)
    for point in points:
        low, high = min(_ends(point.ratio)), max(_ends(point.ratio))
        axes.plot([point.size] * 2, [low, high], color=INK, linewidth=1.5)
        axes.plot(
            [point.size],
            [point.ratio.value],
            "o",
            markersize=8,
            markeredgewidth=0,
            color=WINNERS[point.winner],
        )
    _label_axes(axes, sizes, width)
    return figure


def _ends(ratio: Ratio) -> list[float]:
    return [end for end in (ratio.low, ratio.value, ratio.high) if end is not None]


def _label_axes(axes: Any, sizes: Sequence[int], width: int) -> None:
    """Powers of ten with 2 and 5 between, as whole words: matplotlib's own would be formulas."""
    steps = (1, 2, 5) if max(sizes) / min(sizes) < (1000 if width >= WIDE else 30) else (1,)
    ticks = [step * 10**power for power in range(12) for step in steps]
    for axis, places in ((axes.xaxis, ticks), (axes.yaxis, RATIOS)):
        axis.set_major_locator(FixedLocator(places))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set_xlabel("size")
    axes.set_ylabel("local over tasks")
