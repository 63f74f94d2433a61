"""Reads GSOD archives on a Ray cluster: with one task a year, or the tutorial's actors."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray

from jobs import job
from jobs.gsod.counts import Question, YearCounts
from jobs.gsod.loading import Loaded, RayLost, load_year
from jobs.gsod.sources.address import Where

SPREAD = "SPREAD"


@contextmanager
def attached() -> Iterator[None]:
    """Join the Ray cluster that this process belongs to, or start one.

    Raises RayLost if Ray gives up on work inside the block.
    """
    job.join_ray()
    try:
        yield
    except ray.exceptions.RayError as error:
        lines = str(error).strip().splitlines() or [repr(error)]
        raise RayLost(f"Ray gave up: {lines[0]}") from error


def load_by_tasks(where: Where, years: Sequence[int], question: Question) -> list[Loaded]:
    """One task per archive, spread over the cluster; a task that is lost runs again.

    Large archives go first, so that no CPU is left with one at the end.
    """
    cpus = cpus_per_task(len(years), job.task_cpus())
    task = ray.remote(num_cpus=cpus, scheduling_strategy=SPREAD)(load_year_task)
    order = sorted(years, key=lambda year: -_size(where, year))
    pending = {year: task.remote(where, year, question, cpus) for year in order}
    return [ray.get(pending[year]) for year in years]


def load_year_task(where: Where, year: int, question: Question, cpus: int) -> Loaded:
    """The body of one Ray task: one year's archive."""
    return load_year(where, year, question, _node(), cpus)


def cpus_per_task(tasks: int, cpus: Sequence[int]) -> int:
    """Two CPUs for each task if all tasks can have them at once, else one."""
    return 2 if sum(node_cpus // 2 for node_cpus in cpus) >= tasks else 1


def _size(where: Where, year: int) -> int:
    """Bytes of an archive, or its year if the driver cannot see it: years have grown."""
    try:
        return (Path(where.address) / f"{year}.tar.gz").stat().st_size
    except OSError:
        return year


def _node() -> str:
    return str(ray.get_runtime_context().get_node_id())


class GSODActor:
    """The tutorial's actor: it loads one year once and then answers questions about it.

    It keeps a few counters per station. Ray restarts an actor that died; it loads the year again
    before it answers, so no answer comes from a part of the data.
    """

    def __init__(self, where: Where, year: int, question: Question) -> None:
        self.where, self.year, self.question = where, year, question
        self.loaded: Loaded | None = None

    def load_data(self) -> Loaded:
        if self.loaded is None:
            self.loaded = load_year(self.where, self.year, self.question, _node())
        return self.loaded

    def get_row_count(self) -> int:
        return self._counts().quality.rows

    def get_station_count(self) -> int:
        return len(self.get_stations())

    def get_stations(self) -> set[str]:
        return set(self._counts().stations)

    def get_high_temp_count(self, stations: Collection[str] | None = None) -> int:
        """The number of hits, at all stations or at the named ones."""
        counted = self._counts().stations
        wanted = counted if stations is None else counted.keys() & set(stations)
        return sum(counted[station].hits.bit_count() for station in wanted)

    def _counts(self) -> YearCounts:
        loaded = self.load_data()
        if loaded.counts is None:
            raise loaded.problem or RuntimeError("neither counters nor a problem")
        return loaded.counts


def cpu_share(actors: int, task_cpus: int) -> float:
    """CPUs that each actor may hold so that all of them fit at once."""
    return 1 / -(-actors // max(task_cpus, 1))


def load_by_actors(
    where: Where, years: Sequence[int], question: Question
) -> tuple[list[Loaded], dict[str, Any]]:
    """Load each year with an actor of its own; return the results and the actors' answers."""
    actors = Actors(where, years, question)
    loaded = actors.load()
    if any(year.problem for year in loaded):
        return loaded, {}
    return loaded, {"actors": actors.ask()}


class Actors:
    """One actor a year; all of them load at the same time."""

    def __init__(self, where: Where, years: Sequence[int], question: Question) -> None:
        self.years = list(years)
        actor = ray.remote(
            num_cpus=cpu_share(len(self.years), sum(job.task_cpus())),
            scheduling_strategy=SPREAD,
            max_restarts=2,
            max_task_retries=2,
        )(GSODActor)
        self.handles: list[Any] = [actor.remote(where, year, question) for year in years]

    def load(self) -> list[Loaded]:
        return list(ray.get([actor.load_data.remote() for actor in self.handles]))

    def ask(self) -> dict[str, Any]:
        """The tutorial's questions: numbers of rows, stations, hits and hits at common stations."""
        stations = ray.get([actor.get_stations.remote() for actor in self.handles])
        common = set.intersection(*stations)
        shared = ray.put(common)
        pending = [
            (
                actor.get_row_count.remote(),
                actor.get_station_count.remote(),
                actor.get_high_temp_count.remote(),
                actor.get_high_temp_count.remote(shared),
            )
            for actor in self.handles
        ]
        answers = [ray.get(list(questions)) for questions in pending]
        rows, counts, hits, common_hits = zip(*answers, strict=True)
        return {
            "common_stations": len(common),
            "rows": list(rows),
            "stations": list(counts),
            "hits": list(hits),
            "common_hits": list(common_hits),
        }
