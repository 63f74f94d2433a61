"""How long runs will take, from runs of the same job that are on disk."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from raykit.errors import RaykitError
from raykit.measure.records import RunRecord, RunsFolder

NEWEST, ENOUGH = 200, 10
"""So many of the newest records are looked at, until so many of the same job were found."""


@dataclass(frozen=True)
class Usual:
    """seconds: of one run, from submission to end, the median; runs: how many that comes from."""

    seconds: float
    runs: int


def usual(runs: RunsFolder, job: str, arguments: Sequence[str]) -> Usual | None:
    """What a run of a job usually takes; None if none has ended well here.

    Runs that were given all of the arguments count before others.
    """
    ended = _ended(runs, job)
    alike = [record for record in ended if set(arguments) <= set(record.job["arguments"])]
    seconds = [
        record.ended - record.started for record in alike or ended if record.ended is not None
    ]
    return Usual(statistics.median(seconds), len(seconds)) if seconds else None


def _ended(runs: RunsFolder, job: str) -> list[RunRecord]:
    records: list[RunRecord] = []
    for run_id in reversed(runs.ids()[-NEWEST:]):
        try:
            record = runs.read(run_id)
        except RaykitError:
            continue
        if record.job["name"] == job and record.status == "SUCCEEDED":
            records.append(record)
        if len(records) == ENOUGH:
            break
    return records


def in_words(count: int, usual: Usual | None, job: str, most: bool = False) -> str:
    """How long so many runs take, as a line. most: `count` is the most that there can be."""
    from raykit.flows.experiments.making import duration

    if usual is None:
        return f"how long: unknown, no run of {job} is on record here"
    earlier = "1 earlier run" if usual.runs == 1 else f"{usual.runs} earlier runs"
    about = "at most about" if most else "about"
    return f"how long: {about} {duration(count * usual.seconds)}, by {earlier} of {job}"
