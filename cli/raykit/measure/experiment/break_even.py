"""The break-even size: the size of a job from which tasks are faster than the local loop.

Pure: which size to measure next, given what was measured, and what all of it says.

At each size the job runs in both modes, in rounds. The ratio there is the median of local over
tasks, a pair a round, with the interval of the sign test: it assumes nothing of the noise but that
rounds are independent. An interval above 1 says that tasks win there, one below 1 that local does,
any other that nobody can say. The answer is the interval between the largest size at which local
wins and the smallest at which tasks do. Each of the `most_sizes` sizes may err on one side in
5 % / `most_sizes` of cases, so that the answer is wrong in at most 5 % of all searches. It assumes
that there is one break-even size: local wins below it, tasks above.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from raykit.measure.statistics import LEVEL, Ratio, median_ratio

LOCAL, TASKS = "local", "tasks"
MOST_SIZES = 10
CLOSE = 1.2
"""Neighbouring sizes within this factor are near enough: the search ends there."""
STEP = 4.0
"""While only one side wins, the next size is so many times as large, or as small."""
ROOM = 2.0
"""Between a size that worked and one at which the job failed, a larger gap is searched."""


class Winner(StrEnum):
    """Which mode is faster at one size."""

    local = "local"
    tasks = "tasks"
    undecided = "undecided"


@dataclass(frozen=True)
class Search:
    """What may be tried: sizes from smallest to largest, rounds for each, at most so many sizes.

    Errors: ValueError if the range is empty or so few rounds can decide nothing.
    """

    smallest: int
    largest: int
    rounds: int
    most_sizes: int = MOST_SIZES

    def __post_init__(self) -> None:
        if not 1 <= self.smallest < self.largest:
            raise ValueError(f"sizes {self.smallest:,}..{self.largest:,}: not from small to large")
        if self.rounds < self.least_rounds:
            raise ValueError(
                f"{self.rounds} rounds decide nothing: "
                f"{self.most_sizes} sizes at {LEVEL:.0%} need {self.least_rounds}"
            )

    @property
    def level(self) -> float:
        """The level of the interval at each size, so that all sizes together reach LEVEL."""
        return 1 - 2 * (1 - LEVEL) / self.most_sizes

    @property
    def least_rounds(self) -> int:
        return math.ceil(math.log2(self.most_sizes / (1 - LEVEL)))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Point:
    """One size that was measured. ratio: local over tasks, above 1 where tasks win."""

    size: int
    rounds: int
    local_seconds: float
    tasks_seconds: float
    ratio: Ratio

    @property
    def winner(self) -> Winner:
        if not self.ratio.decided:
            return Winner.undecided
        return Winner.tasks if self.ratio.value > 1 else Winner.local

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "winner": str(self.winner)}


@dataclass(frozen=True)
class Limit:
    """A size at which the job failed, and why; larger ones are not tried."""

    size: int
    why: str


@dataclass(frozen=True)
class Answer:
    """Where tasks begin to win: above `low` and at `high` at the latest; None: no bound was seen.

    mixed: local wins at a larger size than tasks do, so that there is no single break-even size.
    why: what keeps the interval as wide as it is.
    """

    low: int | None
    high: int | None
    mixed: bool
    sentence: str
    why: str


def point(
    search: Search, size: int, local: Sequence[float], tasks: Sequence[float]
) -> Point | None:
    """What was measured at one size, a pair a round; None if a time is zero."""
    ratio = median_ratio(local, tasks, search.level)
    if ratio is None:
        return None
    medians = statistics.median(local), statistics.median(tasks)
    return Point(size, len(local), *medians, ratio)


def next_size(search: Search, points: Sequence[Point], limit: Limit | None = None) -> int | None:
    """The size to measure next; None if the search is over."""
    if not points:
        return _between(search.smallest, search.largest) or search.largest
    low, high = _bounds(points)
    if len(points) >= search.most_sizes or _is_mixed(low, high):
        return None
    further = _outwards(search, points, low, high, limit)
    return _inwards(points, low, high) if further is None else further


def answer(search: Search, points: Sequence[Point], limit: Limit | None = None) -> Answer:
    """What the sizes that were measured say. Errors: ValueError if there are none."""
    if not points:
        raise ValueError("no size was measured")
    low, high = _bounds(points)
    if low is not None and high is not None and low > high:
        sentence = f"There is no single break-even size: tasks win at {high:,}, local at {low:,}."
        return Answer(None, None, True, sentence, "the two do not change places only once")
    sentence = _sentence(points, low, high)
    return Answer(low, high, False, sentence, _why(search, points, low, high, limit))


def _bounds(points: Sequence[Point]) -> tuple[int | None, int | None]:
    """The largest size at which local wins, the smallest at which tasks win."""
    local = [point.size for point in points if point.winner is Winner.local]
    tasks = [point.size for point in points if point.winner is Winner.tasks]
    return max(local, default=None), min(tasks, default=None)


def _is_mixed(low: int | None, high: int | None) -> bool:
    return low is not None and high is not None and low > high


def _outwards(
    search: Search,
    points: Sequence[Point],
    low: int | None,
    high: int | None,
    limit: Limit | None,
) -> int | None:
    """The next size beyond all that were tried, while one side has not won yet."""
    smallest, largest = min(p.size for p in points), max(p.size for p in points)
    if high is None and limit is not None and limit.size > ROOM * largest:
        return _between(largest, limit.size)
    if high is None and limit is None and largest < search.largest:
        return min(_rounded(largest * STEP), search.largest)
    if low is None and smallest > search.smallest:
        return max(_rounded(smallest / STEP), search.smallest)
    return None


def _inwards(points: Sequence[Point], low: int | None, high: int | None) -> int | None:
    """The middle of the widest gap next to a bound; None if all are close."""
    gaps = [gap for gap in _gaps(points, low, high) if gap[1] > CLOSE * gap[0]]
    for gap in sorted(gaps, key=lambda gap: gap[0] / gap[1]):
        middle = _between(*gap)
        if middle is not None:
            return middle
    return None


def _gaps(points: Sequence[Point], low: int | None, high: int | None) -> list[tuple[int, int]]:
    """The neighbours between which a bound may still move: one gap, or two around the undecided."""
    inside = sorted(p.size for p in points if (low or 0) < p.size < (high or math.inf))
    edges = [size for size in (low, *inside, high) if size is not None]
    gaps = list(pairwise(edges))
    lower = gaps[:1] if low is not None else []
    upper = gaps[-1:] if high is not None else []
    return list(dict.fromkeys(lower + upper))


def _between(low: int, high: int) -> int | None:
    """The geometric mean in as few digits as lie between both; None if no number does."""
    mean = math.sqrt(low * high)
    for digits in range(2, 20):
        size = _rounded(mean, digits)
        if low < size < high:
            return size
        if size == round(mean):
            break
    return None


def _rounded(size: float, digits: int = 2) -> int:
    """To so many significant digits: a size that people can read."""
    step: int = 10 ** max(math.floor(math.log10(size)) + 1 - digits, 0)
    return max(round(size / step) * step, 1)


def _sentence(points: Sequence[Point], low: int | None, high: int | None) -> str:
    smallest, largest = min(p.size for p in points), max(p.size for p in points)
    if low is not None and high is not None:
        return f"Tasks begin to win between {low:,} and {high:,}."
    if low is not None:
        return (
            f"Tasks never win up to {low:,}."
            if low == largest
            else f"Local wins up to {low:,}; from there to {largest:,} no difference was seen."
        )
    if high is not None:
        return (
            f"Tasks win at every size from {high:,} on."
            if high == smallest
            else f"Tasks win from {high:,} on; from {smallest:,} to there no difference was seen."
        )
    where = f"at {smallest:,}" if smallest == largest else f"from {smallest:,} to {largest:,}"
    return f"No difference was seen {where}."


def _why(
    search: Search,
    points: Sequence[Point],
    low: int | None,
    high: int | None,
    limit: Limit | None,
) -> str:
    """Why the interval is no narrower."""
    between = _undecided(points, low, high)
    reasons = []
    if between:
        sizes = " and ".join(f"{size:,}" for size in between)
        reasons.append(f"{search.rounds} rounds show no difference at {sizes}")
    further = _outwards(search, points, low, high, limit) or _inwards(points, low, high)
    if further is not None and len(points) >= search.most_sizes:
        reasons.append(f"all of the {search.most_sizes} sizes are used up")
    if further is None and not between and low is not None and high is not None:
        reasons.append(f"sizes nearer than a factor of {CLOSE:g} are not told apart")
    if limit is not None and high is None:
        reasons.append(f"at {limit.size:,} the job failed: {limit.why}")
    elif high is None and max(p.size for p in points) == search.largest:
        reasons.append("no larger size was to be tried")
    if low is None and min(p.size for p in points) == search.smallest:
        reasons.append("no smaller size was to be tried")
    return "; ".join(reasons) or "the search was not finished"


def _undecided(points: Sequence[Point], low: int | None, high: int | None) -> list[int]:
    open_sizes = [p.size for p in points if p.winner is Winner.undecided]
    return sorted(size for size in open_sizes if (low or 0) < size < (high or math.inf))


def run(
    search: Search, measure: Callable[[int], Point | Limit]
) -> tuple[list[Point], Limit | None]:
    """The whole search.

    measure: runs a size in all of its rounds; a Limit only where it is larger than all that worked.
    """
    points: list[Point] = []
    limit: Limit | None = None
    while (size := next_size(search, points, limit)) is not None:
        measured = measure(size)
        if isinstance(measured, Limit):
            limit = measured
        else:
            points.append(measured)
    return points, limit
