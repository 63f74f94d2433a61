"""Computes the phases of one job between its submission and its end, from several clocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from raykit.measure import clocks
from raykit.measure.clocks import Offset, Sighting
from raykit.phases import CORRECTED, RAYKIT, WALL, Phase

RAY_JOB, RAY_TASKS, JOB = "ray job", "ray tasks", "job"
MILLISECOND = 0.001
WRITING_SECONDS = 1.0
"""A busy head may report RUNNING for so long after it has taken the job's end time."""


@dataclass(frozen=True)
class Marks:
    """Times of one job in Unix seconds; None if unknown.

    On our clock: posted: the submission was sent; submitted: Ray's answer to it arrived;
    first_byte: the first byte of the log arrived; seen_running: the last poll that the job is known
    to have outlived was sent; seen_end: raykit saw the end. On the head's clock: head_start and
    job_end: from Ray's job details; start_line: of the job's own `start` event. On the Ray nodes'
    clocks: first_task: from Ray's task events.
    on_this_machine: the head is here, so all these clocks are one. tasks_in_order: no task event
    contradicts the head's clock. If raykit attached to the job, `posted` is None and `submitted` is
    on the head's clock.
    """

    submitted: float
    start_line: float | None = None
    first_byte: float | None = None
    first_task: float | None = None
    job_end: float | None = None
    seen_end: float | None = None
    posted: float | None = None
    head_start: float | None = None
    seen_running: float | None = None
    on_this_machine: bool = False
    tasks_in_order: bool = True


@dataclass(frozen=True)
class _Moment:
    """A time, converted to our clock. on_head: it was read on the head's or a Ray node's clock."""

    time: float
    on_head: bool


def head_offset(marks: Marks) -> Offset | None:
    """How far the head's clock is ahead of ours; None if it is unknown."""
    if marks.on_this_machine:
        return clocks.SAME
    sightings = []
    if marks.posted is not None and marks.head_start is not None:
        sightings.append(Sighting(marks.head_start, marks.posted, marks.submitted))
    running = marks.posted if marks.seen_running is None else marks.seen_running
    if marks.job_end is not None and running is not None and marks.seen_end is not None:
        sightings.append(Sighting(marks.job_end, running - WRITING_SECONDS, marks.seen_end))
    return clocks.offset(sightings)


def job_phases(marks: Marks) -> list[Phase]:
    """The consecutive phases `driver-start`, `first-task`, `run` and `end-seen`.

    If the driver's start is unknown, because its log was first read after its end, one phase `job`
    covers all until the end. Times on the head's clock are converted by its offset. A phase is left
    out if a time of it is unknown, if it lies between two clocks whose offset is unknown, or if it
    would be negative: raykit invents no number.
    """
    marks = _plausible(marks)
    offset = head_offset(marks)
    shift = offset.seconds if offset and offset.matters else 0.0

    def ours(time: float | None) -> _Moment | None:
        return None if time is None else _Moment(time, on_head=False)

    def on_head(time: float | None) -> _Moment | None:
        return None if time is None else _Moment(time - shift, on_head=True)

    submitted = on_head(marks.submitted) if marks.posted is None else ours(marks.submitted)
    end, first_task = on_head(marks.job_end), on_head(_first_task(marks))
    driver, source, resolution = (
        (on_head(marks.start_line), JOB, 1e-6)
        if marks.start_line is not None
        else (_before(ours(marks.first_byte), end), RAYKIT, 0.1)
    )
    unknown = driver is None and first_task is None
    phases = [
        _between("job", submitted if unknown else None, end, RAY_JOB, MILLISECOND, offset),
        _between("driver-start", submitted, driver, source, resolution, offset),
        _between("first-task", driver, first_task, RAY_TASKS, MILLISECOND, offset),
        _between("run", first_task or driver, end, RAY_JOB, MILLISECOND, offset),
        _between("end-seen", end, ours(marks.seen_end), RAYKIT, MILLISECOND, offset),
    ]
    return [phase for phase in phases if phase is not None]


def _plausible(marks: Marks) -> Marks:
    """The marks without a start line or first task outside the head's own times of the job.

    A job prints its start line itself and may print any time.
    """
    first = -inf if marks.head_start is None else marks.head_start - clocks.SLACK
    last = inf if marks.job_end is None else marks.job_end + clocks.SLACK

    def kept(moment: float | None) -> float | None:
        return moment if moment is not None and first <= moment <= last else None

    return replace(marks, start_line=kept(marks.start_line), first_task=kept(marks.first_task))


def _first_task(marks: Marks) -> float | None:
    return marks.first_task if marks.tasks_in_order else None


def _before(moment: _Moment | None, end: _Moment | None) -> _Moment | None:
    return moment if moment is None or end is None or moment.time <= end.time else None


def _between(
    name: str,
    start: _Moment | None,
    end: _Moment | None,
    source: str,
    resolution: float,
    offset: Offset | None,
) -> Phase | None:
    if start is None or end is None:
        return None
    clock = WALL
    if start.on_head != end.on_head:
        if offset is None:
            return None
        resolution = max(resolution, offset.uncertainty)
        clock = CORRECTED if offset.matters else WALL
    seconds = end.time - start.time
    if seconds < -resolution:
        return None
    return Phase(name, start.time, max(seconds, 0.0), source, clock, resolution)
