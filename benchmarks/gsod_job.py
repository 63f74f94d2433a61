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
import re
import subprocess
import time
from pathlib import Path
from statistics import median

from gsod_engine import run
from warm_head import SCRIPTS, warm_head


def submit(env: dict[str, str], folder: Path, years: list[int]) -> dict[str, float]:
    """One run of the command; its makespan, work and memory are the job's own."""
    words = [SCRIPTS / "raykit", "submit", "gsod", "--on", "local", "-o", "json", "--"]
    words += ["--data", folder, "--years", *map(str, years), "--high-temp", "100"]
    began = time.perf_counter()
    done = subprocess.run(words, env=env, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)["data"]["results"][0]["data"]
    return {
        "makespan": found["makespan_seconds"],
        "work": found["work_seconds"],
        "memory": found["task_memory_bytes"],
        "command": time.perf_counter() - began,
    }


def nowhere(env: dict[str, str], paths: list[Path]) -> float:
    """The makespan of Ray tasks that inflate to nowhere, in seconds."""
    script = Path(__file__).with_name("gsod_nowhere.py")
    words = [SCRIPTS / "raykit", "submit", script, "--on", "local", "--"]
    largest_first = sorted(paths, key=lambda path: -path.stat().st_size)
    done = subprocess.run(
        [*words, *largest_first], env=env, check=True, capture_output=True, text=True
    )
    found = re.search(r"^makespan (\S+)$", done.stdout + done.stderr, re.MULTILINE)
    if not found:
        raise RuntimeError(f"no makespan in: {done.stdout}{done.stderr}")
    return float(found[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--years", type=int, nargs="+", default=[1980, 2020])
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    folder, years = options.folder.resolve(), options.years
    paths = [folder / f"{year}.tar.gz" for year in years]
    cpus = len(os.sched_getaffinity(0))
    floors, nowheres, jobs = [], [], []
    with warm_head() as env:
        submit(env, folder, years)
        for _ in range(options.runs):
            floors.append(run("floor", paths, cpus)["makespan"])
            nowheres.append(nowhere(env, paths))
            jobs.append(submit(env, folder, years))
    middle = {name: median(each[name] for each in jobs) for name in jobs[0]}
    floor = median(floors)
    answer = {
        "cpus": cpus,
        "floor_makespan_seconds": floor,
        "job_makespan_seconds": middle["makespan"],
        "ratio_to_floor": middle["makespan"] / floor,
        "nowhere_in_ray_makespan_seconds": median(nowheres),
        "ratio_to_nowhere_in_ray": middle["makespan"] / median(nowheres),
        "work_seconds": middle["work"],
        "makespan_to_even_share": middle["makespan"] / (middle["work"] / cpus),
        "task_memory_mib": middle["memory"] / 2**20,
        "command_seconds": middle["command"],
    }
    print(json.dumps(answer, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
