"""The report of a search for the break-even size."""

from __future__ import annotations

from collections.abc import Sequence

from raykit.measure.experiment.break_even_result import BreakEven
from raykit.measure.records import RunRecord
from raykit.measure.report import sections
from raykit.measure.report.drawing import HEADING, shortened
from raykit.measure.report.page import Page
from raykit.measure.report.plots import break_even


def page(found: BreakEven, records: Sequence[RunRecord], again: Sequence[str]) -> str:
    """The document. records: of the search's runs; again: commands to repeat it."""
    plot = break_even.of_points(found.points, found.answer)
    return Page(
        title=f"{found.job}: raykit report",
        about=f"raykit report of the search {found.experiment}, on {found.on}, p = {found.p:g}",
        heading=shortened(found.job, HEADING),
        answer=found.sentences,
        doubts=list(dict.fromkeys(doubt.name for doubt in found.doubts)),
        sections=[
            *sections.figure("size", "Break-even size", plot),
            *sections.environment(records),
            *sections.doubts(found.doubts),
            *sections.commands(again),
        ],
    ).html()
