"""Gunther's Universal Scalability Law: how time falls, and rises again, with the task CPUs p.

    T(p) = T1 (1 + contention (p - 1) + coherence p (p - 1)) / p

contention: the share of the work that waits for its turn; coherence: what each pair of CPUs costs
that must agree. Both are 0 or more. Since p T(p) is linear in T1, T1·contention and T1·coherence,
the fit is a small linear one, by least squares of relative errors. Pure.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from raykit.measure.statistics import Z

SIZES_FOR_A_LAW = 4
NO_COHERENCE = 1e-9
"""Below this a coefficient is rounding: its peak would lie beyond 30,000 task CPUs."""
RESAMPLES = 2000
TRIMMED = 6
"""One round in so many is left out at each end of the mean: a single stray run moves nothing."""

Samples = Mapping[float, Sequence[float]]
"""Seconds by p, a value a round, in the same order of rounds."""


@dataclass(frozen=True)
class Law:
    """one: T1, seconds; contention, coherence: the two coefficients."""

    one: float
    contention: float
    coherence: float

    def seconds(self, p: float) -> float:
        """T(p)."""
        return self.one * (1 + self.contention * (p - 1) + self.coherence * p * (p - 1)) / p

    @property
    def peak(self) -> float:
        """The p at which T is least; infinite if more always helps."""
        if self.contention >= 1:
            return 1.0
        if self.coherence < NO_COHERENCE:
            return math.inf
        return max(math.sqrt((1 - self.contention) / self.coherence), 1.0)


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval, None if the rounds are too few. The ends may be inf."""

    value: float
    low: float | None = None
    high: float | None = None


def fit(times: Mapping[float, float], *, coherent: bool = True) -> Law:
    """The law that is nearest to seconds by p; Amdahl's, without coherence, if not `coherent`.

    Errors: ValueError for fewer than three sizes or times that are not above 0.
    """
    if len(times) < 3 or min(times.values()) <= 0:
        raise ValueError("a law needs three sizes and times above 0")
    rows = [(p, seconds) for p, seconds in times.items()]
    # The error is convex: where the best of all is allowed, no other needs to be tried.
    free = _least_squares(rows, (1, 2) if coherent else (1,))
    fewer: list[tuple[int, ...]] = [(), (1,), (2,)] if coherent else [()]
    candidates = [free] if free else [_least_squares(rows, kept) for kept in fewer]
    _, (a, b, c) = min(found for found in candidates if found is not None)
    return Law(a, b / a, c / a)


def of_rounds(samples: Samples) -> Law:
    """The law of measured rounds, from the trimmed mean of each size."""
    return fit(_middles(samples))


def estimates(samples: Samples, of: Sequence[Callable[[Law], float]], seed: int) -> list[Estimate]:
    """Numbers that follow from the law, each with its interval by bootstrap over whole rounds.

    of: functions of a law; seed: of the resampling, so that the same data give the same interval.
    With n rounds the percentiles are those of Student's t, stretched by sqrt(n / (n - 1)): plain
    percentiles of so few rounds are too narrow. Where the data do not show that there is coherence
    at all, the interval also holds what the law without it would say: an estimate that cannot be
    negative is too large there. Below six rounds there is no interval.
    """
    law = of_rounds(samples)
    rounds = min(len(own) for own in samples.values())
    if rounds < TRIMMED:
        return [Estimate(number(law)) for number in of]
    drawn = [_middles(each) for each in _resampled(samples, rounds, seed)]
    tail = _tail(rounds)
    groups = [[fit(times) for times in drawn]]
    if _ends([each.coherence for each in groups[0]], tail)[0] <= 0:
        groups.append([fit(times, coherent=False) for times in drawn])
    return [_estimate(number, law, groups, tail) for number in of]


def _estimate(
    number: Callable[[Law], float], law: Law, groups: Sequence[Sequence[Law]], tail: float
) -> Estimate:
    ends = [end for laws in groups for end in _ends([number(each) for each in laws], tail)]
    return Estimate(number(law), min(*ends, number(law)), max(*ends, number(law)))


def _ends(values: Sequence[float], tail: float) -> tuple[float, float]:
    """The quantiles that leave out a tail at each end, by the nearest rank outwards."""
    ordered = sorted(values)
    place = tail * (len(ordered) - 1)
    return ordered[math.floor(place)], ordered[math.ceil(len(ordered) - 1 - place)]


def _least_squares(
    rows: Sequence[tuple[float, float]], kept: tuple[int, ...]
) -> tuple[float, tuple[float, float, float]] | None:
    """Squared error and coefficients with only those kept; None if one is not above 0."""
    columns = (0, *kept)
    terms = [[(1.0, p - 1, p * (p - 1))[column] / (p * t) for column in columns] for p, t in rows]
    size = range(len(columns))
    square = [[math.fsum(row[i] * row[j] for row in terms) for j in size] for i in size]
    solved = _solve(square, [math.fsum(row[i] for row in terms) for i in size])
    if solved is None or solved[0] <= 0 or min(solved) < 0:
        return None
    error = math.fsum(
        (math.fsum(x * k for x, k in zip(row, solved, strict=True)) - 1) ** 2 for row in terms
    )
    by_column = dict(zip(columns, solved, strict=True))
    return error, (by_column[0], by_column.get(1, 0.0), by_column.get(2, 0.0))


def _solve(square: list[list[float]], right: list[float]) -> list[float] | None:
    """A small linear system by Gauss; None if it is singular."""
    rows = [[*row, value] for row, value in zip(square, right, strict=True)]
    for index in range(len(rows)):
        pivot = max(range(index, len(rows)), key=lambda r: abs(rows[r][index]))
        rows[index], rows[pivot] = rows[pivot], rows[index]
        if abs(rows[index][index]) < 1e-12 * max(abs(value) for value in rows[index]):
            return None
        for other in range(len(rows)):
            if other != index:
                factor = rows[other][index] / rows[index][index]
                rows[other] = [
                    a - factor * b for a, b in zip(rows[other], rows[index], strict=True)
                ]
    return [row[-1] / row[index] for index, row in enumerate(rows)]


def middle(values: Sequence[float]) -> float:
    """The trimmed geometric mean."""
    ordered = sorted(values)
    cut = len(ordered) // TRIMMED
    return math.exp(statistics.fmean(map(math.log, ordered[cut : len(ordered) - cut])))


def _middles(samples: Samples) -> dict[float, float]:
    return {p: middle(own) for p, own in samples.items()}


def _resampled(samples: Samples, rounds: int, seed: int) -> Iterator[Samples]:
    """The rounds drawn again with replacement; every size keeps the rounds of the others."""
    numbers = _numbers(seed)
    for _ in range(RESAMPLES):
        drawn = [next(numbers) % rounds for _ in range(rounds)]
        yield {p: [own[index] for index in drawn] for p, own in samples.items()}


def _numbers(seed: int) -> Iterator[int]:
    """Pseudo-random integers (Knuth's MMIX generator, upper bits): no state outside, no clock."""
    state = seed
    while True:
        state = (6364136223846793005 * state + 1442695040888963407) % 2**64
        yield state >> 33


def _tail(rounds: int) -> float:
    """The share of resamples beyond each end (Hesterberg's expanded percentile)."""
    stretched = math.sqrt(rounds / (rounds - 1)) * _student(rounds - 1)
    return statistics.NormalDist().cdf(-stretched)


def _student(freedom: int) -> float:
    """The two-sided 95 % quantile of Student's t, by Cornish and Fisher; 0.2 % off at 5."""
    z, n = Z, freedom
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
    )
