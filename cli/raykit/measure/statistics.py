"""Samples and ratios: what a few timings say, and how sure one can be of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds of one arm, measured `n` times.

    seconds: the median; spread: the sample's standard deviation, None for one sample.
    """

    seconds: float
    n: int
    spread: float | None

    @classmethod
    def of(cls, samples: Sequence[float]) -> Timing:
        """Errors: ValueError without samples."""
        if not samples:
            raise ValueError("no samples")
        spread = statistics.stdev(samples) if len(samples) > 1 else None
        return cls(statistics.median(samples), len(samples), spread)


@dataclass(frozen=True)
class Ratio:
    """One timing over another; error: one standard deviation, None where a sample is single."""

    value: float
    error: float | None

    @classmethod
    def of(cls, over: Timing, under: Timing) -> Ratio | None:
        """over / under, the relative errors added in quadrature; None over zero seconds."""
        if under.seconds <= 0 or over.seconds <= 0:
            return None
        value = over.seconds / under.seconds
        if over.spread is None or under.spread is None:
            return cls(value, None)
        relative = math.hypot(over.spread / over.seconds, under.spread / under.seconds)
        return cls(value, value * relative)

    def divided(self, by: float) -> Ratio:
        """The ratio per `by`, such as an efficiency per task CPU."""
        return Ratio(self.value / by, None if self.error is None else self.error / by)

    def __str__(self) -> str:
        return f"{self.value:.2f}" + ("" if self.error is None else f" ± {self.error:.2f}")


def serial_fraction(speedup: float, p: float) -> float | None:
    """Karp and Flatt's (1/S − 1/p)/(1 − 1/p); None for one task CPU, where it means nothing."""
    if p <= 1 or speedup <= 0:
        return None
    return (1 / speedup - 1 / p) / (1 - 1 / p)
