"""A search for the break-even size as its runs say it: the answer, the sizes, the doubts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from raykit.errors import RecordError
from raykit.measure import doubts, facts
from raykit.measure.doubts import TOO_SHORT_SECONDS, Doubt
from raykit.measure.experiment import break_even
from raykit.measure.experiment.arms import time_of
from raykit.measure.experiment.break_even import LOCAL, TASKS, Answer, Limit, Point, Search
from raykit.measure.experiment.experiments import Experiment
from raykit.measure.records import RunRecord

DRIVER_PHASES = ("first-task", "run")
"""What a job that times nothing itself took: from its driver's first line to its end."""


@dataclass(frozen=True)
class BreakEven:
    """A search as it stands. p: task CPUs; answer: None before the first size is measured.

    level: of each point's interval; finished: whether no other size is to be measured.
    """

    experiment: str
    job: str
    on: str
    p: float
    search: Search
    points: list[Point]
    answer: Answer | None
    finished: bool
    level: float
    sentences: list[str]
    doubts: list[Doubt]

    def as_dict(self) -> dict[str, Any]:
        """The search as JSON data."""
        return {**asdict(self), "points": [point.as_dict() for point in self.points]}

    def stored(self, limit: Limit | None) -> dict[str, Any]:
        """What the experiment keeps of it."""
        return {
            "search": self.search.as_dict(),
            "level": self.level,
            "points": [point.as_dict() for point in self.points],
            "limit": None if limit is None else vars(limit),
            "answer": vars(self.answer) if self.answer and self.finished else None,
        }


def of_experiment(experiment: Experiment, records: Mapping[str, RunRecord]) -> BreakEven:
    """The search of an experiment. records: of its runs, by id.

    Errors: RecordError (7) if a run is missing or was not timed.
    """
    search, limit = search_of(experiment), limit_of(experiment)
    sizes = list(dict.fromkeys(m.step.size for m in experiment.made if m.step.size is not None))
    points = [
        point
        for size in sizes
        if (point := measured(experiment, size, search, records)) is not None
    ]
    finished = bool(points) and break_even.next_size(search, points, limit) is None
    answer = break_even.answer(search, points, limit) if points else None
    arm = experiment.arms[TASKS]
    used = [records[made.run] for made in experiment.made if made.run in records]
    return BreakEven(
        experiment=experiment.id,
        job=" ".join([experiment.job["name"], *experiment.job["arguments"]]),
        on=str(arm.get("on", "")),
        p=float(arm["p"]),
        search=search,
        points=sorted(points, key=lambda point: point.size),
        answer=answer,
        finished=finished,
        level=search.level,
        sentences=_sentences(answer, finished, used),
        doubts=_doubts(used, points, answer),
    )


def search_of(experiment: Experiment) -> Search:
    """What the search may try. Errors: RecordError (7) if the experiment is no search."""
    try:
        return Search(**(experiment.break_even or {})["search"])
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(
            f"the experiment {experiment.id} holds no search for a break-even size",
            evidence=[str(error)],
            next="raykit bench JOB --break-even begins one",
        ) from error


def limit_of(experiment: Experiment) -> Limit | None:
    """The size at which the job failed; None if none did."""
    limit = (experiment.break_even or {}).get("limit")
    return Limit(int(limit["size"]), str(limit["why"])) if limit else None


def measured(
    experiment: Experiment, size: int, search: Search, records: Mapping[str, RunRecord]
) -> Point | None:
    """One size, from the rounds that both modes finished; None before all rounds are there.

    Errors: RecordError (7) if a run is missing or was not timed.
    """
    runs = {mode: dict(experiment.runs(mode, size=size)) for mode in (LOCAL, TASKS)}
    rounds = sorted(set(runs[LOCAL]) & set(runs[TASKS]))
    if len(rounds) < search.rounds:
        return None
    missing = [run for own in runs.values() for run in own.values() if run not in records]
    if missing:
        raise RecordError(
            f"records of the experiment {experiment.id} are missing",
            evidence=missing,
            next="raykit bench … --break-even with another --id measures again",
        )
    local, tasks = ([records[runs[mode][r]] for r in rounds] for mode in (LOCAL, TASKS))
    return break_even.point(search, size, *_seconds(local, tasks))


def _seconds(
    local: Sequence[RunRecord], tasks: Sequence[RunRecord]
) -> tuple[list[float], list[float]]:
    """T of the runs of both modes, by one kind of clock: the job's own, or from outside."""
    timed = all(facts.samples(record) for record in (*local, *tasks))
    clock = time_of if timed else _driver_seconds
    return [clock(record) for record in local], [clock(record) for record in tasks]


def _driver_seconds(record: RunRecord) -> float:
    seconds = [phase.seconds for phase in record.phases if phase.name in DRIVER_PHASES]
    if not seconds:
        raise RecordError(
            f"the run {record.id} has no time to compare",
            next=f"raykit runs show {record.id}; a job can time itself (jobs/timing.py)",
        )
    return sum(seconds)


def _sentences(answer: Answer | None, finished: bool, records: Sequence[RunRecord]) -> list[str]:
    if answer is None:
        return ["No size has all of its rounds yet."]
    so_far = "" if finished else "So far: "
    tasks = {count for record in records if (count := facts.tasks_of_work(record))}
    cut = f" The work was {tasks.pop()} tasks at every size." if len(tasks) == 1 else ""
    return [f"{so_far}{answer.sentence}", f"Why no closer: {answer.why}.{cut}"]


def _doubts(
    records: Sequence[RunRecord], points: Sequence[Point], answer: Answer | None
) -> list[Doubt]:
    reasons = doubts.of_experiment(records)
    if answer is not None and answer.mixed:
        reasons.insert(
            0,
            Doubt(
                "NO_SINGLE_BREAK_EVEN",
                answer.sentence.rstrip("."),
                "look at the table; repeat it on a machine at rest, with another --id",
            ),
        )
    short = [p for p in points if min(p.local_seconds, p.tasks_seconds) < TOO_SHORT_SECONDS]
    if short:
        sizes = ", ".join(f"{point.size:,}" for point in sorted(short, key=lambda p: p.size))
        reasons.append(
            Doubt(
                "TOO_SHORT",
                f"under {TOO_SHORT_SECONDS:g} s at {sizes}",
                "the answer is about Ray's overhead there, which differs between machines",
            )
        )
    return reasons


def values(result: BreakEven) -> list[dict[str, Any]]:
    """The sizes as rows of plain values, for CSV."""
    return [
        {
            "size": point.size,
            "rounds": point.rounds,
            "local_seconds": point.local_seconds,
            "tasks_seconds": point.tasks_seconds,
            "ratio": point.ratio.value,
            "ratio_low": point.ratio.low,
            "ratio_high": point.ratio.high,
            "winner": str(point.winner),
        }
        for point in result.points
    ]
