"""Numbers that users give: finite, and not larger than the system and Ray can take."""

from __future__ import annotations

import math
from dataclasses import dataclass

from raykit.errors import UsageError


@dataclass(frozen=True)
class Range:
    """Numbers from `least` to `most`, both included."""

    least: float
    most: float

    def read(self, given: str | float) -> float:
        """The number. Errors: ValueError if it is none, not finite (`nan`, `inf`), or outside."""
        try:
            number = float(given)
        except (ValueError, TypeError, OverflowError):
            number = math.nan
        if not self.least <= number <= self.most:  # nan is neither smaller nor larger
            raise ValueError(f"{given!r} is not a number from {self.least:g} to {self.most:,.0f}")
        return number

    def check(self, name: str, given: float | None) -> None:
        """Errors: UsageError (2) naming the argument; None passes."""
        if given is None:
            return
        try:
            self.read(given)
        except ValueError as wrong:
            raise UsageError(f"{name}: {wrong}") from wrong


SECONDS = Range(0, 366 * 86_400)
"""A time to wait: at most a year. System calls refuse far longer ones."""

DEADLINE, KEPT = Range(1, 31_536_000), Range(0, 31_536_000)
"""Seconds that a RayJob may take or may stay: at most a year."""

AMOUNT = Range(0, 1_000_000)
"""CPUs or GPUs of one driver."""

PRICE = Range(0, 1_000_000)
"""A CPU hour, in any currency."""

BYTES = Range(0, 2**63 - 1)
"""Memory, as Kubernetes and Ray count it."""

BRING_UP_SECONDS = 300
"""How long `up` and `kind up` wait until a Ray cluster is ready, by default."""
