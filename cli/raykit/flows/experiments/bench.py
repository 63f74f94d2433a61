"""`raykit bench`: the same job on several clusters, again and again, to be compared."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from raykit.errors import ConflictError, RaykitError, RecordError, UsageError
from raykit.flows import jobs, submit
from raykit.flows.clusters import down, up
from raykit.flows.session import Run
from raykit.flows.targets import choosing
from raykit.flows.targets.where import Where
from raykit.kube.reference import Reference
from raykit.measure.experiment import experiments
from raykit.measure.experiment.experiments import Experiment, Made
from raykit.measure.experiment.plan import Plan, Purpose, Scaling, Step, seconds_left, tasks
from raykit.measure.records import RunsFolder
from raykit.progress import Progress, Silent
from raykit.spec.model import ClusterSpec
from raykit.submission.entrypoints import Entrypoint

TASKS_OPTION = "--tasks"
TRIES = 2
"""A run that fails is tried once more; a second failure ends the experiment, to be resumed."""


@dataclass(frozen=True)
class Arm:
    """One place to measure. spec: the cluster to bring up there; without one it must be up.

    asked: what the user said, by which a resumed experiment is recognised.
    """

    name: str
    where: Where
    asked: str
    spec: ClusterSpec | None = None


@dataclass(frozen=True)
class Request:
    """What `raykit bench` was asked for.

    entrypoint: of a job with given arguments; rounds: measured runs of each arm; warm_ups, cold:
    unmeasured and cold-start runs of each; tasks_per_cpu: for strong and weak scaling;
    p: the task CPUs of arms where they change (autoscaled), by arm; id: to resume or to name the
    experiment; seed: of the order within rounds; timeout: seconds for one run.
    confirm: asked before a cluster is changed in a context that is not raykit's own.
    """

    entrypoint: Callable[[Sequence[str]], Entrypoint]
    job: str
    arguments: tuple[str, ...]
    arms: tuple[Arm, ...]
    rounds: int = 6
    warm_ups: int = 1
    cold: int = 0
    scaling: Scaling = Scaling.given
    tasks_per_cpu: int = 1
    p: Mapping[str, float] = field(default_factory=dict)
    id: str | None = None
    seed: int | None = None
    timeout: float | None = None
    create_namespace: bool = False
    confirm: Callable[[str], bool] = field(default=lambda _: False)


def bench(request: Request, runs: RunsFolder, progress: Progress) -> Experiment:
    """Run every arm in turn, round by round; the finished experiment.

    What an experiment of the same id has already measured is not run again.

    Errors: UsageError (2); those of bringing up and of submitting (4, 5, 6); ConflictError
    (8) where the id names another experiment; RecordError (7); the error of a job that failed.
    """
    runs.check_writable()
    arms = {arm.name: _ready(arm, request, progress) for arm in request.arms}
    experiment = _begin_or_resume(request, runs, arms)
    experiments.write(runs, experiment)
    steps = experiment.remaining()
    took: dict[str, list[float]] = {arm: [] for arm in experiment.plan.arms}
    for index, step in enumerate(steps):
        left = seconds_left(steps[index:], took)
        progress.note(_announcement(step, index, len(steps), left))
        began = time.monotonic()
        made = _make(step, arms[step.arm], experiment, request, runs, progress)
        took[step.arm].append(time.monotonic() - began)
        experiment.made.append(made)
        experiments.write(runs, experiment)
    return experiment


def outline(request: Request, progress: Progress) -> Experiment:
    """The experiment that `bench` would begin: nothing is brought up, submitted or written."""
    arms = {arm.name: _seen(arm, request, progress) for arm in request.arms}
    return _definition(request, arms)


@dataclass(frozen=True)
class Ready:
    """An arm that can be submitted to. p: its task CPUs; images: digests, where they are known."""

    where: Where
    p: float
    on: str
    images: tuple[str, ...] = ()


def _ready(arm: Arm, request: Request, progress: Progress) -> Ready:
    """Bring the arm up where it has a spec, and ask how many task CPUs it offers."""
    where = arm.where
    if arm.spec is not None:
        where = _bring_up(arm, request, progress)
    return _asked(arm.name, where, request, progress)


def _bring_up(arm: Arm, request: Request, progress: Progress) -> Where:
    assert arm.spec is not None
    cluster = up.up(
        up.Request(
            arm.spec,
            context=arm.where.context,
            create_namespace=request.create_namespace,
            confirm=request.confirm,
        ),
        progress,
    )
    return replace(arm.where, on=cluster.where, context=None, namespace=None)


def _seen(arm: Arm, request: Request, progress: Progress) -> Ready:
    """What is known of an arm without changing anything."""
    if arm.spec is not None:
        p = request.p.get(arm.name, arm.spec.task_cpus)
        return Ready(arm.where, float(p), arm.spec.name)
    return _asked(arm.name, arm.where, request, progress)


def _asked(name: str, where: Where, request: Request, progress: Progress) -> Ready:
    """Ask the head for its task CPUs, and the cluster for its images."""
    target = choosing.choose(where)
    if target.ends_with_job:
        p = request.p.get(name, float(os.cpu_count() or 1))
        return Ready(where, float(p), "local")
    with jobs.connect(where, progress) as head:
        offered = sum(_cpus(node) for node in head.api.nodes() if node["state"] == "ALIVE")
        pods = head.target.observe().get("pods") or []
    digests = {str(pod["image_digest"]) for pod in pods if pod.get("image_digest")}
    p = request.p.get(name, offered)
    return Ready(where, float(p), str(where.word or name), tuple(sorted(digests)))


def _cpus(node: Mapping[str, Any]) -> float:
    return float((node.get("resources_total") or {}).get("CPU", 0.0))


def _begin_or_resume(request: Request, runs: RunsFolder, arms: Mapping[str, Ready]) -> Experiment:
    fresh = _definition(request, arms)
    known = experiments.read(runs, request.id) if request.id else None
    if known is None:
        return fresh
    differing = known.differences(fresh)
    if differing:
        raise ConflictError(
            f"the experiment {known.id} is another one",
            evidence=differing,
            next="give this one another --id, or repeat the command that began it",
        )
    # More rounds may be asked for; the seed stays, so that finished rounds keep their order.
    known.plan = replace(known.plan, rounds=max(request.rounds, known.plan.rounds))
    return known


def _definition(request: Request, arms: Mapping[str, Ready]) -> Experiment:
    _refuse_unlike_images(arms)
    counts = tasks(
        request.scaling, {name: arm.p for name, arm in arms.items()}, request.tasks_per_cpu
    )
    if request.scaling is not Scaling.given and TASKS_OPTION in request.arguments:
        raise UsageError(
            f"{TASKS_OPTION} is given twice: behind -- and by --scaling {request.scaling}",
            next="leave one of them out",
        )
    asked = {arm.name: arm.asked for arm in request.arms}
    return Experiment(
        id=request.id or submit.new_id(f"bench-{request.job}"),
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


def _refuse_unlike_images(arms: Mapping[str, Ready]) -> None:
    digests = {arm.images for arm in arms.values() if arm.images}
    if len(digests) > 1:
        raise RecordError(
            "the arms run different images, so their times cannot be compared",
            evidence=[f"{name}: {', '.join(arm.images)}" for name, arm in arms.items()],
            next="bring all of them up with one image: raykit up -f SPEC",
        )


def _make(
    step: Step,
    arm: Ready,
    experiment: Experiment,
    request: Request,
    runs: RunsFolder,
    progress: Progress,
) -> Made:
    """Make one run; one that does not succeed is tried again before its error counts."""
    wanted = experiment.arms[step.arm]["tasks"]
    extra = () if wanted is None else (TASKS_OPTION, str(wanted))
    last: RaykitError | None = None
    for _ in range(TRIES):
        where = arm.where
        if step.purpose is Purpose.cold:
            where = _cold(step.arm, request, progress)
        run = _submit(request.entrypoint((*request.arguments, *extra)), where, request, runs)
        if run.error is None:
            return Made(step, run.record.id)
        last = run.error
        progress.note(f"{step.arm}: {last.what}")
        if last.exit_code not in (20, 6, 5):
            break
    assert last is not None
    raise last


def _cold(name: str, request: Request, progress: Progress) -> Where:
    """A cluster that was just made: the one of the arm's spec is ended and brought up again."""
    arm = next(each for each in request.arms if each.name == name)
    if arm.spec is None:
        return arm.where
    spec = arm.spec
    reference = Reference(spec.name, spec.namespace, arm.where.context)
    down.of_reference(reference, request.confirm, progress)
    return _bring_up(arm, request, progress)


def _submit(entrypoint: Entrypoint, where: Where, request: Request, runs: RunsFolder) -> Run:
    """One run, unseen: its output is in its record."""
    return submit.submit(
        submit.Request(entrypoint, where, timeout=request.timeout), runs, Progress(Silent())
    )


def _announcement(step: Step, index: int, count: int, left: float | None) -> str:
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
