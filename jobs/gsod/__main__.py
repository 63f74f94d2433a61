"""The tutorial's second question: was one year hotter than another, on the stations of both?

`python -m jobs.gsod --data DIR --years 1980 2020 --high-temp 100` reads NOAA's yearly archives, one
task or one actor each, and counts the days at or above a temperature. If the data cannot be
trusted, it exits with status 9 instead of giving a number.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from jobs import job, timing
from jobs.gsod import report
from jobs.gsod.answer import answer
from jobs.gsod.archive import DataProblem, ranges
from jobs.gsod.counts import YearCounts
from jobs.gsod.loading import Loaded, RayLost, load_year
from jobs.gsod.options import Options, parse
from jobs.gsod.sources import effort

EXIT_MEMORY = 3
EXIT_RAY = 5
EXIT_DATA = 9


def main(argv: Sequence[str] | None = None) -> int:
    options = parse(argv)
    timing.start("gsod", arguments=options.words)
    if options.sample and options.format == "table":
        print(f"No --data: the sample's years are compared ({_asked(options)}).")
    if options.method == "tutorial":
        return _by_the_tutorial(options)
    try:
        loaded, extra, task_cpus = _load(options)
    except RayLost as lost:
        return job.fail(EXIT_RAY, "ray", str(lost))
    problems = [year.problem for year in loaded if year.problem]
    years = [year.counts for year in loaded if year.counts]
    if options.strict:
        problems += [problem for problem in map(_strict_problem, years) if problem]
    if problems:
        return _fail(problems)
    _spans(loaded)
    try:
        compared = answer(years, options.coverage, options.pairwise)
    except DataProblem as problem:
        return _fail([problem])
    print(report.render(options, compared, years))
    how = _how(options, loaded)
    if options.format == "table" and not options.sample:
        print("\n".join(effort.lines(how["reading"], how["makespan_seconds"], report.COLUMNS)))
    timing.result(
        {**report.data(options, compared, years), **how, **extra},
        task_cpus=task_cpus,
        work=report.work(options, years),
    )
    return 0


def _by_the_tutorial(options: Options) -> int:
    """The tutorial's algorithm, for comparison only."""
    from jobs.gsod import on_ray, tutorial

    threshold = options.question.threshold
    try:
        with on_ray.attached():
            task_cpus = sum(job.task_cpus())
            compared = tutorial.compare_years(options.folder, options.years, threshold)
    except DataProblem as problem:
        return _fail([problem])
    except tutorial.MemoryShortage as shortage:
        return job.fail(EXIT_MEMORY, "memory", "the years do not fit into memory", str(shortage))
    except RayLost as lost:
        return job.fail(EXIT_RAY, "ray", str(lost))
    print("\n".join(tutorial.lines(compared)))
    timing.result(
        {"method": "tutorial", "sample": options.sample, **compared},
        task_cpus=task_cpus,
        work={
            "years": list(options.years),
            **report.question(options),
            "rows": sum(each["rows"] for each in compared["years"]),
        },
    )
    return 0


def _asked(options: Options) -> str:
    return f"{ranges(sorted(options.years))}, {options.question}"


def _load(options: Options) -> tuple[list[Loaded], dict[str, Any], int | None]:
    """Read every year by the method of the options.

    Also returns the actors' answers, if any, and the task CPUs that Ray offers, None without Ray.
    Raises RayLost if Ray could not finish the work.
    """
    where, years, question = options.where, options.years, options.question
    if options.method == "local":
        return [load_year(where, year, question) for year in years], {}, None
    from jobs.gsod import on_ray

    with on_ray.attached():
        task_cpus = sum(job.task_cpus())
        if options.method == "tasks":
            return on_ray.load_by_tasks(where, years, question), {}, task_cpus
        return *on_ray.load_by_actors(where, years, question), task_cpus


def _spans(loaded: Sequence[Loaded]) -> None:
    for year in loaded:
        timing.record(
            f"load:{year.year}",
            year.start,
            year.seconds,
            ray_node=year.node,
            cpus=year.cpus,
            bytes=year.effort.bytes,
            waited_seconds=year.effort.waited,
        )
    first, last = _makespan(loaded)
    timing.record("makespan", first, last - first, clock="wall")


def _makespan(loaded: Sequence[Loaded]) -> tuple[float, float]:
    return min(year.start for year in loaded), max(year.start + year.seconds for year in loaded)


def _how(options: Options, loaded: Sequence[Loaded]) -> dict[str, Any]:
    first, last = _makespan(loaded)
    return {
        "method": options.method,
        "makespan_seconds": last - first,
        "work_seconds": sum(year.seconds for year in loaded),
        "task_memory_bytes": max(year.memory for year in loaded),
        "reading": effort.summary(loaded, last - first),
        "ray_nodes_used": len({year.node for year in loaded if year.node}),
    }


def _strict_problem(year: YearCounts) -> DataProblem | None:
    """The problem, with --strict, of a year with rows that would be left out; None without any."""
    quality = year.quality
    names = ("refused", "bad_dates", "other_years", "duplicate_days")
    refused = [f"{getattr(quality, n)} {n.replace('_', ' ')}" for n in names if getattr(quality, n)]
    if not refused:
        return None
    return DataProblem(f"{year.year}: {', '.join(refused)} (--strict)", *quality.examples)


def _fail(problems: Sequence[DataProblem]) -> int:
    """Report every problem of the data in place of an answer; returns the exit status."""
    what = problems[0].what if len(problems) == 1 else f"{len(problems)} archives are unusable"
    evidence: list[str] = []
    for problem in problems:
        evidence += [problem.what] if len(problems) > 1 else []
        evidence += problem.evidence
    # Archives that are missing from one folder have the same evidence.
    return job.fail(EXIT_DATA, "data", what, *dict.fromkeys(evidence))


if __name__ == "__main__":
    sys.exit(main())
