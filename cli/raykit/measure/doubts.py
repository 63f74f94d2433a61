"""Finds reasons to doubt a measurement; each doubt has a name, its evidence, and advice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from raykit.measure import facts
from raykit.measure.records import RunRecord
from raykit.measure.statistics import Timing, ratio
from raykit.measure.strip.tasks import LOCAL_ARM

TOO_SHORT_SECONDS = 0.1
ROUNDS_FOR_A_SPEEDUP, ROUNDS_FOR_A_RATIO = 6, 4
"""The fewest samples for a 95 % interval: rounds of one run, and samples in each of two runs."""
SLOW_FIRST_FACTOR = 1.5
THROTTLED_SECONDS = 0.05
BUSY_LOAD = 0.5
"""The load, as a share of a machine's CPUs, that is no reason to doubt when a job begins."""
BUSY_PRESSURE = 0.5
"""The share of a job's time in which programs may wait for a CPU without a reason to doubt."""
BUSY_STEAL = 0.05
"""The share of a machine's CPU time that its host may give to others without a reason to doubt."""
LEAST_OBSERVED_SECONDS = 0.5
SUPERLINEAR = 1.005
"""The lowest efficiency that prints as more than 1.00."""


@dataclass(frozen=True)
class Doubt:
    """A doubt. name: such as SINGLE_SAMPLE; why: the evidence; advice: what to do about it."""

    name: str
    why: str
    advice: str


def of_run(record: RunRecord) -> list[Doubt]:
    """All doubts about one run's numbers."""
    rules = (_truncated, _busy, _superlinear, _throttled, _disturbed, _first_slow)
    return [doubt for rule in rules if (doubt := rule(record)) is not None]


def find(records: Sequence[RunRecord], timings: Iterable[tuple[str, str, Timing]]) -> list[Doubt]:
    """All doubts about compared runs. timings: run, arm and timing of each arm."""
    between = [_same_machine(records), *(_unlike(records, *rule) for rule in LIKENESS)]
    return [
        *(doubt for doubt in between if doubt is not None),
        *_of_samples(records, list(timings)),
        *(doubt for record in records for doubt in of_run(record)),
    ]


def of_experiment(records: Sequence[RunRecord]) -> list[Doubt]:
    """The doubts of an experiment's runs, each kind once, with how many runs it touches.

    Options that differ are no doubt: an experiment gives them.
    """
    found = [doubt for doubt in find(records, []) if doubt.name != "UNLIKE_ARGUMENTS"]
    counts = Counter(doubt.name for doubt in found)
    first: dict[str, Doubt] = {}
    for doubt in found:
        first.setdefault(doubt.name, doubt)
    return [
        doubt
        if counts[name] == 1
        else Doubt(name, f"{counts[name]} runs, such as {doubt.why}", doubt.advice)
        for name, doubt in first.items()
    ]


def _same_machine(records: Sequence[RunRecord]) -> Doubt | None:
    shared = [record for record in records if _shares_one_machine(record)]
    if not shared:
        return None
    many = max(len(record.tasks["nodes"]) for record in shared)
    return Doubt(
        "SAME_MACHINE",
        f"up to {many} Ray nodes share one machine and its CPUs",
        "this shows what distribution costs, not what more machines give",
    )


def _shares_one_machine(record: RunRecord) -> bool:
    """Whether several Ray nodes are known to run on one machine.

    The record has the pods from before the job: one that an autoscaler adds later may be anywhere.
    """
    ray_nodes, pods = len(record.tasks.get("nodes") or {}), record.cluster.get("pods")
    all_seen = pods is None or len(pods) >= ray_nodes
    return ray_nodes > 1 and len(facts.boot_ids(record)) == 1 and all_seen


def _arguments(record: RunRecord) -> str:
    return " ".join(map(str, record.job["arguments"])) or "none"


def _image(record: RunRecord) -> str:
    return ", ".join(facts.images(record)) or "none"


def _cpu(record: RunRecord) -> str | None:
    machine = facts.head_machine(record)
    known = machine.get("cpu_model"), machine.get("cpu_count")
    return None if None in known else f"{known[1]} x {known[0]}"


def _ray(record: RunRecord) -> str | None:
    return record.versions.get("ray")


LIKENESS: tuple[tuple[str, str, str, Callable[[RunRecord], str | None]], ...] = (
    (
        "UNLIKE_ARGUMENTS",
        "the job's options differ",
        "run it again with the same options",
        _arguments,
    ),
    ("UNLIKE_IMAGE", "the images differ", "run both on clusters of one image", _image),
    (
        "DIFFERENT_CPUS",
        "the drivers' machines differ",
        "compare runs of one kind of machine",
        _cpu,
    ),
    ("DIFFERENT_RAY", "the Ray versions differ", "run both on one Ray version", _ray),
)


def _unlike(
    records: Sequence[RunRecord],
    name: str,
    why: str,
    advice: str,
    of: Callable[[RunRecord], str | None],
) -> Doubt | None:
    """A doubt if the runs differ in a property; runs of which it is unknown are not compared."""
    values = list(dict.fromkeys(value for record in records if (value := of(record)) is not None))
    if len(values) < 2:
        return None
    return Doubt(name, f"{why}: {' against '.join(values)}", advice)


