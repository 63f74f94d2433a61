"""Medians and ratios of a few timings, with intervals that assume no distribution of the noise.

All intervals cover at least 95 % for independent samples of any distribution. With too few samples
an interval is None; it is never a guess.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement

LEVEL = 0.95
TAIL = (1 - LEVEL) / 2
Z = statistics.NormalDist().inv_cdf(1 - TAIL)
MOST_EXACT = 50
"""Above so many samples exact counting takes seconds, and the normal approximation agrees."""
LARGEST_LOG = 700.0
"""Its power of e, and that of its opposite, are numbers; those of larger ones are not."""


@dataclass(frozen=True)
class Timing:
    """Seconds of one arm, measured `n` times.

    seconds: the median; low, high: its 95 % interval from order statistics, None below six samples.
    """

    seconds: float
    n: int
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, samples: Sequence[float]) -> Timing:
        """The timing of samples in seconds. Errors: ValueError without samples."""
        if not samples:
            raise ValueError("no samples")
        low, high = _within(sorted(samples), _binomial_cut(len(samples))) or (None, None)
        return cls(statistics.median(samples), len(samples), low, high)


@dataclass(frozen=True)
class Ratio:
    """One time over another. low, high: its 95 % interval; None with too few samples."""

    value: float
    low: float | None = None
    high: float | None = None

    def divided(self, by: float) -> Ratio:
        """The ratio divided by a number, such as a speedup by the task CPUs."""
        ends = (None if end is None else end / by for end in (self.low, self.high))
        return Ratio(self.value / by, *ends)

    def inverted(self) -> Ratio:
        """The inverse ratio."""
        ends = (None if end is None else 1 / end for end in (self.high, self.low))
        return Ratio(1 / self.value, *ends)

    @property
    def decided(self) -> bool:
        """Whether the interval excludes 1, so that noise alone does not explain the difference."""
        return self.low is not None and self.high is not None and not self.low <= 1 <= self.high

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.2f}"
        return f"{self.value:.2f} ({self.low:.2f}-{self.high:.2f})"


def ratio(over: Sequence[float], under: Sequence[float]) -> Ratio | None:
    """The ratio of two arms of one run, paired if every round timed both."""
    paired = len(over) == len(under)
    return paired_ratio(over, under) if paired else independent_ratio(over, under)


def paired_ratio(over: Sequence[float], under: Sequence[float]) -> Ratio | None:
    """over / under, measured in turn, one pair a round; None if a time is zero.

    Hodges and Lehmann's estimate on logarithms, with the interval that belongs to Wilcoxon's
    signed-rank test: from six rounds on, exact up to 50.

    Errors: ValueError for sequences of different lengths.
    """
    logs = [_log(a, b) for a, b in zip(over, under, strict=True) if a > 0 and b > 0]
    if not logs or len(logs) < len(over):
        return None
    averages = sorted((a + b) / 2 for a, b in combinations_with_replacement(logs, 2))
    return _estimate(averages, _signed_rank_cut(len(logs)))


def median_ratio(
    over: Sequence[float], under: Sequence[float], level: float = LEVEL
) -> Ratio | None:
    """The median of over / under, a pair a round; None if a time is zero.

    The interval is the sign test turned round: it holds whatever the noise, also where the two
    sides are noisy in different ways, which Wilcoxon's does not promise.

    Errors: ValueError for sequences of different lengths.
    """
    pairs = list(zip(over, under, strict=True))
    if not pairs or any(a <= 0 or b <= 0 for a, b in pairs):
        return None
    return _estimate(sorted(_log(a, b) for a, b in pairs), _binomial_cut(len(pairs), tail(level)))


def tail(level: float) -> float:
    """The probability on each side of a two-sided interval."""
    return (1 - level) / 2


def independent_ratio(over: Sequence[float], under: Sequence[float]) -> Ratio | None:
    """over / under, measured independently, such as in two runs; None if a time is zero.

    Hodges and Lehmann's estimate on logarithms, with the interval that belongs to Mann and
    Whitney's test: from four samples in each on, exact up to 50.
    """
    if not over or not under or min(*over, *under) <= 0:
        return None
    differences = sorted(_log(a, b) for a in over for b in under)
    return _estimate(differences, _rank_sum_cut(len(over), len(under)))


def serial_fraction(speedup: float, p: float) -> float | None:
    """Karp and Flatt's (1/S − 1/p)/(1 − 1/p).

    None on one task CPU and outside 1 ≤ S ≤ p, where it means nothing.
    """
    if p <= 1 or not 1 <= speedup <= p:
        return None
    return (1 / speedup - 1 / p) / (1 - 1 / p)


def _log(over: float, under: float) -> float:
    """The logarithm of a ratio, within what a float can hold when it is undone."""
    log = math.log(over) - math.log(under)
    return max(-LARGEST_LOG, min(log, LARGEST_LOG))


def _estimate(ordered: Sequence[float], cut: int) -> Ratio:
    ends = _within(ordered, cut) or (None, None)
    low, high = (None if end is None else math.exp(end) for end in ends)
    return Ratio(math.exp(statistics.median(ordered)), low, high)


def _within(ordered: Sequence[float], cut: int) -> tuple[float, float] | None:
    """The first and last value without the `cut` - 1 at each end; None for a cut of 0."""
    return (ordered[cut - 1], ordered[-cut]) if cut else None


def _cut(counts: Sequence[int], tail: float = TAIL) -> int:
    """The number of a statistic's lowest values within one tail of its null distribution."""
    total, below, cut = sum(counts), 0, 0
    for count in counts:
        below += count
        if below > tail * total:
            break
        cut += 1
    return cut


def _normal_cut(mean: float, variance: float) -> int:
    return max(math.floor(mean - Z * math.sqrt(variance)), 0)


@cache
def _binomial_cut(n: int, tail: float = TAIL) -> int:
    return _cut([math.comb(n, k) for k in range(n + 1)], tail)


@cache
def _signed_rank_cut(n: int) -> int:
    """The cut of Wilcoxon's W, the sum of the ranks 1 to n with a positive sign."""
    if n > MOST_EXACT:
        return _normal_cut(n * (n + 1) / 4, n * (n + 1) * (2 * n + 1) / 24)
    counts = [1]
    for rank in range(1, n + 1):
        counts = _sum_of(counts, rank)
    return _cut(counts)


@cache
def _rank_sum_cut(n: int, m: int) -> int:
    """The cut of Mann and Whitney's U, the number of the n·m pairs that are in order.

    Its counts are the coefficients of the Gaussian binomial of n + m over n.
    """
    if max(n, m) > MOST_EXACT:
        return _normal_cut(n * m / 2, n * m * (n + m + 1) / 12)
    counts = [1]
    for k in range(1, min(n, m) + 1):
        counts = _over(_minus(counts, max(n, m) + k), k)
    return _cut(counts)


def _sum_of(counts: list[int], step: int) -> list[int]:
    """The polynomial times 1 + x^step."""
    shifted = [0] * step + counts
    return [a + b for a, b in zip(counts + [0] * step, shifted, strict=True)]


def _minus(counts: list[int], step: int) -> list[int]:
    """The polynomial times 1 - x^step."""
    shifted = [0] * step + counts
    return [a - b for a, b in zip(counts + [0] * step, shifted, strict=True)]


def _over(counts: list[int], step: int) -> list[int]:
    """The polynomial over 1 - x^step, which divides it."""
    quotient = list(counts)
    for index in range(step, len(quotient)):
        quotient[index] += quotient[index - step]
    return quotient[: len(quotient) - step]
