"""The job that inflates archives to nowhere: one Ray task each, and nothing else.

    raykit submit benchmarks/gsod_nowhere.py -- 1980.tar.gz 2020.tar.gz

Its result is the seconds from the first task's start to the last one's end: what Ray itself makes
of the floor, with the start of its workers beside the tasks.
"""

from __future__ import annotations

import sys
from pathlib import Path

import ray
from gsod_engine import makespan, work

from jobs import timing


def main() -> int:
    ray.init(log_to_driver=False, logging_level="WARNING")
    task = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(work)
    done = ray.get([task.remote("floor", Path(path)) for path in sys.argv[1:]])
    timing.result({"makespan_seconds": makespan(done)})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
