"""What the arms of an experiment say in words, and what is in doubt about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from raykit.measure import doubts
from raykit.measure.compare import SAME_MACHINE_SAYS, outcome
from raykit.measure.doubts import Doubt
from raykit.measure.experiment.plan import Scaling
from raykit.measure.records import RunRecord
from raykit.measure.statistics import Ratio

if TYPE_CHECKING:
    from raykit.measure.experiment.arm_results import ArmResult

ROUNDS_FOR_AN_INTERVAL = 6
MORE_OVERHEAD, SERIAL_PART = "overhead that grows with p", "a serial part of the work"


def sentences(arms: Sequence[ArmResult], base: str, reasons: Sequence[Doubt]) -> list[str]:
    """One sentence an arm, the answer first."""
    one_machine = any(doubt.name == "SAME_MACHINE" for doubt in reasons)
    lines = []
    for arm in arms:
        if arm.took is None:
            continue
        rounds = f"{arm.rounds} round{'s' if arm.rounds != 1 else ''}"
        lines.append(
            f"{arm.name} took {arm.took} of {base}'s time ({rounds}): "
            f"{outcome(arm.took.inverted())}."
        )
    return [*lines, *([SAME_MACHINE_SAYS] if one_machine and lines else [])]


def trend(arms: Sequence[ArmResult], p_base: float, scaling: Scaling) -> list[str]:
    """What Karp and Flatt's fraction does as p grows; it takes two arms to see."""
    points = sorted((arm.p, arm.serial_fraction) for arm in arms if arm.serial_fraction is not None)
    if scaling is Scaling.weak or p_base != 1 or len(points) < 2:
        return []
    first, last = points[0][1], points[-1][1]
    rises = last > 1.25 * first and last - first > 0.02
    why = MORE_OVERHEAD if rises else SERIAL_PART
    verb = "rises" if rises else "stays about the same"
    return [
        f"The serial fraction {verb} ({first:.2f} at p = {points[0][0]:g}, {last:.2f} at "
        f"p = {points[-1][0]:g}): that points to {why}."
    ]


def find_doubts(records: Sequence[RunRecord], arms: Sequence[ArmResult]) -> list[Doubt]:
    """The doubts of all runs, each kind once, with how many runs it touches."""
    gathered = doubts.of_experiment(records)
    few = min((arm.rounds for arm in arms), default=0)
    if few < ROUNDS_FOR_AN_INTERVAL:
        name = "SINGLE_SAMPLE" if few == 1 else "FEW_SAMPLES"
        gathered.insert(
            0,
            Doubt(
                name,
                f"{few} round{'s' if few != 1 else ''}; a ratio has its interval from "
                f"{ROUNDS_FOR_AN_INTERVAL} on",
                f"repeat the command with --repeat {ROUNDS_FOR_AN_INTERVAL} and the same --id",
            ),
        )
    for arm in arms:
        if arm.efficiency and _surely(arm.efficiency) >= doubts.SUPERLINEAR:
            gathered.append(
                Doubt(
                    "SUPERLINEAR",
                    f"{arm.name}: an efficiency of {arm.efficiency.value:.2f}",
                    "more than its CPUs can give: look at load, caches and first runs",
                )
            )
    short = [arm.name for arm in arms if arm.seconds.seconds < doubts.TOO_SHORT_SECONDS]
    if short:
        gathered.append(
            Doubt(
                "TOO_SHORT",
                f"under {doubts.TOO_SHORT_SECONDS:g} s: {', '.join(short)}",
                "give the job more work; Ray's own overhead decides at this length",
            )
        )
    return gathered


def _surely(ratio: Ratio) -> float:
    """The least that a ratio is: the lower end of its interval, or the value if it has none."""
    return ratio.value if ratio.low is None else ratio.low
