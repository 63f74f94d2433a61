"""How a search for the break-even size is shown: the answer, the sizes, the doubts."""

from __future__ import annotations

import csv
import io

from raykit.app import output
from raykit.measure.experiment.break_even import Point
from raykit.measure.experiment.break_even_result import BreakEven, values

HEADER = ["SIZE", "N", "LOCAL", "TASKS", "LOCAL/TASKS", "FASTER"]
LEGEND = (
    "N: rounds. LOCAL, TASKS: median seconds. LOCAL/TASKS: median of the rounds' ratios, above "
    "1.00 where tasks are faster; in brackets its {level:.1%} interval (sign test), so that all "
    "{sizes} sizes together err in at most 5 % of searches. It assumes one break-even size."
)


def as_text(result: BreakEven) -> str:
    """The search for a terminal."""
    parts = [
        *(output.wrapped(sentence) for sentence in result.sentences),
        "",
        f"{result.job}; on {result.on}; p = {result.p:g} task CPUs",
    ]
    if result.points:
        parts.append(output.table(HEADER, [_row(point) for point in result.points]))
        parts.append(output.wrapped(_legend(result)))
    parts += output.doubts(result.doubts)
    return "\n".join(parts)


def as_markdown(result: BreakEven) -> str:
    """The search for a pull request or a document."""
    lines = [f"**{result.sentences[0]}**", *result.sentences[1:], ""]
    lines += [f"`{result.job}`, on `{result.on}`, p = {result.p:g} task CPUs", ""]
    lines += ["| " + " | ".join(name.lower() for name in HEADER) + " |"]
    lines += ["|---:" * (len(HEADER) - 1) + "|---|"]
    lines += ["| " + " | ".join(_row(point)) + " |" for point in result.points]
    lines += ["", _legend(result)]
    if result.doubts:
        lines += ["", *(f"- `{doubt.name}`: {doubt.why}" for doubt in result.doubts)]
    return "\n".join(lines)


def as_csv(result: BreakEven) -> str:
    """The sizes as CSV, numbers in full."""
    rows = values(result)
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return out.getvalue().rstrip("\n")


def _legend(result: BreakEven) -> str:
    return LEGEND.format(level=result.level, sizes=result.search.most_sizes)


def _row(point: Point) -> list[str]:
    return [
        f"{point.size:,}",
        str(point.rounds),
        f"{point.local_seconds:.3f}",
        f"{point.tasks_seconds:.3f}",
        str(point.ratio),
        str(point.winner),
    ]
