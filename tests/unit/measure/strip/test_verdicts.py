"""The sentence about how a job used its task CPUs."""

import pytest

from raykit.measure import strip
from raykit.measure.strip.tasks import Arm
from tests.unit.measure.strip.rows import HEAD, WORKER, actor_rows, node, row, summary, worker


def in_turn(count, step=100, length=90, *, where=(HEAD,), cpus=1.0):
    """Tasks that are each made when the one before has ended, as by ray.get in a loop."""
    return [
        row(
            1000 + step * i,
            1000 + step * i + length,
            where[i % len(where)],
            made=999 + step * i,
            cpus=cpus,
        )
        for i in range(count)
    ]


def all_made_first(rows):
    """The same tasks, made before the first of them ran: they waited for something else."""
    return [{**each, "creation_time_ms": 999} for each in rows]


LOOP = "with {} task CPUs to run them side by side: is ray.get inside the loop?"


@pytest.mark.parametrize(
    ("rows", "nodes", "sentence"),
    [
        ([], [node()], "The job ran no Ray task: everything happened in the driver."),
        ([row(1000, 2000)], [node()], "One task ran, on 1 of 2 task CPUs."),
        ([row(1000, 2000, cpus=2.0)], [node()], "One task ran, on 2 of 2 task CPUs."),
        ([row(1000, 2000)], [node(cpus=1.0)], "One task ran."),
        (
            in_turn(8),
            [node(cpus=4.0)],
            f"Each task was submitted when the one before had ended, {LOOP.format(4)}",
        ),
        (
            in_turn(1000, 10, 8, where=(HEAD, WORKER)),
            [node(), worker()],
            f"Each task was submitted when the one before had ended, {LOOP.format(4)}",
        ),
        (
            in_turn(8, cpus=2.0),
            [node()],
            "All 2 task CPUs were used, busy 91% of the makespan.",
        ),
        (
            all_made_first(in_turn(8)),
            [node(cpus=4.0)],
            "1 of 4 task CPUs was ever busy; together the 4 were busy 23% of the makespan.",
        ),
        (
            [row(1000, 3000), row(1000, 3000)],
            [node()],
            "All 2 task CPUs were used, busy 100% of the makespan.",
        ),
        (
            [row(1000, 3000), row(1000, 2000)],
            [node()],
            "All 2 task CPUs were used, busy 75% of the makespan.",
        ),
        (
            [row(1000, 3000, cpus=2.0), row(1000, 3000, cpus=2.0)],
            [node(cpus=4.0)],
            "All 4 task CPUs were used, busy 100% of the makespan.",
        ),
        (
            [row(1000, 3000), row(1000, 3000)],
            [node(cpus=4.0)],
            "2 of 4 task CPUs were ever busy; together the 4 were busy 50% of the makespan.",
        ),
        (
            [row(1000, 2000), row(2000, 4000)],
            [node(cpus=1.0)],
            "The one task CPU was busy 100% of the makespan.",
        ),
        (
            [row(1000, 3000, cpus=0) for _ in range(6)],
            [node()],
            "6 tasks ran and asked for no CPU: they say nothing about the task CPUs.",
        ),
        (
            [row(1000, 1001), row(1000, 1001)],
            [node()],
            "The tasks were too short to tell which of them ran at the same time.",
        ),
        (
            [row(1000, 2000), row(1000, 2000)],
            [node(cpus=0)],
            "2 tasks ran, though Ray names no node that offered a task CPU.",
        ),
        (
            [row(1000, 2000, WORKER), row(1000, 2000, WORKER), row(1000, 2000, WORKER)],
            [node(), worker()],
            "2 of 4 task CPUs were ever busy; together the 4 were busy 50% of the makespan.",
        ),
        (
            [*actor_rows("x", HEAD, (1010, 2000)), *actor_rows("y", WORKER, (1010, 2000))],
            [node(cpus=1.0), worker(1.0)],
            "All 2 task CPUs were used, busy 100% of the makespan.",
        ),
        (
            [row(1000, 3000), row(1500, 3000, attempt=1)],
            [node()],
            "1 task was tried again, so these times are disturbed.",
        ),
    ],
)
def test_the_verdict_says_how_the_task_cpus_were_used(rows, nodes, sentence):
    assert strip.verdict(summary(rows, nodes, now=100.0)) == sentence


def test_while_a_cluster_grows_no_loop_is_suspected_and_the_share_is_of_what_was_there():
    nodes = [node(cpus=1.0), worker(1.0, start=13_000)]
    rows = [row(10_000 + 1_000 * i, 11_000 + 1_000 * i, made=9_999 + 1_000 * i) for i in range(4)]
    found = summary(rows, nodes, during=(9.0, 15.0))
    assert strip.verdict(found) == (
        "Up to 2 task CPUs were there, not all from start to end; they were busy 80% of their time."
    )


@pytest.mark.parametrize(("count", "loop"), [(2, False), (3, True)])
def test_a_loop_takes_three_tasks(count, loop):
    assert ("loop" in strip.verdict(summary(in_turn(count), [node(cpus=4.0)]))) is loop


def test_clocks_that_disagree_accuse_nobody_of_a_loop():
    rows = [{**each, "creation_time_ms": each["start_time_ms"] + 50} for each in in_turn(8)]
    assert "loop" not in strip.verdict(summary(rows, [node(cpus=4.0)], now=100.0))


def test_the_verdict_is_on_the_parallel_arm_alone():
    warm_up = [row(1000, 3000, made=1000), row(1000, 3000, made=1000)]
    local = [row(4000, 8000, made=4000, name="run_local")]
    parallel = [row(9000, 11_000, made=9000), row(9000, 10_000, made=9000)]
    arms = [Arm("local", 4.0, 4.0), Arm("tasks", 9.0, 2.0)]
    found = summary([*warm_up, *local, *parallel], now=100.0, arms=arms)
    assert found["arms"] == {"tasks": {"times": 1, "seconds": 2.0, "tasks": 2, "cpus": 3.0}}
    assert strip.verdict(found) == (
        "While the arm tasks ran, the 2 task CPUs were busy 75% of the time."
    )


def test_without_task_events_nothing_is_drawn_and_the_verdict_says_so():
    assert strip.draw({}) == []
    assert strip.verdict({}).startswith("Ray's task events could not be read")
