"""Every task on the CPU, actor or other place that took it, from Ray's task events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from raykit.measure.report.drawing import (
    BAD,
    INK,
    LONGEST,
    MUTED,
    OTHER,
    SERIES,
    WIDE,
    Plot,
    canvas,
    rectangles,
    shortened,
    write,
)
from raykit.measure.strip.drawing import place

NOT_FINISHED, OTHERS, UNNAMED = "failed", "other tasks", "tasks"
HEADING = 22
FEW_LANES = 24
JOIN_PIXELS = 0.35
"""Tasks of one name that are closer and thinner than the eye sees are one rectangle."""
THIN_PIXELS = 1.2


@dataclass(frozen=True)
class Piece:
    """One task, or busy stretch, of a lane. start, end: seconds after the first task's start."""

    start: float
    end: float
    kind: str


def of_tasks(summary: Mapping[str, Any], id_: str, title: str, about: str = "") -> Plot | None:
    """The tasks of one run, from its record's summary; None if nothing was measured."""
    lanes = [] if summary.get("dropped") else summary.get("lanes") or []
    if not lanes or summary["makespan"] > LONGEST:
        return None
    pieces = [list(_pieces(lane, summary)) for lane in lanes]
    kinds = _kinds(pieces)
    return Plot(
        id=id_,
        title=title,
        description=f"{about} {_describe(summary, lanes)}".strip(),
        draw=lambda width: _Drawing(summary, lanes, pieces, kinds, width).figure(),
        header=("place", "tasks", "busy (s)", "busy (share)", "first start (s)", "last end (s)"),
        rows=[
            _row(lane, own, summary["makespan"]) for lane, own in zip(lanes, pieces, strict=True)
        ],
        legend=[(colour, kind) for kind, colour in kinds.items()],
    )


def _pieces(lane: Mapping[str, Any], summary: Mapping[str, Any]) -> Iterator[Piece]:
    """A lane's tasks; of a record that is older than those, its busy intervals."""
    first, names = summary["first_start"], list(summary.get("names") or {})
    failed = {
        (round(start - first, 3), round(end - first, 3)) for start, end in lane.get("failed", [])
    }
    if "tasks" in lane:
        for start, length, name in lane["tasks"]:
            begun, ended = start / 1000, (start + length) / 1000
            known = names[name] if 0 <= name < len(names) else OTHERS
            yield Piece(begun, ended, NOT_FINISHED if (begun, ended) in failed else known)
        return
    for start, end in lane["intervals"]:
        yield Piece(start - first, end - first, UNNAMED)
    for begun, ended in failed:
        yield Piece(begun, ended, NOT_FINISHED)


def _kinds(pieces: Sequence[Sequence[Piece]]) -> dict[str, str]:
    """A colour for each kind of piece: the ones that took most time have their own."""
    seconds: dict[str, float] = defaultdict(float)
    for own in pieces:
        for piece in own:
            seconds[piece.kind] += piece.end - piece.start
    named = sorted(set(seconds) - {NOT_FINISHED, OTHERS}, key=lambda kind: -seconds[kind])
    colours = dict(zip(named, SERIES, strict=False))
    if len(named) > len(SERIES) or OTHERS in seconds:
        colours[OTHERS] = OTHER
    if NOT_FINISHED in seconds:
        colours[NOT_FINISHED] = BAD
    return colours


def _describe(summary: Mapping[str, Any], lanes: Sequence[Mapping[str, Any]]) -> str:
    hidden = summary.get("lanes_used", len(lanes)) - len(lanes)
    ended = [name for name, end in (summary.get("ended") or {}).items() if end["lost"]]
    return " ".join(
        [
            f"{summary['count']:,} {'task' if summary['count'] == 1 else 'tasks'} over "
            f"{summary['makespan']:.2f} s, a row for each CPU or actor that took some.",
            *([f"{hidden:,} less busy rows are not shown."] if hidden > 0 else []),
            *(
                [f"A Ray node was lost at the end of its line: {', '.join(ended)}."]
                if ended
                else []
            ),
        ]
    )


