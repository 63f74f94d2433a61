"""Draws the strip as text: a title, one row a lane, a legend, and how many rows are not shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raykit.measure.strip.lanes import ACTOR, CPU, MORE, TOUCHING

MOST_LINES = 10
FRAME = 3
"""Lines besides the rows: the title, the legend, and the number of rows not shown."""
LABEL_WIDTH = 28
LEAST_COLUMNS = 10
FULL, PART, IDLE, FAILED, ENDED, ABSENT = "█", "▒", "·", "!", "x", " "
MEANINGS = {
    FULL: "busy",
    PART: "in part",
    IDLE: "idle",
    FAILED: "failed",
    ENDED: "node ended",
}
Lane = Mapping[str, Any]


def draw(summary: Mapping[str, Any], width: int = 80) -> list[str]:
    """The strip's lines: at most ten of at most `width` columns; none without measured tasks."""
    lanes = [] if summary.get("dropped") else summary.get("lanes") or []
    if not lanes:
        return []
    busiest = sorted(range(len(lanes)), key=lambda index: -lanes[index]["busy_seconds"])
    shown = [lanes[index] for index in sorted(busiest[: MOST_LINES - FRAME])]
    labels = _labels(shown, min(LABEL_WIDTH, width - LEAST_COLUMNS - len(" || 100%")))
    columns = max(width - len(labels[0]) - len(" || 100%"), LEAST_COLUMNS)
    span = summary["makespan"] or TOUCHING
    bars = [_Bar(summary, lane, span, columns).text() for lane in shown]
    rows = [
        f"{label} |{bar}| {min(lane['busy_seconds'] / span, 1):4.0%}"
        for lane, label, bar in zip(shown, labels, bars, strict=True)
    ]
    title = f"{counted(summary['count'])} over {span:.2f} s"
    return [title, *rows, *_legend(shown, "".join(bars), width), *_cut(summary, shown, width)]


def counted(tasks: int) -> str:
    return "1 task" if tasks == 1 else f"{tasks:,} tasks"


def _labels(lanes: Sequence[Lane], room: int) -> list[str]:
    """One label a row, all of one length; the beginning of a long node's name is cut off."""
    labels = []
    for lane in lanes:
        where = place(lane)
        node, left = str(lane["node"]), max(room - len(where) - 1, 1)
        kept = node if len(node) <= left else "…" + node[len(node) - left + 1 :]
        labels.append(f"{kept} {where}"[-room:])
    longest = max(map(len, labels))
    return [label.ljust(longest) for label in labels]


def place(lane: Lane) -> str:
    """What a lane is on its Ray node: `cpu 0`, an actor's class, `more 0`."""
    kind, index = lane.get("kind", CPU), lane["cpu"]
    if kind == ACTOR:
        return f"{lane['name']} {index + 1}" if index else str(lane["name"])
    return f"{kind} {index}"


class _Bar:
    """The cells of one row; each covers the same part of the whole time."""

    def __init__(self, summary: Mapping[str, Any], lane: Lane, span: float, columns: int) -> None:
        self.first, self.cell, self.columns = summary["first_start"], span / columns, columns
        self.lane = lane
        self.came = (summary.get("came") or {}).get(lane["node"])
        self.ended = (summary.get("ended") or {}).get(lane["node"])

    def text(self) -> str:
        busy = self._covered(self.lane["intervals"])
        failed = self._covered(self.lane.get("failed") or [])
        signs = [
            FAILED if wrong > 0 else FULL if part > 0.66 else PART if part > 0.02 else IDLE
            for part, wrong in zip(busy, failed, strict=True)
        ]
        if self.came is not None:
            until = min(self._column(self.came), self.columns)
            signs[:until] = [sign if sign != IDLE else ABSENT for sign in signs[:until]]
        if self.ended and self._column(self.ended["time"]) < self.columns:
            at = max(self._column(self.ended["time"]), 0)
            signs[at:] = [ENDED] + [ABSENT] * (self.columns - at - 1)
        return "".join(signs)

    def _column(self, moment: float) -> int:
        return int((moment - self.first) / self.cell)

    def _covered(self, intervals: Sequence[Sequence[float]]) -> list[float]:
        """The share of each cell that intervals cover; an empty interval covers a trace of it."""
        covered = [0.0] * self.columns
        for start, end in intervals:
            low = max(min(self._column(start), self.columns - 1), 0)
            high = max(min(self._column(end), self.columns - 1), 0)
            for column in range(low, high + 1):
                left = self.first + column * self.cell
                over = min(end, left + self.cell) - max(start, left)
                covered[column] += max(over / self.cell, 1e-9)
        return covered


def _legend(lanes: Sequence[Lane], drawn: str, width: int) -> list[str]:
    """What the signs, rows and percentages that occur mean."""
    meanings = [f"{sign} {meaning}" for sign, meaning in MEANINGS.items() if sign in drawn]
    kinds = {lane.get("kind", CPU) for lane in lanes}
    if ACTOR in kinds:
        meanings.append("named rows: actors")
    if MORE in kinds:
        meanings.append("more: tasks beyond the CPUs")
    meanings.append("%: busy share")
    line = meanings[0]
    for meaning in meanings[1:]:
        if len(line) + len(meaning) + 2 > width:
            break
        line += f"  {meaning}"
    return [line]


def _cut(summary: Mapping[str, Any], shown: Sequence[Lane], width: int) -> list[str]:
    left = summary.get("lanes_used", len(shown)) - len(shown)
    return [f"not shown: {left:,} less busy rows"[:width]] if left else []
