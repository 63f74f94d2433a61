"""The job itself: `raykit submit gsod` on one warm local head, against igzip inflating to nowhere.

    python benchmarks/gsod_job.py FOLDER --years 1980 2020 --runs 5

FOLDER holds `<year>.tar.gz`, as `gsod_generate.py` makes them. The arms take turns: `floor`
inflates the archives in as many processes as there are CPUs, `nowhere` does the same in Ray tasks
(`gsod_nowhere.py`), `job` is the whole command. Printed are medians: the makespan of the floor,
that of the job as it tells itself and its ratio to either, the sum of its tasks' work, the makespan
against that work spread evenly over the CPUs, what the process of its largest task grew by, and the
command from start to exit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from pathlib import Path
from statistics import median

from gsod_engine import largest_first, run
from warm_head import SCRIPTS, warm_head

MEASURED = ("makespan_seconds", "work_seconds", "task_memory_bytes", "command_seconds")


def submit(env: dict[str, str], *words: str | Path) -> dict[str, float]:
    """One run of a command; what its job says, and how long the command took."""
    began = time.perf_counter()
    done = subprocess.run(
        [SCRIPTS / "raykit", "submit", *words], env=env, check=True, capture_output=True, text=True
    )
    found = json.loads(done.stdout)["data"]["results"][0]["data"]
    return {**found, "command_seconds": time.perf_counter() - began}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--years", type=int, nargs="+", default=[1980, 2020])
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    folder, years = options.folder.resolve(), options.years
    paths = [folder / f"{year}.tar.gz" for year in years]
    cpus = len(os.sched_getaffinity(0))
    on = ["--on", "local", "-o", "json", "--"]
    job = ["gsod", *on, "--data", folder, "--years", *map(str, years), "--high-temp", "100"]
    inflating = [Path(__file__).with_name("gsod_nowhere.py"), *on, *largest_first(paths)]
    floors, nowheres, jobs = [], [], []
    with warm_head() as env:
        submit(env, *job)
        for _ in range(options.runs):
            floors.append(run("floor", paths, cpus)["makespan"])
            nowheres.append(submit(env, *inflating)["makespan_seconds"])
            jobs.append(submit(env, *job))
    middle = {name: median(each[name] for each in jobs) for name in MEASURED}
    makespan, floor, nowhere = middle["makespan_seconds"], median(floors), median(nowheres)
    answer = {
        "cpus": cpus,
        "floor_makespan_seconds": floor,
        "job_makespan_seconds": makespan,
        "ratio_to_floor": makespan / floor,
        "nowhere_in_ray_makespan_seconds": nowhere,
        "ratio_to_nowhere_in_ray": makespan / nowhere,
        "work_seconds": middle["work_seconds"],
        "makespan_to_even_share": makespan / (middle["work_seconds"] / cpus),
        "task_memory_mib": middle["task_memory_bytes"] / 2**20,
        "command_seconds": middle["command_seconds"],
    }
    print(json.dumps(answer, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