def _of_samples(
    records: Sequence[RunRecord], timings: Sequence[tuple[str, str, Timing]]
) -> list[Doubt]:
    doubts = []
    single = sorted({arm for _, arm, timing in timings if timing.n == 1})
    few = sorted({arm for _, arm, timing in timings if 1 < timing.n < ROUNDS_FOR_A_SPEEDUP})
    if single:
        doubts.append(
            Doubt("SINGLE_SAMPLE", f"measured once: {', '.join(single)}", _repeat(records[0]))
        )
    if few:
        doubts.append(
            Doubt(
                "FEW_SAMPLES",
                f"fewer than {ROUNDS_FOR_A_SPEEDUP} rounds: {', '.join(few)}; a speedup has its "
                f"interval from {ROUNDS_FOR_A_SPEEDUP} on, a ratio of two runs from "
                f"{ROUNDS_FOR_A_RATIO} in each",
                _repeat(records[0]),
            )
        )
    short = sorted({arm for _, arm, timing in timings if timing.seconds < TOO_SHORT_SECONDS})
    if short:
        doubts.append(
            Doubt(
                "TOO_SHORT",
                f"under {TOO_SHORT_SECONDS:g} s: {', '.join(short)}",
                "give the job more work; at this length Ray's own overhead decides",
            )
        )
    return doubts


def _repeat(record: RunRecord) -> str:
    """The command that measures a job more often: with the job's own option if it has one."""
    if facts.takes(record, "repeat"):
        return f"raykit submit {record.job['name']} -- --repeat {ROUNDS_FOR_A_SPEEDUP}"
    return "raykit bench runs a job again and again"


def _truncated(record: RunRecord) -> Doubt | None:
    dropped = record.tasks.get("dropped") or 0
    if not dropped:
        return None
    whole = record.tasks["count"] + dropped
    return Doubt(
        "TRUNCATED",
        f"{record.id}: Ray reported {record.tasks['count']:,} of {whole:,} tasks",
        "a part gives no makespan; let the job time itself (jobs/timing.py)",
    )


def _busy(record: RunRecord) -> Doubt | None:
    """Other programs used the machine's CPUs before the job began or while it ran."""
    machine = facts.head_machine(record)
    cpus, load = machine.get("cpu_count"), machine.get("load")
    reasons = []
    if isinstance(cpus, int) and isinstance(load, int | float) and load > BUSY_LOAD * cpus:
        reasons.append(f"a load of {load:.1f} on {cpus} CPUs when it began")
    pressure, seconds = facts.growth(record, "cpu_pressure_seconds"), facts.growth(record, "time")
    if pressure and seconds and seconds >= LEAST_OBSERVED_SECONDS:
        share = min(pressure / seconds, 1)
        if share > BUSY_PRESSURE:
            reasons.append(f"programs waited for a CPU {share:.0%} of the time")
    stolen = _stolen(record, cpus, seconds)
    if stolen > BUSY_STEAL:
        reasons.append(f"its host gave {stolen:.0%} of its CPU time to other machines")
    if not reasons:
        return None
    return Doubt(
        "BUSY_MACHINE",
        f"{record.id}: {'; '.join(reasons)}",
        "end other programs on the machine, then run it again",
    )


def _stolen(record: RunRecord, cpus: object, lasted: float | None) -> float:
    """The share of the machine's CPU time that its host gave to others; 0 where unknown."""
    seconds = facts.growth(record, "steal_seconds")
    if not seconds or not lasted or lasted < LEAST_OBSERVED_SECONDS:
        return 0.0
    return seconds / cpus / lasted if isinstance(cpus, int) and cpus > 0 else 0.0


def _superlinear(record: RunRecord) -> Doubt | None:
    samples, usable = facts.samples(record), facts.usable_cpus(record)
    local = samples.get(LOCAL_ARM)
    if not local or not usable:
        return None
    for name, seconds in samples.items():
        speedup = None if name == LOCAL_ARM else ratio(local, seconds)
        if speedup and speedup.value / usable >= SUPERLINEAR:
            return Doubt(
                "SUPERLINEAR",
                f"{record.id}: a speedup of {speedup.value:.2f} on {usable:g} usable CPUs",
                "the arms had different conditions; repeat it on an idle machine",
            )
    return None


def _first_slow(record: RunRecord) -> Doubt | None:
    """The first of several samples of an arm is much slower: something was still warming up."""
    for arm, samples in sorted(facts.samples(record).items()):
        if len(samples) > 2 and samples[0] > SLOW_FIRST_FACTOR * max(samples[1:]):
            return Doubt(
                "FIRST_RUN_SLOW",
                f"{record.id}: the first sample of {arm} took {samples[0]:.2f} s,"
                f" the others at most {max(samples[1:]):.2f} s",
                "repeat more often; the median is shown",
            )
    return None


def _disturbed(record: RunRecord) -> Doubt | None:
    retried = record.tasks.get("retried") or 0
    lost = [name for name, end in (record.tasks.get("ended") or {}).items() if end["lost"]]
    if not retried and not lost:
        return None
    reasons = [f"the Ray node {name} was lost" for name in lost]
    if retried:
        reasons.append(f"{retried} {'task was' if retried == 1 else 'tasks were'} tried again")
    return Doubt(
        "DISTURBED",
        f"{record.id}: {', '.join(reasons)}",
        "run it again for an undisturbed time",
    )


def _throttled(record: RunRecord) -> Doubt | None:
    """A CPU limit held the driver's container back between the job's start and its result."""
    seconds = facts.growth(record, "throttled_seconds")
    if seconds is None or seconds < THROTTLED_SECONDS:
        return None
    return Doubt(
        "THROTTLED",
        f"{record.id}: its CPU limit held the driver's container back for {seconds:.2f} s",
        "raise the CPU limit or leave it out; requests alone share the CPUs",
    )
