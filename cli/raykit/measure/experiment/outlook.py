"""Says how far an experiment's job scales: fits a law to its arms, and predicts the next size.

From four sizes on. It says nothing beyond twice the largest p that was measured, nor beyond the
number of tasks that the work is cut into. A prediction that an experiment has kept is held against
the arm of that p once it is measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from raykit.measure.doubts import Doubt
from raykit.measure.experiment import usl
from raykit.measure.experiment.usl import SIZES_FOR_A_LAW, Estimate, Law
from raykit.measure.statistics import Ratio

POOR_FIT = 0.1
"""A law that misses a measured time by more than this share of it describes something else."""


@dataclass(frozen=True)
class Prediction:
    """The speedup expected at `p` over `base_p`, made from arms of these sizes."""

    p: float
    base_p: float
    speedup: float
    low: float | None
    high: float | None
    sizes: tuple[float, ...]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Prediction:
        """data: as `as_dict` gives it."""
        return cls(**{**data, "sizes": tuple(data["sizes"])})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Outlook:
    """The law of an experiment's arms.

    sizes: the p it was fitted to; peak: the p beyond which more CPUs slow the job, inf if none
    does; prediction: for twice the largest size, None if nothing can be said.
    """

    sizes: list[float]
    one_seconds: float
    contention: Estimate
    coherence: Estimate
    peak: Estimate
    prediction: Prediction | None
    sentences: list[str]
    doubts: list[Doubt]

    def seconds(self, p: float) -> float:
        """What the law says a run on `p` task CPUs takes."""
        return Law(self.one_seconds, self.contention.value, self.coherence.value).seconds(p)

    def as_dict(self) -> dict[str, Any]:
        """As JSON data, which knows no infinity: a peak that does not exist is null."""
        return {**asdict(self), "peak": _finite(self.peak)}


def look(
    rounds: Mapping[float, Mapping[int, float]], base_p: float, tasks: int | None, seed: int
) -> Outlook | None:
    """The outlook of arms; None for fewer than four sizes.

    rounds: seconds by p and round; base_p: of the baseline; tasks: into how many the work is cut,
    None if that is unknown; seed: of the bootstrap.
    """
    if len(rounds) < SIZES_FOR_A_LAW:
        return None
    shared = sorted(set.intersection(*(set(own) for own in rounds.values())))
    if not shared or any(own[number] <= 0 for own in rounds.values() for number in shared):
        return None
    samples = {p: [own[number] for number in shared] for p, own in sorted(rounds.items())}
    return _look(samples, base_p, tasks, seed)


def _look(samples: usl.Samples, base_p: float, tasks: int | None, seed: int) -> Outlook:
    law, largest = usl.of_rounds(samples), max(samples)
    furthest = 2 * largest

    def speedup(law: Law) -> float:
        return law.seconds(base_p) / law.seconds(furthest)

    contention, coherence, peak, next_speedup = usl.estimates(
        samples,
        [lambda f: f.contention, lambda f: f.coherence, lambda f: f.peak, speedup],
        seed,
    )
    enough = tasks is None or tasks >= furthest
    prediction = Prediction(
        furthest,
        base_p,
        next_speedup.value,
        next_speedup.low,
        next_speedup.high,
        tuple(samples),
    )
    return Outlook(
        sizes=list(samples),
        one_seconds=law.one,
        contention=contention,
        coherence=coherence,
        peak=peak,
        prediction=prediction if enough else None,
        sentences=[
            _law_says(contention, coherence),
            _peak_says(peak, furthest),
            _next_says(prediction) if enough else _too_few_tasks(tasks or 0, furthest),
        ],
        doubts=_doubts(law, samples, tasks),
    )


def checks(kept: Sequence[Prediction], measured: Mapping[float, Ratio]) -> list[str]:
    """A sentence for each prediction whose size was measured. measured: speedups by p."""
    return [
        _check_says(prediction, measured[prediction.p])
        for prediction in kept
        if prediction.p in measured
    ]


def _law_says(contention: Estimate, coherence: Estimate) -> str:
    return (
        f"Universal Scalability Law: contention {_shown(contention, 3)}, "
        f"coherence {_shown(coherence, 4)}."
    )


def _peak_says(peak: Estimate, furthest: float) -> str:
    """Where more task CPUs stop helping, as far as twice the largest size."""
    low = peak.value if peak.low is None else peak.low
    high = peak.value if peak.high is None else peak.high
    if low >= furthest:
        return f"More task CPUs help up to p = {furthest:g} at least, which is as far as this says."
    if peak.value >= furthest:
        return (
            f"More task CPUs seem to help up to p = {furthest:g}, but they may stop helping at "
            f"p = {low:.3g} already."
        )
    ends = "" if peak.low is None else f" ({low:.3g}-{_end(high, furthest)})"
    return f"More task CPUs stop helping at about p = {peak.value:.3g}{ends}."


def _end(high: float, furthest: float) -> str:
    return f"{high:.3g}" if high <= furthest else f"beyond {furthest:g}"


def _next_says(prediction: Prediction) -> str:
    return (
        f"The next doubling, to p = {prediction.p:g}, would give a speedup of "
        f"{_interval(prediction)} over p = {prediction.base_p:g}, if nothing else limits it."
    )


def _too_few_tasks(tasks: int, furthest: float) -> str:
    return (
        f"Nothing is predicted for p = {furthest:g}: the work is cut into {tasks} tasks, and more "
        "task CPUs than tasks cannot help. Measure with a larger --tasks-per-cpu."
    )


def _check_says(kept: Prediction, measured: Ratio) -> str:
    sentence = f"Predicted {_interval(kept)} for p = {kept.p:g}, measured {measured}"
    if kept.low is None or kept.high is None:
        return f"{sentence}."
    low = measured.value if measured.low is None else measured.low
    high = measured.value if measured.high is None else measured.high
    if low <= kept.high and kept.low <= high:
        return f"{sentence}: as predicted."
    side = "more" if low > kept.high else "less"
    return (
        f"{sentence}: {side} than predicted, so the law of the smaller sizes does not hold there."
    )


def _interval(prediction: Prediction) -> str:
    return _shown(Estimate(prediction.speedup, prediction.low, prediction.high), 2)


def _shown(estimate: Estimate, digits: int) -> str:
    text = f"{estimate.value:.{digits}f}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} ({estimate.low:.{digits}f}-{estimate.high:.{digits}f})"


def _doubts(law: Law, samples: usl.Samples, tasks: int | None) -> list[Doubt]:
    reasons = []
    plain = {p: usl.middle(own) for p, own in samples.items()}
    worst = max(plain, key=lambda p: abs(law.seconds(p) / plain[p] - 1))
    miss = abs(law.seconds(worst) / plain[worst] - 1)
    if miss > POOR_FIT:
        reasons.append(
            Doubt(
                "POOR_FIT",
                f"the law misses the time at p = {worst:g} by {miss:.0%}",
                "believe the measured sizes, not what the law says beyond them",
            )
        )
    uneven = [p for p in samples if tasks and p < tasks and tasks % p]
    if uneven:
        sizes = ", ".join(f"{p:g}" for p in uneven)
        reasons.append(
            Doubt(
                "UNEVEN_TASKS",
                f"{tasks} tasks do not divide among p = {sizes} evenly",
                "some CPUs wait in the last round: choose a number of tasks that every p divides",
            )
        )
    return reasons


def _finite(estimate: Estimate) -> dict[str, float | None]:
    return {
        name: value if value is not None and math.isfinite(value) else None
        for name, value in asdict(estimate).items()
    }
