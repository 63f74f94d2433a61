"""The speedup of a job that times both arms, and the lines that show it. Pure.

raykit takes the same estimate of a run's spans, so a run has one speedup wherever it is printed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations_with_replacement
from statistics import median

BY_ROUNDS = "The speedup compares the arms round by round (Hodges-Lehmann), not the medians."
"""Why a speedup of several rounds may differ from the ratio of the times that a job prints."""


def speedup(local: Sequence[float], tasks: Sequence[float]) -> float | None:
    """How many times as fast the tasks were; None unless every round timed both arms.

    local, tasks: seconds, one of each a round. Hodges and Lehmann's estimate on logarithms: the
    median of the means of any two rounds' log ratios, a round paired with itself included.
    """
    if not local or len(local) != len(tasks) or min(*local, *tasks) <= 0:
        return None
    logs = [math.log(a) - math.log(b) for a, b in zip(local, tasks, strict=True)]
    return math.exp(median((a + b) / 2 for a, b in combinations_with_replacement(logs, 2)))


def line(speedup: float, p: int) -> str:
    """The line that shows a speedup on p task CPUs, and the efficiency: speedup over p."""
    efficiency = speedup / p
    return f"Speedup: {speedup:.2f} on p = {p} task CPUs, parallel efficiency: {efficiency:.2f}"
