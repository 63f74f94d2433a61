"""Reads one year as a unit of work, with its time and memory. Does not import Ray."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass, field

from jobs import timing
from jobs.gsod.archive import DataProblem
from jobs.gsod.counts import Question, YearCounts
from jobs.gsod.sources.address import Where
from jobs.gsod.sources.effort import Effort


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
    effort: Effort = field(default_factory=Effort)
    counts: YearCounts | None = None
    problem: DataProblem | None = None


def load_year(where: Where, year: int, question: Question, node: str = "", cpus: int = 1) -> Loaded:
    """Read one year's archive. A data problem is returned, so that all years report theirs."""
    before = _peak_bytes()
    # Imported here: a driver that only submits tasks does not need NumPy.
    from jobs.gsod.reading.year import WITH_NUMPY
    from jobs.gsod.sources.years import read

    began, clock, processor, held_back = _clocks()
    effort, counts, problem = Effort(), None, None
    try:
        counts, waited = read(where, year, question, cpus)
        after = _clocks()
        size = counts.archive["bytes"]
        effort = Effort(size, waited, after[2] - processor, after[3] - held_back, WITH_NUMPY)
    except DataProblem as error:
        problem = error
    seconds = time.perf_counter() - clock
    memory = _peak_bytes() - before
    return Loaded(year, began, seconds, node, cpus, memory, effort, counts, problem)


def _clocks() -> tuple[float, float, float, float]:
    """Unix seconds, and seconds of a monotonic clock, of processors, and held back by a limit."""
    return time.time(), time.perf_counter(), time.process_time(), timing.throttled_seconds()


def _peak_bytes() -> int:
    """The most memory that this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
