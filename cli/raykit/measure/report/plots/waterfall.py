"""Where the time went: phases one below the other, each from its start to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from raykit.measure.records import RunRecord
from raykit.measure.report import drawing
from raykit.measure.report.drawing import MUTED, SERIES, Plot, rowed, write

MOST_SPANS = 25
CLUSTER, RAYKIT, JOB = "bringing the cluster up", "raykit and Ray", "the job's own spans"
COLOURS = {CLUSTER: SERIES[2], RAYKIT: SERIES[0], JOB: SERIES[1]}
BAR = 14


@dataclass(frozen=True)
class Bar:
    """One phase or span. start: seconds after the first; kind: a key of COLOURS."""

    name: str
    start: float
    seconds: float
    kind: str
    source: str


def of_run(record: RunRecord) -> Plot | None:
    """The phases and spans of a run; None if it has none."""
    bars = _bars(record)
    if not bars:
        return None
    kinds = [kind for kind in COLOURS if any(bar.kind == kind for bar in bars)]
    longest = max(bars, key=lambda bar: bar.seconds if bar.kind != JOB else 0.0)
    return Plot(
        id="waterfall",
        title="Phases of the run",
        description=f"From the submission to the end, in seconds. The longest phase is "
        f"{longest.name}, {_seconds(longest.seconds)}.",
        draw=lambda width: _draw(bars, width),
        header=("phase", "start (s)", "length (s)", "what", "source"),
        rows=[(b.name, f"{b.start:.3f}", f"{b.seconds:.3f}", b.kind, b.source) for b in bars],
        legend=[(COLOURS[kind], kind) for kind in kinds],
    )


def _bars(record: RunRecord) -> list[Bar]:
    """Phases in their order, then the longest spans in theirs.

    The cluster came up before, at any time: its phases are set right before the submission.
    """
    up = record.cluster.get("bring_up") or []
    bars = [Bar(p["name"], p["start"], p["seconds"], CLUSTER, p["source"]) for p in up]
    if bars:
        gap = record.started - max(bar.start + bar.seconds for bar in bars)
        bars = [Bar(b.name, b.start + gap, b.seconds, b.kind, b.source) for b in bars]
    bars += [Bar(p.name, p.start, p.seconds, RAYKIT, p.source) for p in record.phases]
    bars += [
        Bar(str(span["name"]), float(span["start"]), float(span["seconds"]), JOB, "job")
        for span in _longest([span for span in record.spans if _is_possible(span, record.started)])
    ]
    first = min((bar.start for bar in bars), default=0.0)
    return [Bar(b.name, b.start - first, b.seconds, b.kind, b.source) for b in bars]


def _is_possible(span: Mapping[str, Any], started: float) -> bool:
    """Whether a span lies within centuries of its run: a job may print any time."""
    away = abs(float(span["start"]) - started)
    return away < drawing.LONGEST and float(span["seconds"]) < drawing.LONGEST


def _longest(spans: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    chosen = sorted(range(len(spans)), key=lambda i: -float(spans[i]["seconds"]))[:MOST_SPANS]
    return [spans[index] for index in sorted(chosen)]


def _draw(bars: Sequence[Bar], width: int) -> Figure:
    figure, axes, middles = rowed(width, [bar.name for bar in bars], 22, "seconds")
    end = max(bar.start + bar.seconds for bar in bars) or 1.0
    axes.set_xlim(0, end * 1.02)
    for bar, middle in zip(bars, middles, strict=True):
        least = end / width
        axes.barh(
            middle, max(bar.seconds, least), BAR, bar.start, color=COLOURS[bar.kind], clip_on=False
        )
        late = bar.start + bar.seconds > 0.82 * end
        at = bar.start if late else bar.start + max(bar.seconds, least)
        write(
            axes,
            _seconds(bar.seconds),
            (at, middle),
            (-6 if late else 6, 0),
            ha="right" if late else "left",
            colour=MUTED,
            of_data=True,
        )
    return figure


def of_arms(phases: Mapping[str, Sequence[float | None]], arms: Sequence[str]) -> Plot | None:
    """The median phases of each arm of an experiment, one after another in one bar."""
    if not phases:
        return None
    colours = dict(zip(phases, (*SERIES, drawing.OTHER), strict=False))
    return Plot(
        id="waterfall",
        title="Phases of each arm",
        description="Median seconds of each phase of a run, from the submission to the job's end.",
        draw=lambda width: _draw_arms(phases, arms, colours, width),
        header=("phase (s)", *arms),
        rows=[
            (name, *("-" if seconds is None else f"{seconds:.3f}" for seconds in row))
            for name, row in phases.items()
        ],
        legend=[(colour, name) for name, colour in colours.items()],
    )


def _draw_arms(
    phases: Mapping[str, Sequence[float | None]],
    arms: Sequence[str],
    colours: Mapping[str, str],
    width: int,
) -> Figure:
    figure, axes, middles = rowed(width, arms, 28, "seconds")
    ends = [sum(row[index] or 0.0 for row in phases.values()) for index in range(len(arms))]
    axes.set_xlim(0, (max(ends) or 1.0) * 1.14)
    for index, middle in enumerate(middles):
        start = 0.0
        for name, row in phases.items():
            seconds = row[index] or 0.0
            axes.barh(middle, seconds, 18, start, color=colours[name], clip_on=False)
            start += seconds
        write(axes, _seconds(start), (start, middle), (6, 0), colour=MUTED, of_data=True)
    return figure


def _seconds(value: float) -> str:
    if value < 1e6:
        return f"{value:.1f} s" if value >= 10 else f"{value:.2f} s"
    return f"{value:.1e} s"
