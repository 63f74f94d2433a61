"""The article's comparison as published, run by its actors side by side; for comparison only."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray

from jobs import timing
from jobs.gsod_archive import archive_path
from jobs.gsod_cluster import SPREAD, cpu_share, task_cpus
from jobs.gsod_problem import DataProblem
from jobs.gsod_tutorial import TutorialYear, fits, inflated_bytes


class MemoryShortage(Exception):
    """The years do not fit into the cluster's memory, all rows loaded side by side."""


def compare_years(folder: Path, years: Sequence[int], high_temp: float) -> dict[str, Any]:
    """Load all years at once, intersect their stations, count over the intersection.

    Raises DataProblem, or MemoryShortage before anything is loaded.
    """
    _check_memory(folder, years)
    share = cpu_share(len(years), sum(task_cpus()))
    remote = ray.remote(num_cpus=share, scheduling_strategy=SPREAD)(TutorialYear)
    actors = [remote.remote(str(folder), year, high_temp) for year in years]
    began, clock = time.time(), time.perf_counter()
    problems = [each for each in ray.get([a.load_data.remote() for a in actors]) if each]
    if problems:
        raise problems[0]
    seconds = time.perf_counter() - clock
    timing.record("load", began, seconds, method="tutorial")
    stations = ray.get([actor.get_stations.remote() for actor in actors])
    common = set.intersection(*stations)
    hits = ray.get([actor.get_high_temp_count.remote(common) for actor in actors])
    rows = ray.get([actor.get_row_count.remote() for actor in actors])
    answers = [
        {"year": year, "hits": count, "rows": size, "stations": len(names)}
        for year, count, size, names in zip(years, hits, rows, stations, strict=True)
    ]
    return {"common_stations": len(common), "years": answers, "load_seconds": seconds}


def _check_memory(folder: Path, years: Sequence[int]) -> None:
    size = ray.remote(num_cpus=0)(archive_size)
    sizes = ray.get([size.remote(str(folder), year) for year in years])
    problem = next((each for each in sizes if isinstance(each, DataProblem)), None)
    if problem:
        raise problem
    memories = [int(node["Resources"].get("memory", 0)) for node in ray.nodes() if node["Alive"]]
    if not fits(sizes, memories):
        raise MemoryShortage(
            f"{sum(sizes) / 1e9:.1f} GB of CSV, about eight times that as rows; "
            f"Ray offers {sum(memories) / 1e9:.1f} GB on {len(memories)} Ray nodes"
        )


def archive_size(folder: str, year: int) -> int | DataProblem:
    """The body of a Ray task: what an archive inflates to."""
    try:
        return inflated_bytes(archive_path(Path(folder), year))
    except DataProblem as problem:
        return problem


def lines(found: dict[str, Any]) -> list[str]:
    """The article's three lines, and what not to take from them."""
    return [
        f"Number of stations in common: {found['common_stations']}",
        *(
            f"{each['year']} - High temp count for common stations: {each['hits']}"
            for each in found["years"]
        ),
        "Read by the article's loader: nothing is checked, a missing value counts as hot.",
    ]
