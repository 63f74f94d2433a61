"""Which Ray nodes existed while a job ran, and the CPUs that they offered."""

import pytest

from raykit.measure import strip
from tests.unit.measure.strip.rows import GONE, WORKER, node, row, summary, worker


def test_ray_nodes_at_one_address_are_told_apart():
    nodes = [node(), node(WORKER, head=False), node("c" * 56, head=False)]
    found = summary([row(1000, 2000, WORKER), row(1000, 2000, "c" * 56)], nodes)
    assert found["nodes"] == {
        "head 127.0.0.1": 2.0,
        "worker 127.0.0.1 bbbb": 2.0,
        "worker 127.0.0.1 cccc": 2.0,
    }
    assert [lane["node"] for lane in found["lanes"]] == [
        "worker 127.0.0.1 bbbb",
        "worker 127.0.0.1 cccc",
    ]


@pytest.mark.parametrize(
    ("other", "offered", "names"),
    [
        (worker(4.0, end=5_000, **GONE), 2.0, ["head 127.0.0.1"]),
        (worker(4.0, start=90_000), 2.0, ["head 127.0.0.1"]),
        (worker(4.0, start=15_000), 6.0, ["head 127.0.0.1", "worker 127.0.0.1"]),
        (worker(4.0, end=15_000, **GONE), 6.0, ["head 127.0.0.1", "worker 127.0.0.1"]),
    ],
)
def test_nodes_are_those_that_were_there_while_the_job_ran(other, offered, names):
    found = summary([row(12_000, 13_000)], [node(), other], during=(10.0, 20.0))
    assert found["task_cpus"] == offered
    assert list(found["nodes"]) == names


def test_nodes_that_replace_each_other_do_not_offer_their_cpus_at_once():
    nodes = [node(cpus=0), worker(4.0, end=12_000, **GONE), node("c" * 56, 4.0, start=14_000)]
    assert summary([], nodes, during=(10.0, 20.0))["task_cpus"] == 4.0


def test_a_node_that_the_autoscaler_took_away_is_not_lost():
    idle = worker(2.0, end=12_000, state="DEAD", why="Terminated due to idle: no work")
    rows = [row(10_000, 14_000), row(10_000, 14_000)]
    found = summary(rows, [node(), idle], during=(9.0, 15.0))
    assert found["ended"] == {
        "worker 127.0.0.1": {"time": 12.0, "why": "Terminated due to idle: no work", "lost": False}
    }
    assert "lost" not in strip.verdict(found)
    assert strip.verdict(found).startswith("Up to 4 task CPUs were there, not all from start")


def test_a_node_that_a_task_died_with_is_lost_though_ray_still_calls_it_alive():
    rows = [
        row(10_000, 12_000, WORKER, state="FAILED", error="NODE_DIED"),
        row(10_000, 12_500, WORKER, state="FAILED", error="NODE_DIED"),
        row(12_600, 14_000, attempt=1),
        row(12_600, 14_000, state="FAILED", error="WORKER_DIED"),
    ]
    found = summary(rows, [node(), worker()], during=(9.0, 15.0))
    why = "a task there failed with NODE_DIED"
    assert found["ended"] == {"worker 127.0.0.1": {"time": 12.0, "why": why, "lost": True}}
    assert strip.verdict(found) == (
        "A Ray node was lost while the job ran (worker 127.0.0.1); 1 task was tried again."
    )


def test_what_ray_says_of_the_end_of_a_node_counts_before_its_tasks_errors():
    rows = [row(10_000, 13_000, WORKER, state="FAILED", error="NODE_DIED")]
    found = summary(rows, [node(), worker(end=12_000, **GONE)], during=(9.0, 15.0))
    assert found["ended"]["worker 127.0.0.1"]["time"] == 12.0
    assert found["ended"]["worker 127.0.0.1"]["why"] == GONE["why"]


def test_a_node_that_is_alive_has_not_ended_though_ray_names_an_end():
    found = summary([row(10_000, 14_000)], [node(end=12_000)], during=(9.0, 15.0))
    assert found["ended"] == {}


def test_a_node_of_which_ray_knows_little_is_there_with_no_cpu():
    bare = {"node_id": WORKER, "state": "ALIVE"}
    found = summary([row(1000, 2000)], [node(), bare])
    assert found["nodes"] == {"head 127.0.0.1": 2.0, "worker bbbbbbbb": 0.0}
    assert (found["came"], found["ended"]) == ({}, {})


def test_without_the_jobs_times_only_living_nodes_count():
    assert summary([], [node(), worker(4.0, end=5_000, **GONE)])["task_cpus"] == 2.0


def test_a_job_attached_to_after_its_cluster_shrank_still_has_its_task_cpus():
    shrunk = worker(2.0, start=11_000, end=40_000, state="DEAD", why="Terminated due to idle")
    rows = [row(12_000, 13_000, WORKER), row(12_000, 13_000, WORKER)]
    found = summary(rows, [node(cpus=0), shrunk], during=(10.0, 20.0))
    assert found["task_cpus"] == 2.0
    assert found["ended"] == {}
