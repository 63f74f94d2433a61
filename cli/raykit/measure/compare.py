"""Compares runs: first whether they did the same work, then the time of each arm.

T is the median of a run's spans with an `arm`, one timing for each arm. A job without arms is
measured by its makespan (first task start to last task end, from Ray's task events), a job without
tasks by the phase `run`. `source` says which of them it is.

speedup S = T₁/Tₚ, where T₁ is the same run's arm `local` on one task CPU; efficiency E = S/p. The
ratio to the baseline compares the same arm of two runs, and only if their work is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from raykit.errors import RecordError
from raykit.measure import doubts, facts
from raykit.measure.doubts import Doubt
from raykit.measure.records import RunRecord
from raykit.measure.statistics import Ratio, Timing, independent_ratio, ratio, serial_fraction
from raykit.measure.strip.tasks import LOCAL_ARM

MAKESPAN, RUN_PHASE, SPANS = "makespan", "run phase", "spans"
SAME_MACHINE_SAYS = "One machine carried the Ray nodes, so this says nothing about more machines."
FASTER, SLOWER = "faster", "slower"
WITHIN_NOISE, TOO_SELDOM = "undecided, within noise", "undecided, measured too seldom"
UNLIKE_WORK, NOTHING_SHARED = "did unlike work", "have no time in common"


@dataclass(frozen=True)
class Arm:
    """One arm of one run, with its timing and ratios. samples: its seconds, in order."""

    run: str
    name: str
    source: str
    timing: Timing
    p: float
    speedup: Ratio | None = None
    efficiency: Ratio | None = None
    serial_fraction: float | None = None
    over_baseline: Ratio | None = None
    samples: tuple[float, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """Whether one run was faster than the baseline.

    outcome: one of the words FASTER to NOTHING_SHARED. arm: the compared one; None without any.
    took: the run's time over the baseline's. one_machine: the Ray nodes shared a machine.
    """

    run: str
    baseline: str
    outcome: str
    arm: str | None = None
    took: Ratio | None = None
    one_machine: bool = False

    def words(self, run: str, baseline: str) -> str:
        """The verdict as a sentence. run, baseline: names for the runs."""
        if self.took is None:
            return f"{run} and {baseline} {self.outcome}: no ratio."
        of_what = f"{run} took {self.took} of {baseline}'s time ({self.arm})"
        return f"{of_what}: {self.outcome}.{f' {SAME_MACHINE_SAYS}' if self.one_machine else ''}"


@dataclass(frozen=True)
class Comparison:
    """Compared runs. runs: the baseline first. phases: seconds by name, one value for each run."""

    baseline: str
    job: str
    runs: list[dict[str, Any]]
    verdicts: list[Verdict]
    arms: list[Arm]
    phases: dict[str, list[float | None]]
    doubts: list[Doubt] = field(default_factory=list)


@dataclass(frozen=True)
class _Measured:
    """One run's arms with the samples that they come from."""

    record: RunRecord
    arms: list[Arm]
    samples: dict[str, list[float]]


def compare(records: Sequence[RunRecord], *, unlike: bool = False) -> Comparison:
    """Compare finished runs of one job; the first is the baseline.

    unlike: also accept runs with different work, images or Ray versions; different work still gives
    no ratio.

    Errors: RecordError (7) with every reason why the runs cannot be compared.
    """
    differences = _differences(records) if unlike else refuse_unlike(records)
    measured = [_measure(record) for record in records]
    other_work = {run for run, lines in differences if lines}
    arms = [
        _over_baseline(arm, run, measured[0])
        if run is not measured[0] and run.record.id not in other_work
        else arm
        for run in measured
        for arm in run.arms
    ]
    reasons = doubts.find(records, [(arm.run, arm.name, arm.timing) for arm in arms])
    return Comparison(
        baseline=records[0].id,
        job=str(records[0].job["name"]),
        runs=[_summary(record) for record in records],
        verdicts=[
            _verdict(record.id, records[0].id, arms, record.id in other_work, reasons)
            for record in records[1:]
        ],
        arms=arms,
        phases=_phases(records),
        doubts=[*_of_work(records, differences), *reasons],
    )


