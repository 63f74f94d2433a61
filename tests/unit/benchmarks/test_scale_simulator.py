"""The simulator of docs/scale.md: its limits are those of a calculation by hand."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def simulator():
    path = ROOT / "benchmarks" / "scale_simulator.py"
    spec = importlib.util.spec_from_file_location("scale_simulator", path)
    module = sys.modules["scale_simulator"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["scale_simulator"]


def run(simulator, tasks, workers, size=0, **overheads):
    free = {"submit": 0.0, "grant": 0.0, "task": 0.0, "get": 0.0, "byte": 0.0}
    job = simulator.Job("job", tuple(tasks), size)
    return simulator.simulate(job, workers, simulator.Overheads(**{**free, **overheads}))


def test_without_overheads_equal_tasks_take_whole_rounds(simulator):
    assert run(simulator, [1.0] * 8, 3).seconds == pytest.approx(3.0)
    assert run(simulator, [1.0] * 8, 100).seconds == pytest.approx(1.0)


def test_a_driver_that_calls_slowly_is_the_limit(simulator):
    found = run(simulator, [0.1] * 100, 1000, submit=0.5)
    assert found.seconds == pytest.approx(50.1)
    assert found.limit == "driver"


def test_large_results_come_home_one_after_the_other(simulator):
    assert run(simulator, [1.0] * 10, 10, size=100, byte=0.01).seconds == pytest.approx(11.0)


def test_workers_are_granted_one_after_the_other(simulator):
    found = run(simulator, [10.0] * 10, 10, grant=1.0)
    assert found.seconds == pytest.approx(20.0)


@given(
    st.lists(st.floats(0.01, 10), min_size=1, max_size=60),
    st.integers(1, 30),
    st.floats(0, 0.1),
)
def test_no_run_is_faster_than_its_work_and_none_slower_than_one_worker(
    simulator, tasks, workers, task
):
    found = run(simulator, tasks, workers, task=task)
    work = sum(tasks) + task * len(tasks)
    assert found.seconds >= max(work / workers, *tasks) * 0.999
    assert found.seconds <= work * 1.001
    assert 0 <= found.workers <= 1.001


def test_the_table_of_the_document_is_the_one_that_the_program_prints(simulator):
    assert simulator.table() in (ROOT / "docs" / "scale.md").read_text("utf-8")


def test_a_small_table_has_a_row_for_each_number_of_nodes(simulator):
    lines = simulator.table(simulator.JOBS[:1], (1, 2)).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "1",
        "2",
        "CPUs that still help",
        "busiest at the end",
    ]


def test_a_measured_run_is_held_against_the_simulator(simulator, tmp_path):
    data = {"nodes": 1, "p": 2, "submit": 0.0, "get": 0.0, "task": 0.0, "grant": 0.0}
    data["checks"] = [{"tasks": 4, "each": 1.0, "seconds": 2.2}]
    record = tmp_path / "record.json"
    record.write_text(json.dumps({"results": [{"data": data}]}))
    assert simulator.check(record) == (
        "sleep, 1 Ray nodes, p = 2: 4 tasks of 1 s took 2.20 s, simulated 2.00 s (1.10 times)"
    )


@pytest.mark.parametrize(
    ("data", "spans", "said"),
    [
        (
            {"local_seconds": [4.0, 4.0], "tasks_seconds": [2.5], "tasks": 4, "ray_nodes": 2},
            [],
            "fib, 2 Ray nodes, p = 2: 4 tasks of 1 s took 2.50 s, simulated 2.01 s (1.25 times)",
        ),
        (
            {"makespan_seconds": 2.2, "ray_nodes_used": 1},
            [{"name": "load:1980", "seconds": 1.0}, {"name": "load:2020", "seconds": 2.0}],
            "gsod, 1 Ray nodes, p = 2: 2 tasks of 1.5 s took 2.20 s, simulated 2.01 s (1.10 times)",
        ),
    ],
)
def test_a_run_of_a_job_is_held_against_its_own_tasks(simulator, tmp_path, data, spans, said):
    record = tmp_path / "record.json"
    results = [{"task_cpus": 2, "data": data}]
    record.write_text(json.dumps({"results": results, "spans": spans}))
    assert simulator.check(record) == said
