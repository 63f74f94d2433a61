"""Whether `gsod` is held back at CPU limits by threads of its own: real pods of one CPU each.

    raykit kind up && raykit up -f SPEC     # workers with taskCpus: 1 and cpuLimit: 1
    python benchmarks/gsod_throttling.py FOLDER --on CLUSTER --years 1980 2020 --runs 3

FOLDER holds `<year>.tar.gz`, as `gsod_generate.py` makes them; they are copied into every pod
that has a CPU limit. Printed is, for each run, the job's makespan, and for each of those pods how
many of the scheduler's periods passed since the run before, in how many of them it was held back,
and for how long: differences of what the records of the runs hold.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

from warm_head import SCRIPTS

IN_POD = "/tmp/raykit-gsod"

Counters = dict[str, dict[str, float]]


def submit(cluster: str, words: list[str]) -> dict[str, Any]:
    """One run's record."""
    command = [str(SCRIPTS / "raykit"), "submit", "gsod", "--on", cluster, "-o", "json", "--"]
    done = subprocess.run([*command, *words], check=True, capture_output=True, text=True)
    record: dict[str, Any] = json.loads(done.stdout)["data"]
    return record


def limited_pods(record: dict[str, Any]) -> Counters:
    """The counters of every pod that has a CPU limit, by its name."""
    pods = record["cluster"]["pods"]
    return {pod["name"]: pod["cpu_throttling"] for pod in pods if pod["cpu_throttling"]}


def copy(folder: Path, years: list[int], record: dict[str, Any]) -> None:
    """Put the archives into the pods."""
    cluster = record["cluster"]
    kubectl = ["kubectl", "--context", cluster["context"], "-n", cluster["namespace"]]
    for pod in limited_pods(record):
        subprocess.run([*kubectl, "exec", pod, "--", "mkdir", "-p", IN_POD], check=True)
        for year in years:
            name = f"{year}.tar.gz"
            target = f"{pod}:{IN_POD}/{name}"
            subprocess.run([*kubectl, "cp", str(folder / name), target], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--on", required=True, help="the cluster's name")
    parser.add_argument("--years", type=int, nargs="+", default=[1980, 2020])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    before = submit(options.on, [])
    if not limited_pods(before):
        parser.error(f"no pod of {options.on} has a CPU limit whose counters can be read")
    copy(options.folder, options.years, before)
    words = ["--data", IN_POD, "--years", *map(str, options.years), "--high-temp", "100"]
    before = submit(options.on, words)
    for _ in range(options.runs):
        after = submit(options.on, words)
        print(f"makespan {after['results'][0]['data']['makespan_seconds']:.2f} s")
        for pod, now in limited_pods(after).items():
            then = limited_pods(before)[pod]
            passed = {name: now[name] - then[name] for name in now}
            print(
                f"  {pod}: {passed['periods']:.0f} periods, held back in "
                f"{passed['throttled_periods']:.0f}, for {passed['throttled_seconds']:.3f} s"
            )
        before = after
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
