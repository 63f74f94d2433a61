"""Bounds the offset between a head's clock and ours, from events that both clocks timed.

Ray takes a job's start time while it answers the submission, and its end time between two polls of
its status. So each time of Ray's lies between two of ours, which bounds the offset, however slow
the network is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

SLACK = 0.05
"""Seconds by which clocks may differ and still count as one; NTP keeps them closer than that."""


@dataclass(frozen=True)
class Sighting:
    """A time on the head's clock, and two on ours between which it was taken. Unix seconds."""

    head: float
    after: float
    before: float


@dataclass(frozen=True)
class Offset:
    """Seconds by which the head's clock is ahead of ours, and the largest error of that number."""

    seconds: float
    uncertainty: float

    @property
    def matters(self) -> bool:
        """Whether the clocks are known to differ."""
        return abs(self.seconds) > self.uncertainty

    def as_dict(self) -> dict[str, Any]:
        """The offset as a run record holds it."""
        return {
            "offset_seconds": self.seconds,
            "uncertainty_seconds": self.uncertainty,
            "corrected": self.matters,
        }


SAME = Offset(0.0, 0.0)
"""The offset of a head on this machine."""


def offset(sightings: Sequence[Sighting]) -> Offset | None:
    """The offset that all sightings allow; None if they leave it unbounded or contradict."""
    low = max((seen.head - seen.before for seen in sightings), default=-inf) - SLACK
    high = min((seen.head - seen.after for seen in sightings), default=inf) + SLACK
    if low == -inf or high == inf or low > high:
        return None
    return Offset((low + high) / 2, (high - low) / 2)
