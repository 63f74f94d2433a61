"""Reads one year as a unit of work, with its time and memory. Does not import Ray."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from jobs.gsod.archive import DataProblem, archive_path
from jobs.gsod.counts import Question, YearCounts


class RayLost(Exception):
    """Ray could not finish the work: a worker or an actor died too often."""


@dataclass(frozen=True)
class Loaded:
    """The result of reading one year: its counters or its problem.

    start: Unix seconds. node, cpus: the Ray node, and the task's CPUs. memory: bytes by which the
    peak memory of the process grew.
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
    """Read one year's archive. A data problem is returned, so that all years report theirs."""
    before = _peak_bytes()
    # Imported here: a driver that only submits tasks does not need NumPy.
    from jobs.gsod.reading.year import read_year

    began, clock = time.time(), time.perf_counter()
    counts, problem = None, None
    try:
        counts = read_year(archive_path(Path(folder), year), year, question, threads=cpus)
    except DataProblem as error:
        problem = error
    seconds = time.perf_counter() - clock
    return Loaded(year, began, seconds, node, cpus, _peak_bytes() - before, counts, problem)


def _peak_bytes() -> int:
    """The most memory that this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
