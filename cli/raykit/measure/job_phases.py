"""The phases of one job between its submission and its end, from what several clocks said."""

from __future__ import annotations

from dataclasses import dataclass

from raykit.phases import RAYKIT, WALL, Phase

RAY_JOB, RAY_TASKS, JOB = "ray job", "ray tasks", "job"
MILLISECOND = 0.001


@dataclass(frozen=True)
class Marks:
    """Moments of one job, Unix seconds, None where unknown.

    submitted: raykit had Ray's answer; start_line: the job's own `start` event; first_byte: the
    first of its log reached raykit; first_task: Ray's task events; job_end: Ray's job details;
    seen_end: raykit saw the end.
    """

    submitted: float
    start_line: float | None = None
    first_byte: float | None = None
    first_task: float | None = None
    job_end: float | None = None
    seen_end: float | None = None


def job_phases(marks: Marks) -> list[Phase]:
    """Consecutive phases `driver-start`, `first-task`, `run`, `end-seen`; unknown ones left out.

    Where nothing tells when the driver began, as where its log was first read after its end, one
    phase `job` stands for all that came before the end. A phase that two machines' clocks
    disagree about by so much that it would be negative is left out too: no number is invented.
    """
    driver, source, resolution = (
        (marks.start_line, JOB, 1e-6)
        if marks.start_line is not None
        else (_before(marks.first_byte, marks.job_end), RAYKIT, 0.1)
    )
    unknown = driver is None and marks.first_task is None
    found = [
        _between("job", marks.submitted if unknown else None, marks.job_end, RAY_JOB, MILLISECOND),
        _between("driver-start", marks.submitted, driver, source, resolution),
        _between("first-task", driver, marks.first_task, RAY_TASKS, MILLISECOND),
        _between(
            "run",
            marks.first_task if marks.first_task is not None else driver,
            marks.job_end,
            RAY_JOB,
            MILLISECOND,
        ),
        _between("end-seen", marks.job_end, marks.seen_end, RAYKIT, MILLISECOND),
    ]
    return [phase for phase in found if phase is not None]


def _before(moment: float | None, end: float | None) -> float | None:
    return moment if moment is None or end is None or moment <= end else None


def _between(
    name: str, start: float | None, end: float | None, source: str, resolution: float
) -> Phase | None:
    if start is None or end is None or end - start < -resolution:
        return None
    return Phase(name, start, max(end - start, 0.0), source, WALL, resolution)
