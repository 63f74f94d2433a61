"""Whether `gsod` is held back at CPU limits by threads of its own: real pods of one CPU each.

    raykit kind up && raykit up -f SPEC     # workers with taskCpus: 1 and cpuLimit: 1
    python benchmarks/gsod_throttling.py FOLDER --on CLUSTER --years 1980 2020 --runs 3

FOLDER holds `<year>.tar.gz`, as `gsod_generate.py` makes them; they are copied into every pod
that has a CPU limit. Printed is, for each run, the job's makespan, and for each of those pods how
many of the scheduler's periods passed since the run before, in how many of them it was held back,
and for how long: differences of what the pods' control groups (version 2) say after each run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

from warm_head import SCRIPTS

IN_POD = "/tmp/raykit-gsod"
STAT = "/sys/fs/cgroup/cpu.stat"

Counters = dict[str, dict[str, float]]


def submit(cluster: str, words: list[str]) -> dict[str, Any]:
    """One run's record."""
    command = [str(SCRIPTS / "raykit"), "submit", "gsod", "--on", cluster, "-o", "json", "--"]
    done = subprocess.run([*command, *words], check=True, capture_output=True, text=True)
    record: dict[str, Any] = json.loads(done.stdout)["data"]
    return record


def limited_pods(record: dict[str, Any]) -> Counters:
    """The counters of every pod that has a CPU limit, by its name."""
    pods = [pod["name"] for pod in record["cluster"]["pods"] if "cpu" in pod["limits"]]
    return {pod: counters(in_pod(record, pod, "cat", STAT)) for pod in pods}


def counters(text: str) -> dict[str, float]:
    """Since the container's start; throttled_seconds: of waiting, summed over CPUs."""
    found = {key: float(value) for key, value in map(str.split, text.splitlines())}
    return {
        "periods": found["nr_periods"],
        "throttled_periods": found["nr_throttled"],
        "throttled_seconds": found["throttled_usec"] / 1e6,
    }


def in_pod(record: dict[str, Any], pod: str, *command: str) -> str:
    """What a command prints in a pod of the cluster."""
    words = [*kubectl(record), "exec", pod, "--", *command]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def kubectl(record: dict[str, Any]) -> list[str]:
    cluster = record["cluster"]
    return ["kubectl", "--context", cluster["context"], "-n", cluster["namespace"]]


def copy(folder: Path, years: list[int], record: dict[str, Any]) -> None:
    """Put the archives into the pods."""
    for pod in limited_pods(record):
        in_pod(record, pod, "mkdir", "-p", IN_POD)
        for year in years:
            name = f"{year}.tar.gz"
            words = [*kubectl(record), "cp", str(folder / name), f"{pod}:{IN_POD}/{name}"]
            subprocess.run(words, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--on", required=True, help="the cluster's name")
    parser.add_argument("--years", type=int, nargs="+", default=[1980, 2020])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    record = submit(options.on, [])
    if not limited_pods(record):
        parser.error(f"no pod of {options.on} has a CPU limit")
    copy(options.folder, options.years, record)
    words = ["--data", IN_POD, "--years", *map(str, options.years), "--high-temp", "100"]
    record = submit(options.on, words)
    before = limited_pods(record)
    for _ in range(options.runs):
        record = submit(options.on, words)
        after = limited_pods(record)
        print(f"makespan {record['results'][0]['data']['makespan_seconds']:.2f} s")
        for pod, now in after.items():
            passed = {name: now[name] - before[pod][name] for name in now}
            print(
                f"  {pod}: {passed['periods']:.0f} periods, held back in "
                f"{passed['throttled_periods']:.0f}, for {passed['throttled_seconds']:.3f} s"
            )
        before = after
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
