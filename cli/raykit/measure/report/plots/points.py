"""Repeats as points: every sample of every arm, its median and the median's interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from raykit.measure.report.drawing import INK, LONGEST, SERIES, Plot, rowed
from raykit.measure.statistics import Timing

ROW, SPREAD = 34, 9
FROM_ZERO = 0.5
"""The axis begins at 0 unless the shortest time is more than this share of the longest."""


def of_samples(samples: Mapping[str, Sequence[float]], what: str) -> Plot | None:
    """The samples of each arm, in the order of their rounds. what: one sample, such as a run."""
    possible = {arm: [s for s in own if s < LONGEST] for arm, own in samples.items()}
    kept = {arm: seconds for arm, seconds in possible.items() if seconds}
    if not kept:
        return None
    timings = {arm: Timing.of(seconds) for arm, seconds in kept.items()}
    return Plot(
        id="repeats",
        title="Repeats",
        description=f"Each point is {what}; from top to bottom of a row, the first to the last. "
        "The stroke is the median, the line its 95 % interval, from six on.",
        draw=lambda width: _draw(kept, timings, width),
        header=("arm", "n", "median (s)", "all, in order (s)"),
        rows=[
            (
                arm,
                timings[arm].n,
                f"{timings[arm].seconds:.3f}{interval(timings[arm])}",
                ", ".join(f"{value:.3f}" for value in seconds[:60])
                + (" …" if len(seconds) > 60 else ""),
            )
            for arm, seconds in kept.items()
        ],
    )


def interval(timing: Timing) -> str:
    """A median's interval in brackets; empty if there is none."""
    if timing.low is None or timing.high is None:
        return ""
    return f" ({timing.low:.3f}-{timing.high:.3f})"


def _draw(
    samples: Mapping[str, Sequence[float]], timings: Mapping[str, Timing], width: int
) -> Figure:
    figure, axes, middles = rowed(width, list(samples), ROW, "seconds")
    low = min(min(seconds) for seconds in samples.values())
    high = max(max(seconds) for seconds in samples.values()) or 1.0
    start = low - 0.08 * (high - low) if low > FROM_ZERO * high else 0.0
    axes.set_xlim(start, high + 0.08 * (high - start or high))
    for index, (arm, middle) in enumerate(zip(samples, middles, strict=True)):
        seconds, timing = samples[arm], timings[arm]
        step = 2 * SPREAD / max(len(seconds) - 1, 1)
        heights = [middle - SPREAD + step * number for number in range(len(seconds))]
        if len(seconds) == 1:
            heights = [middle]
        if timing.low is not None and timing.high is not None:
            axes.plot(
                [timing.low, timing.high], [middle, middle], color=INK, linewidth=1.5, clip_on=False
            )
        axes.plot(
            [timing.seconds] * 2, [middle - 13, middle + 13], color=INK, linewidth=2, clip_on=False
        )
        axes.plot(
            seconds,
            heights,
            "o",
            markersize=5,
            color=SERIES[index % len(SERIES)],
            alpha=0.8,
            markeredgewidth=0,
            clip_on=False,
        )
    if start > 0:
        axes.set_xlabel("seconds; the axis does not begin at 0")
    return figure
