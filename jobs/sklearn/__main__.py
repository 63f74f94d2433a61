"""An existing library made parallel: scikit-learn through joblib's Ray backend.

`python -m jobs.sklearn` cross-validates a random forest that predicts tomorrow's mean temperature
from today's weather, on GSOD data: first in one process, then as Ray tasks on all task CPUs. The
code is the same, and so are the scores. It needs scikit-learn, which is an optional extra.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from statistics import mean, median
from typing import Any

from jobs import job, ratios, timing
from jobs.gsod.archive import DataProblem
from jobs.gsod.options import Options
from jobs.gsod.options import parse as parse_gsod
from jobs.gsod.sources.address import is_address
from jobs.sklearn.features import NAMES, samples

EXIT_DISAGREE, EXIT_MISSING, EXIT_DATA = 4, 6, 9
LIMITS = {"trees": 10_000, "folds": 100, "rows": 10_000_000, "repeat": 1_000}
SEED = 0


def score(features: Any, targets: Any, options: argparse.Namespace, jobs: int) -> list[float]:
    """R² of each fold, by plain scikit-learn code that does not know of Ray."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.model_selection import cross_val_score

    forest = RandomForestRegressor(n_estimators=options.trees, random_state=SEED, n_jobs=1)
    scores = cross_val_score(forest, features, targets, cv=options.folds, n_jobs=jobs)
    return [float(fold) for fold in scores]


def measure(
    arm: str, repeat: int, data: tuple[Any, Any], options: argparse.Namespace, p: int
) -> tuple[float, list[float]]:
    """Seconds and scores of one arm; only the backend differs."""
    began, clock = time.time(), time.perf_counter()
    with backend(arm, p):
        scores = score(*data, options, jobs=1 if arm == "local" else p)
    seconds = time.perf_counter() - clock
    timing.record(arm, began, seconds, arm=arm, p=p, repeat=repeat, tasks=options.folds)
    return seconds, scores


def backend(arm: str, p: int) -> AbstractContextManager[Any]:
    """joblib's Ray backend for the arm `tasks`."""
    if arm == "local":
        return nullcontext()
    import joblib

    manager: AbstractContextManager[Any] = joblib.parallel_config(backend="ray", n_jobs=p)
    return manager


def report(data: dict[str, Any]) -> list[str]:
    """The lines that the job prints."""
    local, tasks = median(data["local_seconds"]), median(data["tasks_seconds"])
    several = len(data["local_seconds"]) > 1
    return [
        f"{data['rows']:,} days, {len(NAMES)} features, {data['trees']} trees, "
        f"{data['folds']} folds; mean R² {mean(data['scores']):.4f}",
        f"scikit-learn alone: {local:.2f} s",
        f"through joblib's Ray backend: {tasks:.2f} s on p = {data['p']} task CPUs, "
        "the start of its processes included",
        *([] if data["speedup"] is None else [ratios.line(data["speedup"], data["p"])]),
        *([ratios.BY_ROUNDS] if several else []),
        "The scores of all folds are the same.",
    ]


def parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Options]:
    """The options, and the data's folder and years; exit status 2 with every problem."""
    parser = job.OptionParser("sklearn", description=__doc__.splitlines()[0])
    parser.add_argument("--data", metavar="DIR", help="folder with <year>.tar.gz (the sample)")
    parser.add_argument("--years", nargs="+", metavar="YEAR", default=["2015..2024"])
    parser.add_argument("--trees", default="60", help="trees of a forest (%(default)s)")
    parser.add_argument("--folds", default="8", help="folds, each a task (%(default)s)")
    parser.add_argument("--rows", default="20000", help="days to use at most (%(default)s)")
    parser.add_argument("--repeat", default="1", help="times to run both arms (%(default)s)")
    options = parser.parse_args(argv)
    problems = job.read_counts(options, LIMITS)
    problems += ["argument --folds: at least 2 are needed"] if options.folds == 1 else []
    if options.data and (options.data == "noaa" or is_address(options.data)):
        problems.append(
            f"argument --data: {options.data!r} is no folder: only gsod reads addresses"
        )
    if problems:
        parser.refuse(problems)
    place = ["--data", options.data] if options.data else []
    return options, parse_gsod([*place, "--years", *options.years])


def main(argv: Sequence[str] | None = None) -> int:
    options, place = parse(argv)
    timing.start("sklearn", arguments=vars(options))
    if missing := missing_modules():
        what = f"{' and '.join(missing)} not installed on the Ray node of the driver"
        return job.fail(EXIT_MISSING, "missing", what, "pip install scikit-learn")
    try:
        rows, targets = samples(place.folder, place.years, options.rows)
    except DataProblem as problem:
        return job.fail(EXIT_DATA, "data", problem.what, *problem.evidence)
    if len(rows) < 2 * options.folds:
        what = f"{len(rows)} usable days are too few for {options.folds} folds"
        return job.fail(EXIT_DATA, "data", what)
    data = _compare(rows, targets, options, sample=place.sample)
    work = _work(rows, targets, options)
    if not data["agree"]:
        return job.fail(EXIT_DISAGREE, "disagreement", "scores with and without Ray differ")
    print("\n".join(report(data)))
    timing.result(data, task_cpus=data["p"], work=work)
    return 0


def _work(
    rows: list[tuple[float, ...]], targets: list[float], options: argparse.Namespace
) -> dict[str, Any]:
    """What was done, whatever the cluster: runs of equal work can be compared."""
    data = repr((rows, targets)).encode()
    return {
        "trees": options.trees,
        "tasks": options.folds,
        "rows": len(rows),
        "data": hashlib.sha256(data).hexdigest()[:16],
    }


def missing_modules() -> list[str]:
    """The modules that the job needs besides Ray and that are not installed."""
    from importlib.util import find_spec

    return [name for name in ("joblib", "numpy", "sklearn") if find_spec(name) is None]


def _compare(
    rows: list[tuple[float, ...]], targets: list[float], options: argparse.Namespace, sample: bool
) -> dict[str, Any]:
    """Run both arms in turn, after the workers have been started."""
    import numpy as np
    import ray
    from ray.util.joblib import register_ray

    job.join_ray()
    register_ray()
    # The backend passes on an argument of joblib's, and Ray warns that it does not know it.
    logging.getLogger("ray.util.multiprocessing").setLevel(logging.ERROR)
    p = int(ray.cluster_resources().get("CPU", 0)) or 1
    data = np.array(rows), np.array(targets)
    seconds: dict[str, list[float]] = {"local": [], "tasks": []}
    seen: list[list[float]] = []
    for repeat in range(options.repeat):
        for arm, times in seconds.items():
            taken, scores = measure(arm, repeat, data, options, p)
            times.append(taken)
            seen.append(scores)
    speedup = ratios.speedup(seconds["local"], seconds["tasks"])
    return {
        "rows": len(rows),
        "sample": sample,
        "trees": options.trees,
        "folds": options.folds,
        "p": p,
        "scores": seen[0],
        "agree": all(scores == seen[0] for scores in seen),
        "local_seconds": seconds["local"],
        "tasks_seconds": seconds["tasks"],
        "speedup": speedup,
        "efficiency": speedup / p if speedup else None,
    }


if __name__ == "__main__":
    sys.exit(main())
