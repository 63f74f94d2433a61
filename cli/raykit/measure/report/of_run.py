"""The report of one run."""

from __future__ import annotations

from collections.abc import Sequence

from raykit.measure import doubts, strip
from raykit.measure.compare import arms_of, outcome
from raykit.measure.records import NOT_SUBMITTED, UNFINISHED, RunRecord
from raykit.measure.report import sections
from raykit.measure.report.drawing import HEADING, Plot, shortened
from raykit.measure.report.page import Page
from raykit.measure.report.plots import gantt, points, waterfall
from raykit.measure.strip.tasks import LOCAL_ARM

ENDINGS = {
    UNFINISHED: "raykit did not see its end",
    NOT_SUBMITTED: "Ray never took it",
}


def page(record: RunRecord, log: bytes | None, again: Sequence[str]) -> str:
    """The document. log: the driver's, None if it is gone; again: commands to repeat the run."""
    found = doubts.of_run(record)
    job = " ".join(map(str, [record.job["name"], *record.job["arguments"]]))
    tasks = gantt.of_tasks(record.tasks, "gantt", "Tasks over time")
    return Page(
        title=f"{job}: raykit report",
        about=f"raykit report of the run {record.id}",
        heading=shortened(job, HEADING),
        answer=_answer(record),
        doubts=list(dict.fromkeys(doubt.name for doubt in found)),
        sections=[
            *sections.figure("phases", "Where the time went", waterfall.of_run(record)),
            *sections.figure("tasks", "Tasks", tasks),
            *sections.figure("samples", "Repeats", _repeats(record)),
            *sections.results(record),
            *sections.environment([record]),
            *sections.doubts(found),
            *sections.log(log),
            *sections.commands(again),
        ],
    ).html()


def _repeats(record: RunRecord) -> Plot | None:
    arms = {arm.name: arm.samples for arm in arms_of(record) if arm.source == "spans"}
    return points.of_samples(arms, "one timing of the job's own")


def _answer(record: RunRecord) -> list[str]:
    """First what the job timed, if it did; then how its task CPUs were used, and how it ended."""
    sentences = [
        f"{arm.name} took {arm.speedup.inverted()} of {LOCAL_ARM}'s time on {arm.p:g} task CPUs "
        f"({arm.timing.n} {'round' if arm.timing.n == 1 else 'rounds'}): {outcome(arm.speedup)}."
        for arm in arms_of(record)
        if arm.speedup is not None
    ]
    ended = _ending(record)
    if record.status != "SUCCEEDED":
        return [ended, *([record.message] if record.message else [])]
    return [*sentences, strip.verdict(record.tasks), ended]


def _ending(record: RunRecord) -> str:
    how = ENDINGS.get(record.status) or f"Ray says {record.status}"
    if record.status == "SUCCEEDED":
        how = "it succeeded"
    took = "" if record.ended is None else f" after {record.ended - record.started:.1f} s"
    cause = f" ({record.cause})" if record.cause else ""
    place = str(record.target.get("chosen") or "the job")
    return f"{place[:1].upper()}{place[1:]}: {how}{cause}{took}."
