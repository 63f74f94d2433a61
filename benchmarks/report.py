"""A report of 100 runs with 10,000 tasks each, and a comparison of 1,000 records.

    python benchmarks/report.py [N]

Commands as a user runs them, from start to exit, in turn, N times (5): medians of the time that
passed and of the processor time, which says more where others use the machine. Records are made in
a temporary folder. `runs --help` is the floor: what starting the program takes here and now.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pairs import costs

from raykit.measure import strip
from raykit.measure.experiment import experiments
from raykit.measure.experiment.experiments import Experiment, Made
from raykit.measure.experiment.plan import Plan, Purpose, Scaling, Step
from raykit.measure.records import RunRecord, RunsFolder
from raykit.phases import Phase

BEGAN = 1795677682.0
ARMS, ROUNDS, TASKS, RECORDS = ("one", "two"), 50, 10_000, 1_000
PHASES = [
    Phase("submit", BEGAN, 0.9),
    Phase("driver-start", BEGAN + 0.9, 1.4, "job", "wall", 1e-6),
    Phase("first-task", BEGAN + 2.3, 0.7, "ray tasks", "wall"),
    Phase("run", BEGAN + 3.0, 4.0, "ray job", "wall"),
]


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        runs, environ = RunsFolder(Path(folder)), {**os.environ, "RAYKIT_RUNS": folder}
        make_experiment(runs, "large", ROUNDS, summary(TASKS, 16))
        many = make_experiment(runs, "many", RECORDS // len(ARMS), summary(20, 2))
        program = str(Path(sys.executable).with_name("raykit"))
        page = Path(folder) / "large.html"
        commands: dict[str, Sequence[str]] = {
            "start of the program": ["runs", "--help"],
            f"report: {ROUNDS * len(ARMS)} runs of {TASKS:,} tasks": [
                "report",
                "large",
                "--output",
                str(page),
            ],
            f"compare: an experiment of {RECORDS:,} records": ["compare", "many"],
            f"compare: {RECORDS:,} runs by their ids": ["compare", *(m.run for m in many.made)],
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(repeats):
            for name, words in commands.items():
                times[name].append(costs([program, *words], environ))
        print(f"{'medians of ' + str(repeats):42}   passed  processor")
        for name, own in times.items():
            passed, used = (statistics.median(values) for values in zip(*own, strict=True))
            print(f"{name:42} {passed:6.2f} s  {used:6.2f} s")
        print(f"{'size of that report':42} {page.stat().st_size / 1e6:6.2f} MB")


def summary(count: int, cpus: int) -> dict[str, object]:
    """What a record keeps of so many tasks on so many CPUs."""
    chance = random.Random(count)
    ends = [3.0] * cpus
    rows = []
    for _ in range(count):
        place = min(range(cpus), key=ends.__getitem__)
        length = round(chance.uniform(0.02, 0.3), 3)
        start = round((BEGAN + ends[place]) * 1000)
        rows.append(
            {
                "type": "NORMAL_TASK",
                "func_or_class_name": chance.choice(("read", "count", "join")),
                "node_id": f"{place // 4:056x}",
                "start_time_ms": start,
                "end_time_ms": start + round(length * 1000),
                "state": "FINISHED",
            }
        )
        ends[place] += length + 0.003
    nodes = [
        {
            "node_id": f"{index:056x}",
            "is_head_node": index == 0,
            "node_name": f"192.0.2.{index + 1}",
            "state": "ALIVE",
            "resources_total": {"CPU": 4.0},
        }
        for index in range(max(cpus // 4, 1))
    ]
    return strip.summarise(rows, 0, nodes, BEGAN + 9999)


def make_experiment(
    runs: RunsFolder, name: str, rounds: int, tasks: dict[str, object]
) -> Experiment:
    """An experiment of two arms in the folder, all of its runs with these tasks."""
    chance = random.Random(rounds)
    plan = Plan(ARMS, rounds, seed=7)
    made = []
    for index, step in enumerate(step for step in plan.steps() if step.purpose is Purpose.measured):
        seconds = chance.lognormvariate(0, 0.05) * (2.0 if step.arm == "one" else 1.1)
        run = f"20261126-072122-{name}-{index:04x}"
        runs.write(record(run, seconds, tasks))
        made.append(Made(Step(step.arm, step.purpose, step.round), run))
    arms = {
        arm: {"p": p, "tasks": 2, "asked": f"--on {arm}", "on": arm}
        for arm, p in zip(ARMS, (1.0, 2.0), strict=True)
    }
    job = {"name": "fib", "arguments": ["--size", "100000"]}
    found = Experiment(name, job, plan, Scaling.strong, arms, BEGAN, made)
    experiments.write(runs, found)
    return found


def record(run: str, seconds: float, tasks: dict[str, object]) -> RunRecord:
    return RunRecord(
        id=run,
        submission_id=run,
        job={"name": "fib", "arguments": ["--size", "100000"], "entrypoint": ["python"]},
        target={"chosen": "running on the local head one", "kind": "local"},
        versions={"raykit": "0.1.0", "ray": "2.60.0", "python": "3.11.7"},
        machine={"cpu_model": "a CPU", "cpu_count": 4, "memory_bytes": 8 << 30, "load": 0.3},
        started=BEGAN,
        status="SUCCEEDED",
        exit_code=0,
        ended=BEGAN + 8.0,
        phases=PHASES,
        start={"job": "fib", "time": BEGAN + 2.3},
        spans=[{"name": "tasks", "arm": "tasks", "start": BEGAN + 3, "seconds": seconds}],
        results=[{"time": BEGAN + 7, "task_cpus": 2, "work": {"size": 100000}, "data": {}}],
        tasks=dict(tasks),
    )


if __name__ == "__main__":
    main()
