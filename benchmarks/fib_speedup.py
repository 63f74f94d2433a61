"""How much faster Fibonacci sequences are as Ray tasks, warm, over the rounds of several jobs.

    python benchmarks/fib_speedup.py --sizes 10000 50000 100000 --jobs 3

Each job is `python -m jobs.fib` in a process of its own, on the Ray cluster that RAY_ADDRESS names
or on a Ray that it starts; within a job both arms take turns. Printed is a Markdown table: seconds
are medians, speedups are the job's own estimate, which compares the arms round by round.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from jobs import ratios  # noqa: E402


def run(size: int, repeat: int, returns: str) -> dict[str, Any]:
    """The result of one job."""
    words = ["--size", size, "--repeat", repeat, "--returns", returns]
    done = subprocess.run(
        [sys.executable, "-m", "jobs.fib", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"raykit"')]
    last = json.loads(lines[-1]) if lines else {"event": None}
    if done.returncode or last["event"] != "result":
        raise SystemExit(f"the job failed with {done.returncode}:\n{done.stderr}")
    data: dict[str, Any] = last["data"]
    return data


def row(results: list[dict[str, Any]]) -> str:
    """One line of the table, from all rounds of all jobs of one size."""
    local = [time for each in results for time in each["local_seconds"]]
    tasks = [time for each in results for time in each["tasks_seconds"]]
    speedup = ratios.speedup(local, tasks)
    if speedup is None:
        raise SystemExit("a round took no time")
    speedups = [each["speedup"] for each in results]
    first, p = results[0], results[0]["p"]
    spread = f"{min(speedups):.2f} to {max(speedups):.2f}"
    return (
        f"| {first['size']:,} | {first['returns']} | {p} | {median(local):.4f} "
        f"| {median(tasks):.4f} | {speedup:.2f} | {spread} | {speedup / p:.2f} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 50_000, 100_000, 200_000])
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--returns", choices=("size", "sequence"), default="size")
    options = parser.parse_args()
    print("| size | returns | p | local s | tasks s | speedup | of single jobs | efficiency |")
    print("|---:|---|---:|---:|---:|---:|---|---:|")
    results: dict[int, list[dict[str, Any]]] = {size: [] for size in options.sizes}
    for _ in range(options.jobs):
        for size in options.sizes:
            results[size].append(run(size, options.repeat, options.returns))
    for found in results.values():
        print(row(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
