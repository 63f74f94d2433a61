"""The arms of an experiment side by side, paired by round.

T of a run is the median of its parallel arm (`facts.samples`), else its makespan, else its phase
`run`. T of an arm of the experiment is the median of its runs. `took` is T over the baseline's T,
from the rounds that both finished. With strong scaling, where the baseline has one task CPU,
speedup S = T₁/Tₚ, efficiency S/p and Karp and Flatt's serial fraction follow; with weak scaling
the efficiency is T₁/Tₚ itself. Against a baseline of more CPUs both are relative to it.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from raykit.errors import RecordError, UsageError
from raykit.measure import cost, facts
from raykit.measure.compare import refuse_unlike, times
from raykit.measure.experiment import outlook as outlook_of_arms
from raykit.measure.experiment import verdict
from raykit.measure.experiment.arm_results import ArmResult, ArmsCompared
from raykit.measure.experiment.experiments import Experiment
from raykit.measure.experiment.outlook import Outlook
from raykit.measure.experiment.plan import Purpose, Scaling
from raykit.measure.records import RunRecord
from raykit.measure.statistics import Timing, paired_ratio, serial_fraction
from raykit.measure.strip.tasks import LOCAL_ARM

PHASES = ("submit", "driver-start", "first-task", "run")


def compare_arms(
    experiment: Experiment,
    records: Mapping[str, RunRecord],
    baseline: str | None = None,
    price: float | None = None,
) -> ArmsCompared:
    """Compare the arms of an experiment.

    records: by run id; baseline: by default the first arm; price: of a CPU hour, for the costs.

    Errors: UsageError (2) for an arm that is not there, RecordError (7) if runs are missing or
    did unlike work.
    """
    base_name = _baseline(experiment, baseline)
    by_arm = {name: _records(experiment, name, records) for name in experiment.plan.arms}
    flat = [record for runs in by_arm.values() for record in runs.values()]
    _refuse_unlike(experiment, flat)
    base = by_arm[base_name]
    p_base = float(experiment.arms[base_name]["p"])
    arms = [
        _against(
            _measured(experiment, name, runs, records, price),
            runs,
            base if name != base_name else None,
            experiment.scaling,
            p_base,
        )
        for name, runs in by_arm.items()
    ]
    found = verdict.find_doubts(flat, arms)
    outlook = _outlook(experiment, by_arm, p_base)
    checked = outlook_of_arms.checks(
        experiment.predictions, {arm.p: arm.speedup for arm in arms if arm.speedup}
    )
    return ArmsCompared(
        experiment=experiment.id,
        job=" ".join([experiment.job["name"], *experiment.job["arguments"]]),
        scaling=str(experiment.scaling),
        baseline=base_name,
        arms=arms,
        sentences=[
            *verdict.sentences(arms, base_name, found),
            *verdict.trend(arms, p_base, experiment.scaling),
            *checked,
            *(outlook.sentences if outlook else []),
        ],
        phases=_phases(by_arm),
        doubts=[*found, *(outlook.doubts if outlook else [])],
        outlook=outlook,
        price=price,
    )


def _outlook(
    experiment: Experiment, by_arm: Mapping[str, Mapping[int, RunRecord]], p_base: float
) -> Outlook | None:
    """How far the job scales; None with weak scaling, with few sizes, or where two arms share p."""
    sizes = {float(experiment.arms[name]["p"]): runs for name, runs in by_arm.items()}
    if experiment.scaling is Scaling.weak or len(sizes) < len(by_arm) or min(sizes) < 1:
        return None
    rounds = {
        p: {number: time_of(record) for number, record in runs.items()} for p, runs in sizes.items()
    }
    cuts = {facts.tasks_of_work(record) for runs in by_arm.values() for record in runs.values()}
    tasks = cuts.pop() if len(cuts) == 1 else None
    return outlook_of_arms.look(rounds, p_base, tasks, experiment.plan.seed)


def _baseline(experiment: Experiment, wanted: str | None) -> str:
    names = experiment.plan.arms
    if wanted is None:
        return names[0]
    if wanted not in names:
        raise UsageError(f"there is no arm {wanted}", evidence=[f"arms: {', '.join(names)}"])
    return wanted


def _records(
    experiment: Experiment, name: str, records: Mapping[str, RunRecord]
) -> dict[int, RunRecord]:
    """The measured runs of an arm by round."""
    runs = experiment.runs(name)
    missing = [run for _, run in runs if run not in records]
    if missing or not runs:
        raise RecordError(
            f"the experiment {experiment.id} has no runs of {name} to compare"
            if not runs
            else f"records of the experiment {experiment.id} are missing",
            evidence=missing,
            next=f"raykit bench … --id {experiment.id} makes the runs that are missing",
        )
    return {number: records[run] for number, run in runs}


def _refuse_unlike(experiment: Experiment, records: Sequence[RunRecord]) -> None:
    """Errors: RecordError (7); with weak scaling unlike work is what was asked for."""
    if experiment.scaling is not Scaling.weak:
        refuse_unlike(records)


def _measured(
    experiment: Experiment,
    name: str,
    runs: Mapping[int, RunRecord],
    records: Mapping[str, RunRecord],
    price: float | None,
) -> ArmResult:
    seconds = [time_of(record) for record in runs.values()]
    walls = [
        record.ended - record.started - time
        for record, time in zip(runs.values(), seconds, strict=True)
        if record.ended is not None
    ]
    cold = [records[run] for _, run in experiment.runs(name, Purpose.cold) if run in records]
    return ArmResult(
        name=name,
        p=float(experiment.arms[name]["p"]),
        rounds=len(seconds),
        seconds=Timing.of(seconds),
        source=times(next(iter(runs.values())))[1],
        overhead=statistics.median(walls) if walls else None,
        cold=Timing.of([time_of(record) for record in cold]) if cold else None,
        retried=sum(int(record.tasks.get("retried") or 0) for record in runs.values()),
        samples=tuple(seconds),
        cost=None if price is None else _cost(list(runs.values()), price),
    )


def time_of(record: RunRecord) -> float:
    """T of one run, seconds. Errors: RecordError (7) for a run that was not timed."""
    samples, _ = times(record)
    parallel = [name for name in samples if name != LOCAL_ARM] or list(samples)
    if not parallel:
        raise RecordError(
            f"the run {record.id} has no time to compare",
            next=f"raykit runs show {record.id}",
        )
    return statistics.median(samples[parallel[0]])


def _against(
    arm: ArmResult,
    runs: Mapping[int, RunRecord],
    base: Mapping[int, RunRecord] | None,
    scaling: Scaling,
    p_base: float,
) -> ArmResult:
    """The arm with its ratios to the baseline, from the rounds that both finished."""
    if base is None:
        return arm
    shared = sorted(set(runs) & set(base))
    if not shared:
        return arm
    took = paired_ratio(
        [time_of(runs[number]) for number in shared], [time_of(base[number]) for number in shared]
    )
    if took is None:
        return arm
    speedup = took.inverted()
    more = arm.p / p_base if p_base else 0.0
    per = 1.0 if scaling is Scaling.weak else more
    strong_from_one = scaling is not Scaling.weak and p_base == 1
    return replace(
        arm,
        took=took,
        speedup=speedup,
        efficiency=speedup.divided(per) if per > 0 else None,
        serial_fraction=serial_fraction(speedup.value, arm.p) if strong_from_one else None,
        task_overhead=_task_overhead(runs, base, arm.p, shared) if strong_from_one else None,
    )


def _task_overhead(
    runs: Mapping[int, RunRecord],
    base: Mapping[int, RunRecord],
    p: float,
    rounds: Sequence[int],
) -> float | None:
    """(p Tp - T1) / tasks, the median of the rounds; None if the tasks are not known."""
    tasks = facts.tasks_of_work(runs[rounds[0]])
    if not tasks:
        return None
    spent = [p * time_of(runs[number]) - time_of(base[number]) for number in rounds]
    return statistics.median(spent) / tasks


def _cost(records: Sequence[RunRecord], price: float) -> float | None:
    costs = [own for record in records if (own := cost.of_run(record, price)) is not None]
    return statistics.median(costs) if costs else None


def _phases(by_arm: Mapping[str, Mapping[int, RunRecord]]) -> dict[str, list[float | None]]:
    """Median seconds of each phase, a column an arm."""

    def median(runs: Mapping[int, RunRecord], name: str) -> float | None:
        own = [
            phase.seconds
            for record in runs.values()
            for phase in record.phases
            if phase.name == name
        ]
        return statistics.median(own) if own else None

    rows = {name: [median(runs, name) for runs in by_arm.values()] for name in PHASES}
    return {name: row for name, row in rows.items() if any(value is not None for value in row)}


def values(compared: ArmsCompared) -> list[dict[str, Any]]:
    """The table as rows of plain values, for CSV and for conditions."""
    law = compared.outlook
    return [
        {
            "arm": arm.name,
            "p": arm.p,
            "rounds": arm.rounds,
            "seconds": arm.seconds.seconds,
            "seconds_low": arm.seconds.low,
            "seconds_high": arm.seconds.high,
            "ratio": arm.took.value if arm.took else None,
            "ratio_low": arm.took.low if arm.took else None,
            "ratio_high": arm.took.high if arm.took else None,
            "speedup": arm.speedup.value if arm.speedup else None,
            "efficiency": arm.efficiency.value if arm.efficiency else None,
            "serial_fraction": arm.serial_fraction,
            "overhead": arm.overhead,
            "task_overhead": arm.task_overhead,
            "retried": arm.retried,
            **({} if compared.price is None else {"cost": arm.cost}),
            **({"law_seconds": law.seconds(arm.p)} if law else {}),
        }
        for arm in compared.arms
    ]
