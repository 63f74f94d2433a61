"""The job that inflates archives to nowhere: one Ray task each, and nothing else.

    raykit submit benchmarks/gsod_nowhere.py -- 1980.tar.gz 2020.tar.gz

It prints the seconds from the first task's start to the last one's end: what Ray itself makes of
the floor, with the start of its workers beside the tasks.
"""

from __future__ import annotations

import sys
import time

import ray


@ray.remote(num_cpus=1, scheduling_strategy="SPREAD")
def inflate(path: str) -> tuple[float, float]:
    """When the inflating of one archive began and ended."""
    from isal import igzip

    began = time.time()
    with igzip.open(path, "rb") as file:
        while file.read(2**20):
            pass
    return began, time.time()


def main() -> int:
    ray.init(log_to_driver=False, logging_level="WARNING")
    times = ray.get([inflate.remote(path) for path in sys.argv[1:]])
    print("makespan", max(end for _, end in times) - min(began for began, _ in times))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
