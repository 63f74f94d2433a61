"""What a comparison of arms says, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from raykit.measure.doubts import Doubt
from raykit.measure.experiment.outlook import Outlook
from raykit.measure.statistics import Ratio, Timing


@dataclass(frozen=True)
class ArmResult:
    """One arm.

    seconds: T; overhead: what each run took beyond T, median seconds; cold: medians of its cold
    starts; took, speedup, efficiency: against the baseline, None for the baseline. task_overhead:
    CPU seconds beyond the baseline's for each task, where that has one task CPU and the work is the
    same; cost: of one run, the median. samples: T of each run, by round.
    """

    name: str
    p: float
    rounds: int
    seconds: Timing
    source: str
    overhead: float | None
    cold: Timing | None
    retried: int
    took: Ratio | None = None
    speedup: Ratio | None = None
    efficiency: Ratio | None = None
    serial_fraction: float | None = None
    samples: tuple[float, ...] = ()
    task_overhead: float | None = None
    cost: float | None = None


@dataclass(frozen=True)
class ArmsCompared:
    """An experiment's arms. baseline: the name of the arm that the others are compared with.

    outlook: how far the job scales, from four sizes on; price: of a CPU hour, None if nobody
    asked for costs.
    """

    experiment: str
    job: str
    scaling: str
    baseline: str
    arms: list[ArmResult]
    sentences: list[str]
    phases: dict[str, list[float | None]]
    doubts: list[Doubt]
    outlook: Outlook | None = None
    price: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The comparison as JSON data."""
        return {**asdict(self), "outlook": self.outlook.as_dict() if self.outlook else None}
