"""Runs and experiments as raykit records them, made from rows as Ray's state API gives them."""

import random

from raykit.measure import strip
from raykit.measure.experiment.experiments import Experiment, Made
from raykit.measure.experiment.plan import Plan, Purpose, Scaling, Step
from raykit.measure.records import RunRecord
from raykit.phases import Phase

BEGAN = 1795677682.0
HOSTILE = (
    "</title><script>alert(1)</script><img src=x onerror=alert(2)>'\"&$x^2$\x1b]0;x\x07\u202e\ud800"
)
"""A text that would be markup, a formula, a terminal's title, reversed, and half a character."""


def node(index, cpus=2.0):
    return {
        "node_id": f"{index:056x}",
        "is_head_node": index == 0,
        "node_name": f"192.0.2.{index + 1}",
        "state": "ALIVE",
        "resources_total": {"CPU": cpus},
    }


def task(number, where, start, seconds, name="square", **more):
    """A row of one task; start: seconds after BEGAN."""
    begun = round((BEGAN + start) * 1000)
    return {
        "type": "NORMAL_TASK",
        "func_or_class_name": name,
        "node_id": f"{where:056x}",
        "creation_time_ms": begun - 3,
        "start_time_ms": begun,
        "end_time_ms": begun + round(seconds * 1000),
        "state": "FINISHED",
        "attempt_number": 0,
        "task_id": f"{number:032x}",
        **more,
    }


def tasks(count, cpus, seconds=0.1, names=("square",), nodes=1):
    """Rows of so many tasks that keep so many CPUs busy, one after the other on each."""
    chance = random.Random(count)
    ends = [3.0] * cpus
    rows = []
    for number in range(count):
        place = min(range(cpus), key=ends.__getitem__)
        took = seconds * chance.uniform(0.5, 1.5)
        where = place * nodes // cpus
        rows.append(task(number, where, ends[place], took, names[number % len(names)]))
        ends[place] += round(took, 3) + 0.002
    return rows


def run(name="20261126-072122-fib-4c15", seconds=(1.0,), rows=None, nodes=1, cpus=2, **fields):
    """A run that succeeded, with an arm `tasks` that took so long each time."""
    rows = tasks(8, cpus, nodes=nodes) if rows is None else rows
    there = [node(index, cpus / nodes) for index in range(nodes)]
    phases = [
        Phase("submit", BEGAN, 0.9),
        Phase("driver-start", BEGAN + 0.9, 1.4, "job", "wall", 1e-6),
        Phase("first-task", BEGAN + 2.3, 0.7, "ray tasks", "wall"),
        Phase("run", BEGAN + 3.0, 4.0, "ray job", "wall"),
    ]
    spans = [
        {"name": "tasks", "arm": "tasks", "start": BEGAN + 3.0, "seconds": each} for each in seconds
    ]
    plain = {
        "id": name,
        "submission_id": name,
        "job": {"name": "fib", "arguments": ["--size", "9"], "entrypoint": ["python"]},
        "target": {"chosen": "running on a local Ray head (--on local)", "kind": "local"},
        "versions": {"raykit": "0.1.0", "ray": "2.60.0", "python": "3.11.7"},
        "machine": {"cpu_model": "a CPU", "cpu_count": 2, "memory_bytes": 8 << 30, "load": 0.3},
        "started": BEGAN,
        "status": "SUCCEEDED",
        "ended": BEGAN + 8.0,
        "exit_code": 0,
        "phases": phases,
        "spans": spans,
        "start": {"job": "fib", "time": BEGAN + 2.3},
        "results": [
            {"time": BEGAN + 7, "task_cpus": cpus, "work": {"size": 9}, "data": {"ok": True}}
        ],
        "tasks": strip.summarise(rows, 0, there, BEGAN + 9),
    }
    return RunRecord(**(plain | fields))


def experiment(times, p=None, scaling=Scaling.strong, id_="try", rows=None, **fields):
    """An experiment and its records by run id; times: seconds of each round, by arm."""
    p = p or dict(zip(times, (1.0, 2.0, 4.0, 8.0), strict=False))
    records, made = {}, []
    for arm, own in times.items():
        for number, took in enumerate(own, 1):
            name = f"20261126-0721{number:02}-{len(records):04x}-{number}"
            made.append(Made(Step(arm, Purpose.measured, number), name))
            given = {} if rows is None else {"rows": rows}
            records[name] = run(name, (took,), cpus=max(int(p[arm]), 1), **given, **fields)
    arms = {
        arm: {"p": p[arm], "tasks": int(max(p.values())), "asked": f"--on {arm}", "on": arm}
        for arm in times
    }
    plan = Plan(tuple(times), max(map(len, times.values())), seed=7)
    job = {"name": "fib", "arguments": ["--size", "9"]}
    return Experiment(id_, job, plan, scaling, arms, BEGAN, made), records
