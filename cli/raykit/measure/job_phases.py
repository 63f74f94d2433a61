"""The phases of one job between its submission and its end, from what several clocks said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from raykit.measure import clocks
from raykit.measure.clocks import Offset, Sighting
from raykit.phases import CORRECTED, RAYKIT, WALL, Phase

RAY_JOB, RAY_TASKS, JOB = "ray job", "ray tasks", "job"
MILLISECOND = 0.001
WRITING_SECONDS = 1.0
"""A loaded head may take so long to write an end whose time it has taken: RUNNING till then."""


@dataclass(frozen=True)
class Marks:
    """Moments of one job, Unix seconds, None where unknown.

    On our clock: posted: the submission was sent; submitted: raykit had Ray's answer; first_byte:
    the first of its log came; seen_running: the last question that it was still running on;
    seen_end: raykit saw the end. On the head's: head_start, job_end: Ray's job details; start_line:
    the job's own `start` event. On the Ray nodes' clocks: first_task: Ray's task events.
    here: the head is on this machine, and all clocks are one. tasks_in_order: no task event
    contradicts the head's clock. Where nobody here submitted, `posted` is None and `submitted` is
    on the head's clock too.
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
    here: bool = False
    tasks_in_order: bool = True


@dataclass(frozen=True)
class _Moment:
    """A time on our clock; on_head: it was read from the head's, or from that of a Ray node."""

    time: float
    on_head: bool


def head_offset(marks: Marks) -> Offset | None:
    """How far the head's clock is from ours; None where nothing tells."""
    if marks.here:
        return clocks.SAME
    sightings = []
    if marks.posted is not None and marks.head_start is not None:
        sightings.append(Sighting(marks.head_start, marks.posted, marks.submitted))
    running = marks.posted if marks.seen_running is None else marks.seen_running
    if marks.job_end is not None and running is not None and marks.seen_end is not None:
        sightings.append(Sighting(marks.job_end, running - WRITING_SECONDS, marks.seen_end))
    return clocks.offset(sightings)


def job_phases(marks: Marks) -> list[Phase]:
    """Consecutive phases `driver-start`, `first-task`, `run`, `end-seen`; unknown ones left out.

    Where nothing tells when the driver began, as where its log was first read after its end, one
    phase `job` stands for all that came before the end. Times of the head's clock are set to ours
    by its offset. A phase between two clocks whose offset is unknown is left out, and so is one
    that comes out negative: no number is invented.
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
    found = [
        _between("job", submitted if unknown else None, end, RAY_JOB, MILLISECOND, offset),
        _between("driver-start", submitted, driver, source, resolution, offset),
        _between("first-task", driver, first_task, RAY_TASKS, MILLISECOND, offset),
        _between("run", first_task or driver, end, RAY_JOB, MILLISECOND, offset),
        _between("end-seen", end, ours(marks.seen_end), RAYKIT, MILLISECOND, offset),
    ]
    return [phase for phase in found if phase is not None]


def _plausible(marks: Marks) -> Marks:
    """The marks without a start line or first task that the head's own times of the job exclude.

    A job prints its start line itself, and may print any time.
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