def refuse_unlike(records: Sequence[RunRecord]) -> list[tuple[str, list[str]]]:
    """Check that the runs can be compared; return their differences in work, which are empty then.

    Errors: RecordError (7) if runs did not succeed, or differ in job, work, image or Ray version.
    """
    differences = _differences(records)
    _refuse_unlike(records, differences)
    return differences


def _differences(records: Sequence[RunRecord]) -> list[tuple[str, list[str]]]:
    """Each run's differences in work from the first. Errors: RecordError (7)."""
    _refuse_what_gave_nothing(records)
    return [(record.id, unlike_work(records[0], record)) for record in records[1:]]


def unlike_work(base: RunRecord, other: RunRecord) -> list[str]:
    """The differences in work between two runs, one line each.

    If both jobs say what they did, only that counts: different options may mean equal work.
    """
    mine, theirs = facts.work(base), facts.work(other)
    if mine is None or theirs is None:
        same = base.job["arguments"] == other.job["arguments"]
        options = [" ".join(map(str, run.job["arguments"])) or "none" for run in (base, other)]
        return [] if same else [f"options: {options[0]} against {options[1]}"]
    return [
        f"{key}: {_short(mine.get(key))} against {_short(theirs.get(key))}"
        for key in dict.fromkeys((*mine, *theirs))
        if mine.get(key) != theirs.get(key)
    ]


def _short(value: object) -> str:
    text = "not given" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _refuse_what_gave_nothing(records: Sequence[RunRecord]) -> None:
    jobs = sorted({str(record.job["name"]) for record in records})
    problems = [f"{record.id}: {record.status}" for record in records if not _ended_well(record)]
    if len(jobs) > 1:
        problems.append(f"different jobs: {', '.join(jobs)}")
    if len({record.id for record in records}) < max(len(records), 2):
        problems.append("a comparison needs two or more different runs")
    if problems:
        raise RecordError(
            "these runs cannot be compared",
            evidence=problems,
            next="raykit runs lists the runs; compare those of one job that SUCCEEDED",
        )


def _ended_well(record: RunRecord) -> bool:
    return record.status == "SUCCEEDED"


def _refuse_unlike(
    records: Sequence[RunRecord], differences: Sequence[tuple[str, list[str]]]
) -> None:
    """Errors: RecordError (7) if the runs differ in work, image or Ray version."""
    problems = [f"{run}: {line}" for run, lines in differences for line in lines]
    advice = "raykit compare --unlike: the times, without a ratio if the work differs"
    other_tasks = any(line.startswith("tasks:") for _, lines in differences for line in lines)
    if other_tasks and all(facts.takes(record, "tasks") for record in records):
        most = max(facts.tasks_of_work(record) or 1 for record in records)
        job = records[0].job["name"]
        same_work = f"raykit submit {job} -- --tasks {most}"
        advice = f"{same_work} for equal work, or raykit compare --unlike"
    for what, of in (("images", facts.images), ("Ray", _ray)):
        known = list(dict.fromkeys(value for record in records if (value := of(record))))
        if len(known) > 1:
            problems.append(f"{what}: {' against '.join(', '.join(value) for value in known)}")
    if problems:
        raise RecordError(
            "these runs are unlike, so their times say nothing about each other",
            evidence=problems,
            next=advice,
        )


def _ray(record: RunRecord) -> tuple[str, ...]:
    version = record.versions.get("ray")
    return (version,) if version else ()


def _of_work(
    records: Sequence[RunRecord], differences: Sequence[tuple[str, list[str]]]
) -> list[Doubt]:
    reasons = [
        Doubt("UNLIKE_WORK", f"{run}: {'; '.join(lines)}", "no ratio is given between unlike work")
        for run, lines in differences
        if lines
    ]
    silent = [record.id for record in records if facts.work(record) is None]
    counts = {str(record.tasks.get("names")) for record in records}
    if silent and not reasons and len(counts) > 1:
        reasons.append(
            Doubt(
                "UNKNOWN_WORK",
                "the runs made different numbers of tasks, and the job does not say what it did",
                "let its result line carry `work` (jobs/timing.py)",
            )
        )
    return reasons


