"""Runs side by side: the time of each arm, what more task CPUs gave, and what is in doubt.

T is the median of a run's spans that carry an `arm`, one timing an arm. A job that names no arm is
measured by its makespan (first task start to last task end, Ray's task events), and one without
tasks by the phase `run`. Which of them a row shows is in its `source`.

speedup S = T₁/Tₚ, where T₁ is the same run's arm `local`, on one task CPU; efficiency E = S/p. The
ratio to the baseline compares the same arm of two runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from raykit.errors import RecordError
from raykit.measure import doubts
from raykit.measure.doubts import Doubt
from raykit.measure.records import RunRecord
from raykit.measure.statistics import Ratio, Timing, serial_fraction

LOCAL_ARM = "local"
MAKESPAN, RUN_PHASE, SPANS = "makespan", "run phase", "spans"


@dataclass(frozen=True)
class Arm:
    """One timed way of one run, with what it gave."""

    run: str
    name: str
    source: str
    timing: Timing
    p: float
    speedup: Ratio | None = None
    efficiency: Ratio | None = None
    serial_fraction: float | None = None
    over_baseline: Ratio | None = None


@dataclass(frozen=True)
class Comparison:
    """Runs side by side. runs: ids, the baseline first; phases: seconds by name and run."""

    baseline: str
    job: str
    runs: list[dict[str, Any]]
    arms: list[Arm]
    phases: dict[str, list[float | None]]
    doubts: list[Doubt] = field(default_factory=list)


def compare(records: Sequence[RunRecord]) -> Comparison:
    """Compare finished runs of one job; the first is the baseline.

    Errors: RecordError (7) where runs cannot be compared, with every reason.
    """
    _refuse_unlike(records)
    measured = [_arms(record) for record in records]
    base = {arm.name: arm for arm in measured[0]}
    arms = [
        _against(arm, arms, base.get(arm.name), is_base=index == 0)
        for index, arms in enumerate(measured)
        for arm in arms
    ]
    return Comparison(
        baseline=records[0].id,
        job=str(records[0].job["name"]),
        runs=[_facts(record) for record in records],
        arms=arms,
        phases=_phases(records),
        doubts=doubts.find(records, [(arm.run, arm.name, arm.timing) for arm in arms]),
    )


def task_cpus(record: RunRecord) -> float:
    """p: the CPUs that the cluster offered to tasks; the job's own word comes first."""
    own = _result(record).get("p")
    return float(own if own is not None else record.tasks.get("task_cpus") or 0)


def _refuse_unlike(records: Sequence[RunRecord]) -> None:
    jobs = sorted({str(record.job["name"]) for record in records})
    problems = [f"{r.id}: {r.status}" for r in records if r.status != "SUCCEEDED"]
    if len(jobs) > 1:
        problems.append(f"different jobs: {', '.join(jobs)}")
    if len({record.id for record in records}) < 2:
        problems.append("a comparison needs two different runs")
    if problems:
        raise RecordError(
            "these runs cannot be compared",
            evidence=problems,
            next="raykit runs lists the runs; compare those of one job that SUCCEEDED",
        )


def _arms(record: RunRecord) -> list[Arm]:
    p = task_cpus(record)
    samples: dict[str, list[float]] = defaultdict(list)
    for span in record.spans:
        if span.get("arm"):
            samples[str(span["arm"])].append(float(span["seconds"]))
    found = [Arm(record.id, name, SPANS, Timing.of(own), p) for name, own in samples.items()]
    if found:
        return found
    if record.tasks.get("makespan"):
        timing = Timing.of([record.tasks["makespan"]])
        return [Arm(record.id, "tasks", MAKESPAN, timing, p)]
    run = [phase.seconds for phase in record.phases if phase.name == "run"]
    return [Arm(record.id, "job", RUN_PHASE, Timing.of(run), p)] if run else []


def _against(arm: Arm, same_run: Sequence[Arm], base: Arm | None, *, is_base: bool) -> Arm:
    """The arm with its ratios to the run's own local arm and to the baseline."""
    single = next((other for other in same_run if other.name == LOCAL_ARM), None)
    speedup = Ratio.of(single.timing, arm.timing) if single and arm.name != LOCAL_ARM else None
    return Arm(
        arm.run,
        arm.name,
        arm.source,
        arm.timing,
        arm.p,
        speedup=speedup,
        efficiency=speedup.divided(arm.p) if speedup and arm.p else None,
        serial_fraction=serial_fraction(speedup.value, arm.p) if speedup else None,
        over_baseline=None if is_base or base is None else Ratio.of(base.timing, arm.timing),
    )


def _facts(record: RunRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "on": record.target.get("cluster") or record.target.get("kind"),
        "p": task_cpus(record),
        "ray_nodes": len(record.tasks.get("nodes") or {}),
        "arguments": list(record.job["arguments"]),
        "images": sorted({str(pod["image"]) for pod in record.cluster.get("pods") or []}),
        "machines": record.cluster.get("machines"),
    }


def _phases(records: Sequence[RunRecord]) -> dict[str, list[float | None]]:
    """Seconds of each phase, a column a run; None where a run has no such phase.

    How the cluster came up, once, stands before what this submission took.
    """
    by_run = [
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


def _result(record: RunRecord) -> dict[str, Any]:
    data = record.results[-1].get("data") if record.results else None
    return data if isinstance(data, dict) else {}
