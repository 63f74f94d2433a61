"""`raykit bench`: the same job on several clusters, again and again, to be compared."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from raykit.errors import ConflictError, UsageError
from raykit.flows.experiments import making, readiness, reading
from raykit.flows.experiments.readiness import Ready
from raykit.flows.experiments.request import Request, is_given
from raykit.flows.steps.arrival import new_id
from raykit.flows.targets.where import Where
from raykit.measure.experiment import experiments
from raykit.measure.experiment.experiments import Experiment, Made
from raykit.measure.experiment.plan import Plan, Purpose, Scaling, Step, seconds_left, tasks
from raykit.measure.experiment.usl import SIZES_FOR_A_LAW
from raykit.measure.records import RunRecord, RunsFolder
from raykit.progress import Progress

TASKS_OPTION = "--tasks"


def bench(request: Request, runs: RunsFolder, progress: Progress) -> Experiment:
    """Run every arm in turn, round by round; the finished experiment.

    What an experiment of the same id has already measured is not run again. Arms that it does not
    have yet join it: they run together with all others in rounds of their own.

    Errors: UsageError (2); those of bringing up and of submitting (4, 5, 6); ConflictError
    (8) where the id names another experiment; RecordError (7); the error of a job that failed.
    """
    making.check_id(request, runs)
    runs.check_writable()
    arms = {arm.name: readiness.ready(arm, request, progress) for arm in request.arms}
    experiment = _begin_or_resume(request, runs, arms)
    experiments.write(runs, experiment)
    steps = experiment.remaining()
    if steps:
        progress.note(making.how_to_resume(experiment.id))
    took: dict[str, list[float]] = {arm: [] for arm in experiment.plan.arms}
    noted: set[str] = set()
    for index, step in enumerate(steps):
        left = seconds_left(steps[index:], took)
        progress.note(making.announcement(step, index, len(steps), left))
        began = time.monotonic()
        record = _make(step, arms[step.arm], experiment, request, runs, progress)
        took[step.arm].append(time.monotonic() - began)
        experiment.made.append(Made(step, record.id))
        experiments.write(runs, experiment)
        making.note_doubts(record, noted, progress)
    _keep_prediction(experiment, runs)
    return experiment


def outline(request: Request, runs: RunsFolder, progress: Progress) -> Experiment:
    """The experiment that `bench` would begin or continue: nothing is brought up or written."""
    making.check_id(request, runs)
    arms = {arm.name: readiness.seen(arm, request, progress) for arm in request.arms}
    return _begin_or_resume(request, runs, arms)


def _begin_or_resume(request: Request, runs: RunsFolder, arms: Mapping[str, Ready]) -> Experiment:
    fresh = _definition(request, arms)
    known = experiments.read(runs, request.id) if request.id else None
    if known is None:
        return fresh
    added = {name: arm for name, arm in fresh.arms.items() if name not in known.arms}
    differing = known.differences(fresh.without(added))
    if differing:
        raise ConflictError(
            f"the experiment {known.id} is another one",
            evidence=differing,
            next="give this one another --id, or repeat the command that began it",
        )
    if added:
        return _extended(known, added, request.rounds)
    # More rounds may be asked for; the seed stays, so that finished rounds keep their order.
    known.plan = replace(known.plan, rounds=max(request.rounds, known.plan.rounds))
    return known


def _extended(known: Experiment, added: Mapping[str, dict[str, Any]], rounds: int) -> Experiment:
    """The experiment with more arms, in new rounds of all arms; they do the work of the others.

    Errors: UsageError (2) if that work has fewer tasks than a new arm has task CPUs.
    """
    if known.scaling is Scaling.strong:
        tasks_of_all = next(iter(known.arms.values()))["tasks"]
        small = [
            f"{name}: p = {arm['p']:g}"
            for name, arm in added.items()
            if tasks_of_all is not None and arm["p"] > tasks_of_all
        ]
        if small:
            raise UsageError(
                f"the experiment {known.id} cuts its work into {tasks_of_all} tasks, "
                "too few for the arms that join",
                evidence=small,
                next="begin another experiment with a larger --tasks-per-cpu",
            )
        added = {name: {**arm, "tasks": tasks_of_all} for name, arm in added.items()}
    known.arms = {**known.arms, **added}
    known.plan = known.plan.adding(tuple(added), rounds)
    return known


def _keep_prediction(experiment: Experiment, runs: RunsFolder) -> None:
    """File what the arms let expect of the next size, before it is measured."""
    if len(experiment.arms) < SIZES_FOR_A_LAW:
        return
    outlook = reading.compared(experiment, runs).outlook
    known = [kept.p for kept in experiment.predictions]
    if outlook and outlook.prediction and outlook.prediction.p not in known:
        experiment.predictions.append(outlook.prediction)
        experiments.write(runs, experiment)


def _definition(request: Request, arms: Mapping[str, Ready]) -> Experiment:
    readiness.refuse_unlike_images(arms)
    counts = tasks(
        request.scaling, {name: arm.p for name, arm in arms.items()}, request.tasks_per_cpu
    )
    if request.scaling is not Scaling.given and is_given(TASKS_OPTION, request.arguments):
        raise UsageError(
            f"{TASKS_OPTION} is given twice: behind -- and by --scaling {request.scaling}",
            next=f"leave {TASKS_OPTION} out, or keep yours with --scaling {Scaling.given}",
        )
    asked = {arm.name: arm.asked for arm in request.arms}
    return Experiment(
        id=request.id or new_id(f"bench-{request.job}"),
        job={"name": request.job, "arguments": list(request.arguments)},
        plan=Plan(
            arms=tuple(arms),
            rounds=request.rounds,
            warm_ups=request.warm_ups,
            cold=request.cold,
            seed=secrets.randbelow(2**32) if request.seed is None else request.seed,
        ),
        scaling=request.scaling,
        arms={
            name: {
                "asked": asked[name],
                "on": arm.on,
                "p": arm.p,
                "tasks": counts[name],
                "images": list(arm.images),
            }
            for name, arm in arms.items()
        },
        started=time.time(),
    )


def _make(
    step: Step,
    arm: Ready,
    experiment: Experiment,
    request: Request,
    runs: RunsFolder,
    progress: Progress,
) -> RunRecord:
    wanted = experiment.arms[step.arm]["tasks"]
    extra = () if wanted is None else (TASKS_OPTION, str(wanted))

    def place() -> Where:
        if step.purpose is Purpose.cold:
            return readiness.renewed(step.arm, request, progress)
        return arm.where

    arguments = (*request.arguments, *extra)
    return making.make(step.arm, place, arguments, request, runs, progress)
