"""Intervals for rates over stations, whose days go together. Pure, and without SciPy.

The sample is one of stations, not of days: the days of one hot spell are not independent. The
interval of a rate is that of Korn and Graubard (1998): Clopper and Pearson's exact interval on the
effective sample size, which is the size of a simple random sample of days that would be as
accurate. So it cannot leave 0 to 1. Where few stations hold most hits, theirs is still too narrow;
so degrees of freedom are those of the stations that hold the hits (`effective_stations`).
`tests/unit/jobs/gsod/test_coverage_of_intervals.py` measures what all of this covers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

TAIL = 0.025
"""Probability beyond each end of a 95 % interval."""

TINY = 1e-300
Stations = Sequence[tuple[int, int]]
"""(hits, valid days) of each station."""


def rate_interval(stations: Stations) -> tuple[float, float]:
    """The 95 % interval of hits per valid day; every station must have valid days, two at least.

    Without any hit, or with nothing but hits, each station counts as one day of the sample.
    """
    hits, days = _totals(stations)
    if hits in (0, days):
        return clopper_pearson(hits / days * len(stations), len(stations))
    share = hits / days
    squares = sum(part * part for part in _residuals(stations))
    variance = squares * len(stations) / (len(stations) - 1) / days**2
    size = min(days, share * (1 - share) / variance) if variance else days
    size *= (student_t(days - 1) / student_t(_freedom(stations))) ** 2
    return clopper_pearson(share * size, size)


def change_interval(one: Stations, other: Stations) -> tuple[float, float]:
    """The 95 % interval of the change in hits per valid day between two years.

    Both are the same stations in the same order, two at least, each with valid days in both years.
    It is made of the intervals of both rates and of their correlation over the stations (Zou and
    Donner 2008), which makes it much shorter than their difference. With few stations that
    correlation is uncertain, so it counts less; where no station differs it does not count.
    """
    (hits, days), (later_hits, later_days) = _totals(one), _totals(other)
    before, after = hits / days, later_hits / later_days
    (low, high), (later_low, later_high) = rate_interval(one), rate_interval(other)
    both = [(h1 + h2, d1 + d2) for (h1, d1), (h2, d2) in zip(one, other, strict=True)]
    correlation = _correlation(_residuals(one), _residuals(other))
    if correlation > 0:
        correlation *= 1 - 1 / _freedom(both)
    return (
        after - before - _combined(after - later_low, high - before, correlation),
        after - before + _combined(later_high - after, before - low, correlation),
    )


def _combined(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(0.0, one * one + other * other - 2 * correlation * one * other))


def _residuals(stations: Stations) -> list[float]:
    hits, days = _totals(stations)
    return [h - hits / days * d for h, d in stations]


def _correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Of residuals around 0; 0 where either year has none."""
    products = sum(a * b for a, b in zip(one, other, strict=True))
    scale = math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))
    return products / scale if scale else 0.0


def clopper_pearson(hits: float, size: float, tail: float = TAIL) -> tuple[float, float]:
    """The exact interval of a binomial share; hits and size need not be whole numbers."""
    low = beta_quantile(tail, hits, size - hits + 1) if hits > 0 else 0.0
    high = beta_quantile(1 - tail, hits + 1, size - hits) if hits < size else 1.0
    return low, high


def effective_stations(weights: Sequence[int]) -> float:
    """How many stations of equal weight would be as diverse as these (Kish)."""
    squares = sum(weight * weight for weight in weights)
    return sum(weights) ** 2 / squares if squares else 0.0


def _totals(stations: Stations) -> tuple[int, int]:
    return sum(hits for hits, _ in stations), sum(days for _, days in stations)


def _freedom(stations: Stations) -> float:
    """Degrees of freedom: of the stations that hold the hits, or the other days if those are fewer.

    The usual number, of all stations, gives 70 to 90 % instead of 95 for rare hits.
    """
    effective = min(
        effective_stations([hits for hits, _ in stations]),
        effective_stations([days - hits for hits, days in stations]),
    )
    return max(1.0, effective - 1)


@lru_cache(maxsize=10_000)
def student_t(freedom: float, tail: float = TAIL) -> float:
    """The upper quantile of Student's t."""
    x = beta_quantile(2 * tail, freedom / 2, 0.5)
    return math.sqrt(freedom * (1 - x) / x)


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The x at which the beta distribution's cumulative probability is `probability`.

    Newton's steps, kept inside a bracket that shrinks: each step that would leave it halves it.
    """
    low, high, x = 0.0, 1.0, a / (a + b)
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    for _ in range(200):
        error = incomplete_beta(a, b, x) - probability
        low, high = (low, x) if error > 0 else (x, high)
        slope = math.exp((a - 1) * math.log(x) + (b - 1) * math.log1p(-x) - log_beta)
        step = error / slope if slope else math.inf
        following = x - step if low < x - step < high else (low + high) / 2
        if abs(following - x) <= 1e-12 * x or not 0 < following < 1:
            return following
        x = following
    return x


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function: the cumulative probability up to x."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        # Beyond the mean the fraction converges slowly, and the rest of the distribution fast.
        return 1 - incomplete_beta(b, a, 1 - x)
    log_front = a * math.log(x) + b * math.log1p(-x)
    log_front += math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(log_front) * _continued_fraction(a, b, x) / a


def _continued_fraction(a: float, b: float, x: float) -> float:
    """The fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or TINY)
    value = d
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / (1 + term * d or TINY)
            c = 1 + term / c or TINY
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value
