"""How far a head's clock is from ours, from moments that both clocks tell of the same event.

Ray takes a job's start time while it answers the submission, and its end time between two questions
about its status. Each pair of our moments around one of Ray's bounds the offset, however slow the
network is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

SLACK = 0.05
"""What clocks may differ by and still count as one: more than time servers leave."""


@dataclass(frozen=True)
class Sighting:
    """One moment on the head's clock, and what it lies between on ours. Unix seconds."""

    head: float
    after: float
    before: float


@dataclass(frozen=True)
class Offset:
    """By how many seconds the head's clock is ahead of ours, and at most how much that is off."""

    seconds: float
    uncertainty: float

    @property
    def matters(self) -> bool:
        """Whether the clocks are known to differ."""
        return abs(self.seconds) > self.uncertainty

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return {
            "offset_seconds": self.seconds,
            "uncertainty_seconds": self.uncertainty,
            "corrected": self.matters,
        }


SAME = Offset(0.0, 0.0)
"""Of a head on this machine."""


def offset(sightings: Sequence[Sighting]) -> Offset | None:
    """The offset that all sightings allow; None without bounds, or where none fits them all."""
    low = max((seen.head - seen.before for seen in sightings), default=-inf) - SLACK
    high = min((seen.head - seen.after for seen in sightings), default=inf) + SLACK
    if low == -inf or high == inf or low > high:
        return None
    return Offset((low + high) / 2, (high - low) / 2)
