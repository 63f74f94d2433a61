"""The rounds of an experiment as a plot for a terminal: a row an arm, a sign a round."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from raykit.measure.experiment.arm_results import ArmResult

LABEL_SHARE = 4
"""Names take at most one of so many parts of the width."""
ONE, MORE, MEDIAN, WITHIN, EMPTY = "·", ":", "◆", "─", " "
FULL, IDEAL = "█", "┊"
LEGEND = "· a round  : several  ◆ the median  ─ its 95 % interval"


def repeats(arms: Sequence[ArmResult], width: int) -> list[str]:
    """T of every round, on one scale; lines of at most `width` columns, none for equal times."""
    times = [seconds for arm in arms for seconds in arm.samples]
    low, high = min(times, default=0.0), max(times, default=0.0)
    if high <= low:
        return []
    room = _room(arms, width)
    columns = width - room - len(" ||")

    def column(seconds: float) -> int:
        share = (min(max(seconds, low), high) - low) / (high - low)
        return round(share * (columns - 1))

    rows = [f"{_label(arm, room)} |{_round_signs(arm, columns, column)}|" for arm in arms]
    return [f"T of each round, from {low:.3f} to {high:.3f} s", *rows, LEGEND[:width]]


def speedups(arms: Sequence[ArmResult], p_base: float, width: int) -> list[str]:
    """Speedup against the ideal; none unless arms of three sizes or more can be seen."""
    sizes = {arm.p for arm in arms if arm.speedup is not None} | {p_base}
    if len(sizes) < 3 or p_base <= 0:
        return []
    values = {arm.name: arm.speedup.value if arm.speedup else 1.0 for arm in arms}
    most = max(*values.values(), max(sizes) / p_base)
    room = _room(arms, width)
    columns = width - room - len(" || 12.34")
    rows = []
    for arm in arms:
        cells = [EMPTY] * columns
        done = max(round(values[arm.name] / most * columns), 1)
        cells[:done] = [FULL] * done
        ideal = min(round(arm.p / p_base / most * columns), columns) - 1
        cells[ideal] = IDEAL if cells[ideal] == EMPTY else cells[ideal]
        rows.append(f"{_label(arm, room)} |{''.join(cells)}| {values[arm.name]:5.2f}")
    return [f"speedup (█), and where the ideal is ({IDEAL})", *rows]


def _round_signs(arm: ArmResult, columns: int, column: Callable[[float], int]) -> str:
    cells = [EMPTY] * columns
    timing = arm.seconds
    if timing.low is not None and timing.high is not None:
        first, last = column(timing.low), column(timing.high)
        cells[first : last + 1] = [WITHIN] * (last + 1 - first)
    for seconds in arm.samples:
        at = column(seconds)
        cells[at] = MORE if cells[at] in (ONE, MORE) else ONE
    cells[column(timing.seconds)] = MEDIAN
    return "".join(cells)


def _room(arms: Sequence[ArmResult], width: int) -> int:
    return min(max(len(arm.name) for arm in arms), width // LABEL_SHARE)


def _label(arm: ArmResult, room: int) -> str:
    name = arm.name if len(arm.name) <= room else f"{arm.name[: room - 1]}…"
    return name.ljust(room)
