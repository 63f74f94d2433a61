"""Reading one year as a piece of work: what came of it, and how long it took. Knows no Ray."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from jobs.gsod_archive import archive_path, read_year
from jobs.gsod_counts import Question, YearCounts
from jobs.gsod_problem import DataProblem


@dataclass(frozen=True)
class Loaded:
    """What became of one year: its counters or its problem, when, how long, on which Ray node."""

    year: int
    start: float
    seconds: float
    node: str = ""
    counts: YearCounts | None = None
    problem: DataProblem | None = None


def load_year(folder: str, year: int, question: Question, node: str = "") -> Loaded:
    """Read one year's archive; a data problem is an answer too, so that all are seen at once."""
    began, clock = time.time(), time.perf_counter()
    counts, problem = None, None
    try:
        counts = read_year(archive_path(Path(folder), year), year, question)
    except DataProblem as found:
        problem = found
    return Loaded(year, began, time.perf_counter() - clock, node, counts, problem)
