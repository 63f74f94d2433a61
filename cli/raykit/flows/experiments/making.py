"""Makes one run of an experiment: announces it with the time left, and tries again if it fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from raykit.flows import submit
from raykit.flows.experiments.request import Request
from raykit.flows.session import Run
from raykit.flows.targets.where import Where
from raykit.measure import doubts
from raykit.measure.experiment import experiments
from raykit.measure.experiment.plan import Purpose, Step
from raykit.measure.records import RunRecord, RunsFolder
from raykit.progress import Progress, Silent

TRIED_AGAIN = (20, 6, 5)
"""Exit codes that may pass by: the job failed, the head did not answer, a cluster was not ready.

A second failure ends the experiment, to be resumed.
"""

WORTH_A_NOTE = ("BUSY_MACHINE", "THROTTLED", "DISTURBED")
"""Doubts that a user can do something about while an experiment runs."""


def check_id(request: Request, runs: RunsFolder) -> None:
    """Errors: UsageError (2), ConflictError (8) for an id that no experiment can have here."""
    if request.id:
        experiments.check_id(runs, request.id)


def how_to_resume(experiment_id: str) -> str:
    return f"experiment {experiment_id}: the same command with --id {experiment_id} continues it"


def make(
    name: str,
    place: Callable[[], Where],
    arguments: Sequence[str],
    request: Request,
    runs: RunsFolder,
    progress: Progress,
) -> RunRecord:
    """One run that succeeded. name: of its arm; place: where to run, asked at each try.

    Errors: those of submitting, the job's own, after the second try.
    """
    run = _submit(place(), arguments, request, runs)
    if run.error is not None and run.error.exit_code in TRIED_AGAIN:
        progress.note(f"{name}: {run.error.what}; it is tried once more")
        run = _submit(place(), arguments, request, runs)
    if run.error is not None:
        raise run.error
    return run.record


def note_doubts(record: RunRecord, noted: set[str], progress: Progress) -> None:
    """Say at once what may spoil the whole experiment, each kind once. noted: kinds said so far."""
    for doubt in doubts.of_run(record):
        if doubt.name in WORTH_A_NOTE and doubt.name not in noted:
            noted.add(doubt.name)
            progress.note(f"{doubt.name}: {doubt.why}; {doubt.advice}")


def _submit(where: Where, arguments: Sequence[str], request: Request, runs: RunsFolder) -> Run:
    """One run, unseen: its output is in its record."""
    entrypoint = request.entrypoint(arguments)
    return submit.submit(
        submit.Request(entrypoint, where, timeout=request.timeout), runs, Progress(Silent())
    )


def announcement(step: Step, index: int, count: int, left: float | None) -> str:
    what = f"round {step.round}" if step.purpose is Purpose.measured else str(step.purpose)
    time_left = "" if left is None else f", about {duration(left)} left"
    return f"[{index + 1}/{count}] {what}: {step.arm}{time_left}"


def duration(seconds: float) -> str:
    """Seconds in words: `40 s`, `12 min`, `1 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
