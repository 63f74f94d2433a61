"""The time that a run may take, over all the waits and starts that it needs."""

from __future__ import annotations

import time


class Budget:
    """Seconds that begin with the first wait. seconds: None: without end."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.end: float | None = None

    def left(self) -> float | None:
        """The seconds that are left, at least 0; None if there is no end."""
        if self.seconds is None:
            return None
        if self.end is None:
            self.end = time.monotonic() + self.seconds
        return max(self.end - time.monotonic(), 0.0)

    def extend(self, seconds: float) -> None:
        """Leave seconds out of the account, such as those in a queue."""
        if self.end is not None:
            self.end += seconds