def _row(lane: Mapping[str, Any], own: Sequence[Piece], makespan: float) -> tuple[object, ...]:
    return (
        f"{lane['node']} {place(lane)}",
        f"{len(own):,}" if "tasks" in lane else "-",
        f"{lane['busy_seconds']:.3f}",
        f"{min(lane['busy_seconds'] / makespan, 1):.0%}" if makespan else "-",
        f"{min((piece.start for piece in own), default=0.0):.3f}",
        f"{max((piece.end for piece in own), default=0.0):.3f}",
    )


class _Drawing:
    """One drawing for one width: a heading for each Ray node, a row for each of its lanes."""

    def __init__(
        self,
        summary: Mapping[str, Any],
        lanes: Sequence[Mapping[str, Any]],
        pieces: Sequence[Sequence[Piece]],
        kinds: Mapping[str, str],
        width: int,
    ) -> None:
        self.summary, self.lanes, self.pieces, self.kinds = summary, lanes, pieces, kinds
        self.width = width
        self.row = 18 if len(lanes) <= FEW_LANES else 13
        room = 18 if width >= WIDE else 9
        self.names = [shortened(place(lane), room) for lane in lanes]
        self.left = 20 + round(6.6 * max(map(len, self.names)))
        self.tops, self.headings, self.height = self._laid_out()

    def _laid_out(self) -> tuple[list[float], dict[str, float], float]:
        """The top of each lane, the top of each node's heading, and the height of it all."""
        tops, headings, y = [], {}, 0.0
        for lane in self.lanes:
            if lane["node"] not in headings:
                headings[lane["node"]] = y
                y += HEADING
            tops.append(y)
            y += self.row
        return tops, headings, y

    def figure(self) -> Figure:
        figure, axes = canvas(self.width, round(self.height) + 44, self.left)
        axes.set_ylim(self.height, 0)
        axes.set_yticks([])
        axes.set_xlim(0, self.summary["makespan"] or 0.001)
        axes.set_xlabel("seconds", labelpad=4)
        for node, top in self.headings.items():
            label = shortened(node, 60 if self.width >= WIDE else 34)
            write(axes, label, (0, top + HEADING / 2), (8 - self.left, 0))
        for name, top in zip(self.names, self.tops, strict=True):
            at = (0, top + self.row / 2)
            write(axes, name, at, (-8, 0), ha="right", colour=MUTED)
        for kind, colour in self.kinds.items():
            boxes = [box for index in range(len(self.lanes)) for box in self._boxes(index, kind)]
            patch = PathPatch(rectangles(boxes), facecolor=colour, linewidth=0, clip_on=False)
            axes.add_artist(patch)  # add_patch looks for the ends of every rectangle, for seconds
        self._mark_ends(axes)
        return figure

    def _boxes(self, index: int, kind: str) -> list[tuple[float, float, float, float]]:
        """The rectangles of a lane's pieces of one kind, what cannot be told apart joined."""
        top = self.tops[index]
        pixel = (self.summary["makespan"] or 0.001) / (self.width - self.left - 16)
        shown: list[list[float]] = []
        for piece in self.pieces[index]:
            own = piece.kind if piece.kind in self.kinds else OTHERS
            if own != kind:
                continue
            thin = piece.end - piece.start < THIN_PIXELS * pixel
            if shown and thin and piece.start - shown[-1][1] < JOIN_PIXELS * pixel:
                shown[-1][1] = max(shown[-1][1], piece.end)
            else:
                shown.append([piece.start, piece.end])
        return [
            (start, top + 1.5, _seen_end(start, end, pixel), top + self.row - 1.5)
            for start, end in shown
        ]

    def _mark_ends(self, axes: Axes) -> None:
        """A line across the lanes of a Ray node where it ended."""
        for node, end in (self.summary.get("ended") or {}).items():
            own = [
                top for lane, top in zip(self.lanes, self.tops, strict=True) if lane["node"] == node
            ]
            at = end["time"] - self.summary["first_start"]
            if own and 0 <= at <= self.summary["makespan"]:
                colour = BAD if end["lost"] else INK
                axes.plot([at, at], [min(own), max(own) + self.row], color=colour, linewidth=2)


def _seen_end(start: float, end: float, pixel: float) -> float:
    """A rectangle's end as drawn: half a pixel of air after wide ones, none thinner than one."""
    return end - 0.6 * pixel if end - start > 3 * pixel else max(end, start + 0.8 * pixel)
