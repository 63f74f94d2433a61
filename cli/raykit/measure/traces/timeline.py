"""What a record says of when things happened, in one order and on one clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from raykit.measure.records import RunRecord

TASKS, CPU = "tasks", "cpu"
"""What a lane is called where the record does not say: its tasks had several names, or it is of a
time when all lanes were CPUs."""
TOUCHING = 0.001
"""Clocks of a millisecond: what ends so much later may still lie within."""
ROUNDING = 2e-6


@dataclass(frozen=True)
class Slice:
    """Something that took time. start, end: Unix seconds on raykit's clock. about: what else is
    known of it, plain values by name."""

    name: str
    start: float
    end: float
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def holds(self, other: Slice) -> bool:
        """Whether the other one lies within, as far as clocks of a millisecond can tell."""
        return self.start - TOUCHING <= other.start and other.end <= self.end + TOUCHING


@dataclass(frozen=True)
class Lane:
    """One CPU or actor of a Ray node and when it was busy. Short pauses within are not kept."""

    node: str
    name: str
    slices: tuple[Slice, ...]


@dataclass(frozen=True)
class Timeline:
    """One run: the whole of it, raykit's phases, the job's spans, and the lanes of its tasks."""

    record: RunRecord
    run: Slice
    phases: tuple[Slice, ...]
    spans: tuple[Slice, ...]
    lanes: tuple[Lane, ...]


def timeline(record: RunRecord) -> Timeline:
    """The times of one run.

    Times that were taken on the head's clock or a Ray node's are set to raykit's clock where the
    record knows the offset. A span without usable times, which only a damaged record has, is left
    out.
    """
    ahead = float(record.clock.get("offset_seconds") or 0) if record.clock.get("corrected") else 0.0
    phases = tuple(
        Slice(
            phase.name,
            phase.start,
            phase.start + phase.seconds,
            {"source": phase.source, "clock": phase.clock, "resolution": phase.resolution},
        )
        for phase in record.phases
    )
    spans = tuple(made for span in record.spans if (made := _span(span, ahead)))
    lanes = tuple(_lane(lane, record, ahead) for lane in record.tasks.get("lanes") or [])
    inner = [*phases, *spans, *(each for lane in lanes for each in lane.slices)]
    start = min([record.started, *(each.start for each in inner)])
    end = max([record.ended or record.started, *(each.end for each in inner)])
    about = {"id": record.id, "status": record.status, "exit_code": record.exit_code}
    run = Slice(record.job["name"], start, end, about)
    return Timeline(record, run, phases, spans, lanes)


def parents(inner: Sequence[Slice], among: Sequence[Slice]) -> dict[int, Slice]:
    """By `id` of each inner slice: the shortest of the others that it lies within.

    Of two that are equally long, the one that stands first in `among` is the outer one.
    """
    order = {id(each): number for number, each in enumerate(among)}
    waiting = sorted(among, key=lambda each: each.start, reverse=True)
    running: list[Slice] = []
    found: dict[int, Slice] = {}
    for each in sorted(inner, key=lambda each: each.start):
        while waiting and waiting[-1].start <= each.start + TOUCHING:
            running.append(waiting.pop())
        running = [one for one in running if one.end + TOUCHING >= each.start]
        own = order.get(id(each), len(order))
        around = [one for one in running if order[id(one)] < own and one.holds(each)]
        if around:
            found[id(each)] = min(around, key=lambda one: (one.seconds, -order[id(one)]))
    return found


def rows(slices: Sequence[Slice]) -> list[list[Slice]]:
    """The slices in rows. Those of one row lie apart or within each other."""
    found: list[_Row] = []
    for each in sorted(slices, key=lambda each: (each.start, -each.end)):
        if not any(row.take(each) for row in found):
            found.append(_Row())
            found[-1].take(each)
    return [row.slices for row in found]


class _Row:
    """Slices of one row, by their start, and the ends of those that the next one may lie within."""

    def __init__(self) -> None:
        self.slices: list[Slice] = []
        self.ends: list[float] = []

    def take(self, slice_: Slice) -> bool:
        """Add a slice, unless it overlaps one of the row without lying within it."""
        around = [end for end in self.ends if end > slice_.start + ROUNDING]
        if around and slice_.end > around[-1]:
            return False
        # Sums of floats: a slice may seem to begin before the one before it ends.
        start = max([slice_.start, *self.ends[len(around) :]])
        end = max(slice_.end, start)
        self.slices.append(replace(slice_, start=start, end=end))
        self.ends = [*around, end]
        return True


def _span(span: Mapping[str, Any], ahead: float) -> Slice | None:
    about = {key: value for key, value in span.items() if key not in ("name", "start", "seconds")}
    try:
        start = float(span["start"]) - ahead
        return Slice(str(span["name"]), start, start + float(span["seconds"]), about)
    except (KeyError, TypeError, ValueError):
        return None


def _lane(lane: Mapping[str, Any], record: RunRecord, ahead: float) -> Lane:
    """A lane of the record (`strip.summarise`); failed attempts lie over its busy times."""
    names = record.tasks.get("names") or {}
    title = str(lane.get("name") or (next(iter(names)) if len(names) == 1 else TASKS))
    busy = [Slice(title, start - ahead, end - ahead) for start, end in lane["intervals"]]
    failed = [
        Slice(f"{title} FAILED", start - ahead, end - ahead, {"state": "FAILED"})
        for start, end in lane.get("failed") or []
    ]
    label = str(lane.get("name") or f"{lane.get('kind', CPU)} {lane['cpu']}")
    return Lane(str(lane["node"]), label, (*busy, *failed))
