"""Rates per 1,000 station-days; intervals that know that a station's days go together. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

PER = 1000
ZERO_HITS_UPPER = 3.6889
"""Upper 97.5 % limit of a Poisson mean of which nothing was seen: -ln(0.025)."""

Z = 1.959964
FEWEST_STATIONS = 5
"""With fewer stations their spread says too little: no interval is given."""


@dataclass(frozen=True)
class Rate:
    """Hits per 1,000 valid station-days with a 95 % interval; without one where it is undefined."""

    value: float
    low: float | None
    high: float | None


def rate(stations: Sequence[tuple[int, int]]) -> Rate | None:
    """The rate over (hits, valid days) of each station; None without any valid day.

    The interval takes stations, not days, as independent: the days of a hot spell are not. It is
    that of a ratio of totals, by linearisation, with Student's t.
    """
    hits = sum(each for each, _ in stations)
    days = sum(each for _, each in stations)
    if not days:
        return None
    value = hits / days
    if len(stations) < FEWEST_STATIONS:
        return Rate(value * PER, None, None)
    if not hits:
        return Rate(0.0, 0.0, ZERO_HITS_UPPER / days * PER)
    n = len(stations)
    spread = sum((h - value * d) ** 2 for h, d in stations)
    half = student_t(n - 1) * math.sqrt(spread * n / (n - 1)) / days
    return Rate(value * PER, max(0.0, value - half) * PER, (value + half) * PER)


def student_t(freedom: int) -> float:
    """The 97.5 % point of Student's t, within 0.002 from 4 degrees of freedom on.

    Cornish and Fisher's expansion around the normal point.
    """
    z, v = Z, freedom
    terms = (
        (z**3 + z) / (4 * v),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3),
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * v**4),
    )
    return z + sum(terms)
