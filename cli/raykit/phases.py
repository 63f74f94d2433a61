"""A phase: one step that raykit times, with where the time came from."""

from __future__ import annotations

from dataclasses import asdict, dataclass

RAYKIT = "raykit"
"""Source of a phase that raykit timed itself; other sources are named by whoever reads them."""

MONOTONIC = "monotonic"
WALL = "wall"
CORRECTED = "corrected"
"""Between two machines' clocks, set to one by the offset between them, which was estimated."""


@dataclass(frozen=True)
class Phase:
    """One timed step of a run.

    name: kebab-case, such as `head-ready`.
    start: Unix seconds; seconds: its length.
    source: who took the time (`raykit`, `ray job`, `ray tasks`, `kubernetes`, `job`).
    clock: `monotonic`, `wall` or `corrected`; resolution: seconds between two readings that it
    can tell apart.
    """

    name: str
    start: float
    seconds: float
    source: str = RAYKIT
    clock: str = MONOTONIC
    resolution: float = 0.001

    def as_dict(self) -> dict[str, object]:
        return asdict(self)
