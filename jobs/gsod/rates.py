"""Rates per 1,000 station-days, and the change of a rate on the same stations. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.gsod.intervals import change_interval, clopper_pearson, rate_interval

PER = 1000
FEWEST_STATIONS = 5
"""With fewer stations there is no interval: their spread is too uncertain."""

SURE = 0.005
"""Probability beyond each end if days stand in for stations; small, since days are dependent."""

Tally = tuple[int, int]
"""Hits and valid days of one station in one year."""


@dataclass(frozen=True)
class Rate:
    """Hits per 1,000 valid station-days with a 95 % interval; None for few stations."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Change:
    """By how much the rate of one year differs from that of another on the same stations.

    stations: those with valid days in both years; value, low, high: more (or, below 0, fewer) hits
    per 1,000 station-days, with the 95 % interval; direction: 1 or -1 if that is beyond noise, else
    0.
    """

    stations: int
    value: float
    low: float | None
    high: float | None
    direction: int


def rate(stations: Sequence[Tally]) -> Rate | None:
    """The rate over all stations; None without any valid day."""
    observed = [(hits, days) for hits, days in stations if days]
    if not observed:
        return None
    value = _share(observed) * PER
    if len(observed) < FEWEST_STATIONS:
        return Rate(value, None, None)
    low, high = rate_interval(observed)
    return Rate(value, low * PER, high * PER)


def change(one: Sequence[Tally], other: Sequence[Tally]) -> Change | None:
    """The change from one year to the other, whose stations are in the same order.

    Stations without valid days in both years do not count; None if no station has them.
    """
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a[1] and b[1]]
    if not pairs:
        return None
    before, after = [a for a, _ in pairs], [b for _, b in pairs]
    value = (_share(after) - _share(before)) * PER
    if len(pairs) < FEWEST_STATIONS:
        return Change(len(pairs), value, None, None, _direction_by_days(before, after))
    low, high = (limit * PER for limit in change_interval(before, after))
    return Change(len(pairs), value, low, high, (low > 0) - (high < 0))


def _share(stations: Sequence[Tally]) -> float:
    return sum(hits for hits, _ in stations) / sum(days for _, days in stations)


def _direction_by_days(before: Sequence[Tally], after: Sequence[Tally]) -> int:
    """1 or -1 if a year has more hits than its share of the days explains, else 0."""
    hits, later = (sum(hits for hits, _ in year) for year in (before, after))
    days, later_days = (sum(days for _, days in year) for year in (before, after))
    if not hits + later:
        return 0
    low, high = clopper_pearson(later, hits + later, SURE)
    expected = later_days / (days + later_days)
    return (low > expected) - (high < expected)
