"""A phase: one timed step of a run, with the source and the resolution of its times."""

from __future__ import annotations

from dataclasses import asdict, dataclass

RAYKIT = "raykit"
"""Source of a phase that raykit timed itself. The modules that read other sources name those."""

MONOTONIC = "monotonic"
WALL = "wall"
CORRECTED = "corrected"
"""Times of two machines' clocks, corrected by an estimate of the offset between them."""


@dataclass(frozen=True)
class Phase:
    """One timed step of a run.

    name: kebab-case, such as `head-ready`.
    start: Unix seconds. seconds: its length.
    source: who took the times (`raykit`, `ray job`, `ray tasks`, `kubernetes`, `job`).
    clock: `monotonic`, `wall` or `corrected`.
    resolution: the smallest difference, in seconds, that the clock shows.
    """

    name: str
    start: float
    seconds: float
    source: str = RAYKIT
    clock: str = MONOTONIC
    resolution: float = 0.001

    def as_dict(self) -> dict[str, object]:
        return asdict(self)
