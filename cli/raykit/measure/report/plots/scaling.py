"""Speedup against the ideal, over the task CPUs of an experiment's arms."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from raykit.measure.experiment.arm_results import ArmResult, ArmsCompared
from raykit.measure.report.drawing import INK, MUTED, SERIES, Plot, canvas, shortened
from raykit.measure.statistics import Ratio

LEAST_SIZES = 2


def of_arms(compared: ArmsCompared) -> Plot | None:
    """The speedup of each arm over its p; None unless arms of several sizes have one."""
    base = next(arm for arm in compared.arms if arm.name == compared.baseline)
    measured = [arm for arm in compared.arms if arm.speedup is not None and arm.p > 0]
    if (
        compared.scaling == "weak"
        or not base.p
        or len({base.p, *(a.p for a in measured)}) < LEAST_SIZES
    ):
        return None
    points = sorted(
        [(base, Ratio(1.0)), *((a, a.speedup or Ratio(1.0)) for a in measured)],
        key=lambda point: point[0].p,
    )
    return Plot(
        id="speedup",
        title="Speedup against the ideal",
        description=f"How many times as fast as {base.name} each arm was, round by round, by task "
        "CPUs p. The dashed line is the ideal: twice the CPUs, half the time. Bars are 95 % "
        "intervals, from six rounds on.",
        draw=lambda width: _draw(points, base.p, width),
        header=("arm", "p", "speedup", "ideal", "efficiency"),
        rows=[
            (
                arm.name,
                f"{arm.p:g}",
                "1 (baseline)" if arm is base else str(speedup),
                f"{arm.p / base.p:.2f}",
                f"{speedup.value / (arm.p / base.p):.2f}",
            )
            for arm, speedup in points
        ],
    )


def _draw(points: Sequence[tuple[ArmResult, Ratio]], p_base: float, width: int) -> Figure:
    figure, axes = canvas(width, 300, 52)
    sizes = [arm.p for arm, _ in points]
    ends = [end for _, ratio in points for end in (ratio.value, ratio.high or 0.0)]
    most, top = max(sizes), max([*ends, max(sizes) / p_base])
    axes.set_xlim(0, most * 1.12)
    axes.set_ylim(0, top * 1.12)
    axes.plot([0, most * 1.1], [0, most * 1.1 / p_base], color=MUTED, linewidth=1.5, dashes=(5, 4))
    for arm, ratio in points:
        if ratio.low is not None and ratio.high is not None:
            axes.plot([arm.p] * 2, [ratio.low, ratio.high], color=INK, linewidth=1.5)
        axes.plot([arm.p], [ratio.value], "o", markersize=8, color=SERIES[0], markeredgewidth=0)
    for p, alike in groupby(points, key=lambda point: point[0].p):
        _label(axes, p, sorted(alike, key=lambda point: -point[1].value), right=p > 0.6 * most)
    axes.set_xticks(sorted(set(sizes)))
    axes.set_xlabel("task CPUs p")
    axes.set_ylabel("speedup")
    return figure


def _label(axes: Axes, p: float, alike: Sequence[tuple[ArmResult, Ratio]], *, right: bool) -> None:
    """The names of the arms of one size, the fastest first, below the slowest: none on another."""
    axes.annotate(
        "\n".join(f"{shortened(arm.name, 20)}  {ratio.value:.2f}" for arm, ratio in alike),
        xy=(p, alike[-1][1].value),
        xytext=(-10 if right else 10, -6),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top",
        color=INK,
    )
