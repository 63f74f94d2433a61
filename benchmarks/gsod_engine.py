"""How fast GSOD archives are read: the engine, the floor under it, and the tutorial's loader.

    python benchmarks/gsod_engine.py FOLDER --years 1980 2020 --runs 5

FOLDER holds `<year>.tar.gz`, such as `gsod_generate.py` makes. The arms take turns, in fresh
processes: `floor` inflates the archives by igzip to nowhere, `engine` is what a task of the job
does, `ahead` the same with a second thread, `irregular` the engine on the archives of another
folder (only with --irregular FOLDER: `gsod_generate.py --irregular 3` makes one), `tutorial` the
tutorial's loader, one year after the other (a minute and 13 GB for two full years; only with
--tutorial). All but the last read the archives side by side, in as many processes as `--processes`
says. Printed are the medians of the makespan, the sum of processor time, their ratios to the floor
and to the engine, and the peak memory of a process above that of one that reads nothing.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from jobs.gsod.counts import Question
from jobs.gsod.tutorial import TutorialYear

QUESTION = Question("TEMP", ">=", 100.0)


def inflate(path: Path) -> None:
    from isal import igzip

    with igzip.open(path, "rb") as file:
        while file.read(2**20):
            pass


def engine(path: Path) -> None:
    from jobs.gsod.reading.year import read_year

    read_year(path, _year(path), QUESTION)


def ahead(path: Path) -> None:
    from jobs.gsod.reading.year import read_year

    read_year(path, _year(path), QUESTION, threads=2)


def tutorial(path: Path) -> None:
    loader = TutorialYear(str(path.parent), _year(path), QUESTION.threshold)
    problem = loader.load_data()
    if problem:
        raise problem
    loader.get_high_temp_count()


def nothing(path: Path) -> None:
    """What a process weighs that reads nothing."""


ARMS: dict[str, Callable[[Path], None]] = {
    "nothing": nothing,
    "floor": inflate,
    "engine": engine,
    "ahead": ahead,
    "irregular": engine,
    "tutorial": tutorial,
}
IMPORTS = {
    "floor": ["isal.igzip"],
    "engine": ["jobs.gsod.reading.year"],
    "ahead": ["jobs.gsod.reading.year"],
    "irregular": ["jobs.gsod.reading.year"],
}


def _year(path: Path) -> int:
    return int(path.name.removesuffix(".tar.gz"))


Work = tuple[float, float, float, int]


def work(arm: str, path: Path) -> Work:
    """Run one arm on one archive: wall clock at start and end, processor seconds, peak bytes.

    Imports count into memory, not into time, as in a task of the job.
    """
    for name in IMPORTS.get(arm, ()):
        import_module(name)
    began, processor = time.time(), time.process_time()
    ARMS[arm](path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return began, time.time(), time.process_time() - processor, peak


def makespan(done: list[Work]) -> float:
    """Seconds from the first start to the last end."""
    return max(end for _, end, _, _ in done) - min(start for start, _, _, _ in done)


def largest_first(paths: list[Path]) -> list[Path]:
    """In the order of the job: so no CPU is left with a large archive at the end."""
    return sorted(paths, key=lambda path: -path.stat().st_size)


def run(arm: str, paths: list[Path], processes: int) -> dict[str, float]:
    """One run of one arm over all archives, in new processes, large ones first."""
    context = multiprocessing.get_context("spawn")
    at_once = 1 if arm == "tutorial" else processes
    with context.Pool(at_once) as pool:
        pending = [pool.apply_async(work, (arm, path)) for path in largest_first(paths)]
        done = [each.get() for each in pending]
    return {
        "makespan": makespan(done),
        "processor": sum(processor for _, _, processor, _ in done),
        "peak": max(peak for _, _, _, peak in done),
    }


def summary(runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Medians of each arm, and their ratios to the floor and to the engine."""
    middle = {
        arm: {name: median(each[name] for each in found) for name in found[0]}
        for arm, found in runs.items()
    }
    floor, regular, bare = middle["floor"], middle["engine"], middle["nothing"]["peak"]
    return {
        arm: {
            "makespan_seconds": found["makespan"],
            "processor_seconds": found["processor"],
            "makespan_ratio": found["makespan"] / floor["makespan"],
            "processor_ratio": found["processor"] / floor["processor"],
            "makespan_ratio_to_engine": found["makespan"] / regular["makespan"],
            "processor_ratio_to_engine": found["processor"] / regular["processor"],
            "peak_mib_above_nothing": (found["peak"] - bare) / 2**20,
        }
        for arm, found in middle.items()
        if arm != "nothing"
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--years", type=int, nargs="+", default=[1980, 2020])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2, help="archives read at once")
    parser.add_argument("--irregular", type=Path, metavar="FOLDER", help="read these archives too")
    parser.add_argument("--tutorial", action="store_true", help="time the tutorial's loader too")
    options = parser.parse_args()
    left_out = {"irregular": not options.irregular, "tutorial": not options.tutorial}
    arms = [arm for arm in ARMS if not left_out.get(arm)]
    folders = {arm: options.irregular if arm == "irregular" else options.folder for arm in arms}
    paths = {
        arm: [folder / f"{year}.tar.gz" for year in options.years]
        for arm, folder in folders.items()
    }
    missing = {str(path) for arm in arms for path in paths[arm] if not path.is_file()}
    if missing:
        parser.error(f"not there: {', '.join(sorted(missing))}")
    # As Ray does for a task of one CPU: NumPy's library of linear algebra starts no threads.
    os.environ["OMP_NUM_THREADS"] = "1"
    runs: dict[str, list[dict[str, float]]] = {arm: [] for arm in arms}
    for _ in range(options.runs):
        for arm in arms:
            runs[arm].append(run(arm, paths[arm], options.processes))
    print(json.dumps(summary(runs), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