def times(record: RunRecord) -> tuple[dict[str, list[float]], str]:
    """The seconds of each arm of a run, in order, and their source, such as SPANS."""
    samples = facts.samples(record)
    if samples:
        return samples, SPANS
    if record.tasks.get("makespan") and not record.tasks.get("dropped"):
        return {"tasks": [float(record.tasks["makespan"])]}, MAKESPAN
    run = [phase.seconds for phase in record.phases if phase.name == "run"]
    return ({"job": run} if run else {}), RUN_PHASE


def arms_of(record: RunRecord) -> list[Arm]:
    """The timed ways of one run, each with its speedup over the run's own local arm."""
    return _measure(record).arms


def _measure(record: RunRecord) -> _Measured:
    p = facts.task_cpus(record)
    samples, source = times(record)
    arms = [
        _with_speedup(
            Arm(record.id, name, source, Timing.of(own), p, samples=tuple(own)),
            samples.get(LOCAL_ARM),
            own,
            facts.usable_cpus(record),
        )
        for name, own in samples.items()
    ]
    return _Measured(record, arms, samples)


def _with_speedup(
    arm: Arm, local: Sequence[float] | None, own: Sequence[float], usable: float
) -> Arm:
    """The arm with its ratio to the run's own local arm."""
    speedup = ratio(local, own) if local and arm.name != LOCAL_ARM else None
    if speedup is None:
        return arm
    return replace(
        arm,
        speedup=speedup,
        efficiency=speedup.divided(arm.p) if arm.p else None,
        serial_fraction=serial_fraction(speedup.value, usable),
    )


def _over_baseline(arm: Arm, own: _Measured, base: _Measured) -> Arm:
    """The arm with its ratio to the baseline's arm of the same name and source."""
    twin = next((b for b in base.arms if (b.name, b.source) == (arm.name, arm.source)), None)
    if twin is None:
        return arm
    over = independent_ratio(base.samples[arm.name], own.samples[arm.name])
    return replace(arm, over_baseline=over)


def _verdict(
    run: str, base: str, arms: Sequence[Arm], other_work: bool, reasons: Sequence[Doubt]
) -> Verdict:
    """The verdict on a run, from its first arm that is not the local one."""
    if other_work:
        return Verdict(run, base, UNLIKE_WORK)
    compared = [arm for arm in arms if arm.run == run and arm.over_baseline]
    parallel = [arm for arm in compared if arm.name != LOCAL_ARM]
    for arm in parallel or compared:
        over = arm.over_baseline
        if over is not None:
            one_machine = any(doubt.name == "SAME_MACHINE" for doubt in reasons)
            return Verdict(run, base, outcome(over), arm.name, over.inverted(), one_machine)
    return Verdict(run, base, NOTHING_SHARED)


def outcome(over: Ratio) -> str:
    """The verdict of a ratio of the baseline's time to a run's: FASTER, SLOWER or undecided."""
    if over.low is None:
        return TOO_SELDOM
    if not over.decided:
        return WITHIN_NOISE
    return FASTER if over.value > 1 else SLOWER


def _summary(record: RunRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "on": record.target.get("cluster") or record.target.get("kind"),
        "p": facts.task_cpus(record),
        "ray_nodes": len(record.tasks.get("nodes") or {}),
        "arguments": list(record.job["arguments"]),
        "work": facts.work(record),
        "images": list(facts.images(record)),
        "machines": record.cluster.get("machines"),
    }


def _phases(records: Sequence[RunRecord]) -> dict[str, list[float | None]]:
    """The seconds of each phase, one value for each run; None if a run has no such phase.

    The phases in which the cluster came up are before those of the submission.
    """
    by_run: list[Mapping[str, float]] = [
        {
            **{f"cluster {p['name']}": p["seconds"] for p in record.cluster.get("bring_up") or []},
            **{phase.name: phase.seconds for phase in record.phases},
        }
        for record in records
    ]
    names = sorted(
        dict.fromkeys(name for phases in by_run for name in phases),
        key=lambda name: not name.startswith("cluster "),
    )
    return {name: [phases.get(name) for phases in by_run] for name in names}
