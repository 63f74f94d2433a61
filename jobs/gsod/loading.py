"""Reading one year as a piece of work: what came of it, and how long it took. Knows no Ray."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from jobs.gsod.archive import DataProblem, archive_path
from jobs.gsod.counts import Question, YearCounts


class RayLost(Exception):
    """Ray could not bring the work to an end: a worker or an actor died too often."""


@dataclass(frozen=True)
class Loaded:
    """What became of one year: its counters or its problem, when, how long, on which Ray node.

    memory: bytes by which the most that the process ever held grew meanwhile.
    """

    year: int
    start: float
    seconds: float
    node: str = ""
    cpus: int = 1
    memory: int = 0
    counts: YearCounts | None = None
    problem: DataProblem | None = None


def load_year(folder: str, year: int, question: Question, node: str = "", cpus: int = 1) -> Loaded:
    """Read one year's archive; a data problem is an answer too, so that all are seen at once."""
    before = _peak_bytes()
    # Here, so that a driver that only hands out work does not wait for NumPy.
    from jobs.gsod.reading.year import read_year

    began, clock = time.time(), time.perf_counter()
    counts, problem = None, None
    try:
        counts = read_year(archive_path(Path(folder), year), year, question, threads=cpus)
    except DataProblem as found:
        problem = found
    seconds = time.perf_counter() - clock
    return Loaded(year, began, seconds, node, cpus, _peak_bytes() - before, counts, problem)


def _peak_bytes() -> int:
    """The most memory that this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
