"""`raykit bench --break-even`: at which size of a job do tasks begin to win?"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from raykit import files, kit
from raykit.errors import ConflictError, JobFailedError, RaykitError, UsageError
from raykit.flows import local
from raykit.flows.experiments import making, readiness, reading
from raykit.flows.experiments.readiness import Ready
from raykit.flows.experiments.request import Request, is_given
from raykit.flows.steps.arrival import new_id
from raykit.flows.targets import choosing
from raykit.measure.experiment import break_even, break_even_result, experiments
from raykit.measure.experiment.break_even import LOCAL, TASKS, Limit, Point, Search
from raykit.measure.experiment.experiments import Experiment, Made
from raykit.measure.experiment.plan import Plan, Purpose, Scaling, Step
from raykit.measure.records import RunRecord, RunsFolder
from raykit.progress import Progress
from raykit.submission.entrypoints import Entrypoint

SIZE_OPTION, MODE_OPTION = "--size", "--mode"
LONGEST_SOURCE = 16 << 20


def bench(request: Request, search: Search, runs: RunsFolder, progress: Progress) -> Experiment:
    """Search the break-even size on the one arm of the request; the finished experiment.

    request.rounds and request.arguments: of each size. Runs that an experiment of the same id has
    made are not made again.

    Errors: those of `experiments.bench.bench`; where the job fails at the first size, its error.
    """
    making.check_id(request, runs)
    runs.check_writable()
    with _head_that_stays(request, progress) as placed:
        (arm,) = placed.arms
        ready = readiness.ready(arm, placed, progress)
        experiment = _begin_or_resume(request, search, runs, ready)
        experiments.write(runs, experiment)
        progress.note(making.how_to_resume(experiment.id))
        measuring = _Measuring(experiment, search, ready, request, runs, progress)
        break_even.run(search, measuring.measure)
        measuring.keep()
    return experiment


def check_job(entrypoint: Entrypoint) -> None:
    """Errors: UsageError (2) if the source of a job names no `--size` or no `--mode`."""
    missing = [o for o in (SIZE_OPTION, MODE_OPTION) if not _names(entrypoint, o)]
    if missing:
        suited = [
            name
            for name in kit.jobs()
            if kit.takes_option(name, SIZE_OPTION) and kit.takes_option(name, MODE_OPTION)
        ]
        raise UsageError(
            f"the job {entrypoint.name} takes no {' and no '.join(missing)}",
            evidence=[
                "--size N says how much work it does",
                "--mode local does the work in a loop, --mode tasks as Ray tasks",
            ],
            next=f"add them to the job; of raykit's jobs these have both: {', '.join(suited)}",
        )


def _names(entrypoint: Entrypoint, option: str) -> bool:
    if entrypoint.ours:
        return kit.takes_option(entrypoint.name, option)
    folder, script = entrypoint.working_dir, entrypoint.script
    if folder is None or script is None:
        return True
    main = folder / script
    sources = {main, *main.parent.glob("*.py")}
    return any(option.encode() in _text(source) for source in sources)


def _text(source: Path) -> bytes:
    """What a source says; nothing if it is no file to read, such as a lock that an editor leaves
    beside the job (`.#job.py`, a link to nowhere)."""
    try:
        return files.read_small(source, LONGEST_SOURCE)
    except (OSError, ValueError):
        return b""


def outline(request: Request, search: Search, runs: RunsFolder, progress: Progress) -> Experiment:
    """The experiment that `bench` would begin or go on with: nothing is run or written."""
    making.check_id(request, runs)
    (arm,) = request.arms
    return _begin_or_resume(request, search, runs, readiness.seen(arm, request, progress))


def steps_of_size(plan: Plan, size: int, first: bool) -> list[Step]:
    """The runs of one size, in a random order within each round. first: with its warm-ups."""
    mark = hashlib.sha256(f"{plan.seed}/size {size}".encode()).digest()
    own = replace(
        plan, warm_ups=plan.warm_ups if first else 0, seed=int.from_bytes(mark[:4], "big")
    )
    return [replace(step, size=size) for step in own.steps()]


@contextlib.contextmanager
def _head_that_stays(request: Request, progress: Progress) -> Iterator[Request]:
    """The request, on a local head for the whole search where each run would start its own."""
    (arm,) = request.arms
    if arm.spec is not None or not choosing.choose(arm.where).ends_with_job:
        yield request
        return
    name = f"break-even-{secrets.token_hex(2)}"
    head = local.up(name, 1, progress)
    try:
        yield replace(request, arms=(replace(arm, where=replace(arm.where, on=name)),))
    finally:
        local.down(head, progress)


def _begin_or_resume(
    request: Request, search: Search, runs: RunsFolder, ready: Ready
) -> Experiment:
    fresh = _definition(request, search, ready)
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
    return known


def _definition(request: Request, search: Search, ready: Ready) -> Experiment:
    given = [o for o in (SIZE_OPTION, MODE_OPTION) if is_given(o, request.arguments)]
    if given:
        raise UsageError(
            f"{' and '.join(given)} behind -- would be given twice: the search sets them",
            next="leave them out; --sizes SMALLEST..LARGEST limits the search",
        )
    (arm,) = request.arms
    described = {
        "asked": arm.asked,
        "on": ready.on,
        "p": ready.p,
        "tasks": None,
        "images": list(ready.images),
    }
    return Experiment(
        id=request.id or new_id(f"break-even-{request.job}"),
        job={"name": request.job, "arguments": list(request.arguments)},
        plan=Plan(
            arms=(LOCAL, TASKS),
            rounds=search.rounds,
            warm_ups=request.warm_ups,
            seed=secrets.randbelow(2**32) if request.seed is None else request.seed,
        ),
        scaling=Scaling.given,
        arms={LOCAL: dict(described), TASKS: dict(described)},
        started=time.time(),
        break_even={"search": search.as_dict(), "points": [], "limit": None, "answer": None},
    )


@dataclass
class _Measuring:
    """Makes the runs of one size after the other, and keeps what they say in the experiment."""

    experiment: Experiment
    search: Search
    ready: Ready
    request: Request
    runs: RunsFolder
    progress: Progress
    took: list[float] = field(default_factory=list)
    noted: set[str] = field(default_factory=set)

    def measure(self, size: int) -> Point | Limit:
        """All rounds of a size. Errors: what the job raises at the first of all sizes."""
        limit = break_even_result.limit_of(self.experiment)
        if limit is not None and size >= limit.size:
            return limit
        try:
            for step in self._steps(size):
                self._make(step)
        except JobFailedError as error:
            return self._limit(size, error)
        point = break_even_result.measured(self.experiment, size, self.search, self._records(size))
        assert point is not None, "all rounds of the size have just been made"
        self.keep()
        self.progress.note(
            f"size {size:,}: local takes {point.ratio} times as long as tasks: {point.winner}"
        )
        return point

    def keep(self) -> None:
        """Write the experiment with all that its runs say so far."""
        limit = break_even_result.limit_of(self.experiment)
        found_so_far = reading.searched(self.experiment, self.runs)
        self.experiment.break_even = found_so_far.stored(limit)
        experiments.write(self.runs, self.experiment)

    def _steps(self, size: int) -> list[Step]:
        """The runs of a size that are not made yet."""
        others = {made.step.size for made in self.experiment.made} - {size}
        done = [made.step for made in self.experiment.made]
        steps = steps_of_size(self.experiment.plan, size, first=not others)
        return [step for step in steps if step not in done]

    def _make(self, step: Step) -> None:
        assert step.size is not None
        self.progress.note(self._announcement(step))
        words = (SIZE_OPTION, str(step.size), MODE_OPTION, step.arm)
        arguments = (*self.request.arguments, *words)
        began = time.monotonic()
        record = making.make(
            f"{step.arm} at {step.size:,}",
            lambda: self.ready.where,
            arguments,
            self.request,
            self.runs,
            self.progress,
        )
        self.took.append(time.monotonic() - began)
        self.experiment.made.append(Made(step, record.id))
        experiments.write(self.runs, self.experiment)
        making.note_doubts(record, self.noted, self.progress)

    def _announcement(self, step: Step) -> str:
        sizes = len(dict.fromkeys([*self._sizes(), step.size]))
        which = f"[size {sizes} of at most {self.search.most_sizes}] {step.size:,}"
        if step.purpose is Purpose.warm_up:
            return f"{which}, warm-up: {step.arm}"
        left = self._seconds_left(step, sizes)
        return f"{which}, round {step.round} of {self.search.rounds}: {step.arm}{left}"

    def _seconds_left(self, step: Step, sizes: int) -> str:
        """The time left in words, as if every size that may be tried were."""
        if not self.took:
            return ""
        rounds = (self.search.most_sizes - sizes + 1) * self.search.rounds - step.round + 1
        most = 2 * rounds * statistics.median(self.took)
        return f", at most about {making.duration(most)} left"

    def _sizes(self) -> list[int | None]:
        return [made.step.size for made in self.experiment.made]

    def _limit(self, size: int, error: RaykitError) -> Limit:
        """The failing size as a limit, where it is larger than all that worked; else the error."""
        done = [point.size for point in reading.searched(self.experiment, self.runs).points]
        if not done or size < max(done):
            raise error
        why = error.evidence[0] if error.evidence else error.what
        limit = Limit(size, why)
        assert self.experiment.break_even is not None
        self.experiment.break_even["limit"] = {"size": size, "why": why}
        experiments.write(self.runs, self.experiment)
        self.progress.note(f"size {size:,}: the job failed ({why}); larger ones are not tried")
        return limit

    def _records(self, size: int) -> dict[str, RunRecord]:
        runs = [made.run for made in self.experiment.made if made.step.size == size]
        return {run: self.runs.read(run) for run in runs}
