"""Doubts about a comparison, as named values, each with what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from raykit.measure.records import RunRecord
from raykit.measure.statistics import Timing

TOO_SHORT_SECONDS = 0.1
FEW_SAMPLES = 2
SLOW_FIRST_FACTOR = 1.5
THROTTLED_SECONDS = 0.05


@dataclass(frozen=True)
class Doubt:
    """name: such as SINGLE_SAMPLE; why: the evidence; advice: what to do about it."""

    name: str
    why: str
    advice: str


def find(records: Sequence[RunRecord], timings: Iterable[tuple[str, str, Timing]]) -> list[Doubt]:
    """Every doubt about these runs; timings are (run, arm, timing)."""
    found = [
        _same_machine(records),
        *(_unlike(records, *rule) for rule in LIKENESS),
        *_of_samples(list(timings)),
        *(_first_slow(record) for record in records),
        *(_disturbed(record) for record in records),
        *(_throttled(record) for record in records),
    ]
    return [doubt for doubt in found if doubt is not None]


def machines(record: RunRecord) -> set[str]:
    """Boot ids of the machines that took part: kind nodes of one machine share one."""
    nodes = record.cluster.get("nodes") or []
    ids = {str(node["boot_id"]) for node in nodes if node.get("boot_id")}
    own = record.machine.get("boot_id")
    return ids or ({str(own)} if own and record.target.get("kind") == "local" else set())


def _same_machine(records: Sequence[RunRecord]) -> Doubt | None:
    shared = [
        record
        for record in records
        if len(record.tasks.get("nodes") or {}) > 1 and len(machines(record)) == 1
    ]
    if not shared:
        return None
    many = max(len(record.tasks["nodes"]) for record in shared)
    return Doubt(
        "SAME_MACHINE",
        f"up to {many} Ray nodes share one machine and its CPUs",
        "this shows what distribution costs, not what more machines give",
    )


def _arguments(record: RunRecord) -> object:
    return record.job["arguments"]


def _image(record: RunRecord) -> object:
    pods = record.cluster.get("pods") or []
    return sorted({str(pod.get("image_digest") or pod.get("image")) for pod in pods})


def _cpu(record: RunRecord) -> object:
    return (record.machine.get("cpu_model"), record.machine.get("cpu_count"))


def _ray(record: RunRecord) -> object:
    return record.versions.get("ray")


LIKENESS: tuple[tuple[str, str, str, Callable[[RunRecord], object]], ...] = (
    (
        "UNLIKE_ARGUMENTS",
        "the job's options differ",
        "run it again with the same options",
        _arguments,
    ),
    (
        "UNLIKE_IMAGE",
        "the runs used different images",
        "run both on clusters of one image",
        _image,
    ),
    ("DIFFERENT_CPUS", "the CPUs differ", "compare runs of one kind of machine", _cpu),
    ("DIFFERENT_RAY", "the Ray versions differ", "run both on one Ray version", _ray),
)


def _unlike(
    records: Sequence[RunRecord],
    name: str,
    why: str,
    advice: str,
    of: Callable[[RunRecord], object],
) -> Doubt | None:
    values = list(dict.fromkeys(str(of(record)) for record in records))
    if len(values) < 2:
        return None
    return Doubt(name, f"{why}: {' against '.join(values)}", advice)


def _of_samples(timings: Sequence[tuple[str, str, Timing]]) -> list[Doubt]:
    found = []
    single = sorted({arm for _, arm, timing in timings if timing.n < FEW_SAMPLES})
    if single:
        found.append(
            Doubt(
                "SINGLE_SAMPLE",
                f"measured once: {', '.join(single)}",
                "repeat it, for example raykit submit fib -- --repeat 5",
            )
        )
    short = sorted({arm for _, arm, timing in timings if timing.seconds < TOO_SHORT_SECONDS})
    if short:
        found.append(
            Doubt(
                "TOO_SHORT",
                f"under {TOO_SHORT_SECONDS:g} s: {', '.join(short)}",
                "give the job more work; Ray's own overhead decides at this length",
            )
        )
    return found


def _first_slow(record: RunRecord) -> Doubt | None:
    """The first of several samples of an arm stands out: something was still warming up."""
    for arm in sorted({str(span["arm"]) for span in record.spans if span.get("arm")}):
        samples = [float(span["seconds"]) for span in record.spans if span.get("arm") == arm]
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
    if not retried:
        return None
    return Doubt(
        "DISTURBED",
        f"{record.id}: {retried} tasks were tried again",
        "a node was lost or killed meanwhile; run it again for an undisturbed time",
    )


def _throttled(record: RunRecord) -> Doubt | None:
    """A CPU limit held the driver's container back between the job's start and its result."""
    before = (record.start or {}).get("throttled_seconds")
    after = record.results[-1].get("throttled_seconds") if record.results else None
    if before is None or after is None or after - before < THROTTLED_SECONDS:
        return None
    return Doubt(
        "THROTTLED",
        f"{record.id}: its CPU limit held the driver's container back for {after - before:.2f} s",
        "raise the CPU limit or leave it out; requests alone share the CPUs",
    )
