"""The task strip and its verdict, from rows as Ray's state API gives them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.measure import strip

HEAD, WORKER = "a" * 56, "b" * 56


def node(node_id=HEAD, cpus=2.0, *, head=True, name="127.0.0.1", state="ALIVE"):
    return {
        "node_id": node_id,
        "is_head_node": head,
        "node_name": name,
        "state": state,
        "resources_total": {"CPU": cpus} if cpus else {},
    }


def row(start, end, node_id=HEAD, *, name="work", state="FINISHED", attempt=0, kind="NORMAL_TASK"):
    return {
        "type": kind,
        "func_or_class_name": name,
        "node_id": node_id,
        "start_time_ms": start,
        "end_time_ms": end,
        "state": state,
        "attempt_number": attempt,
    }


def summary(rows, nodes=None, *, dropped=0, now=1000.0):
    return strip.summarise(rows, dropped, nodes or [node()], now)


def test_two_tasks_side_by_side_take_two_lanes():
    found = strip.lanes(strip.parse([row(1000, 2000), row(1500, 2500)], now=9))
    assert [(lane.index, lane.busy) for lane in found] == [(0, 1.0), (1, 1.0)]


def test_tasks_one_after_the_other_share_the_first_lane():
    rows = [row(1000, 2000), row(2000, 3000), row(3001, 4000), row(3999, 5000)]
    assert len(strip.lanes(strip.parse(rows, now=9))) == 1


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 60)), max_size=60))
def test_no_lane_ever_holds_two_tasks_at_once(spans):
    tasks = strip.parse([row(start, start + length) for start, length in spans], now=9)
    found = strip.lanes(tasks)
    for lane in found:
        for before, after in zip(lane.tasks, lane.tasks[1:], strict=False):
            assert before.end <= after.start + strip.TOUCHING
    assert sorted((t for lane in found for t in lane.tasks), key=id) == sorted(tasks, key=id)


def test_a_task_that_still_runs_ends_now_and_one_that_never_ran_is_not_counted():
    rows = [row(1000, None, state="RUNNING"), row(None, None), row(1000, 2000, kind="DRIVER_TASK")]
    found = summary(rows, now=4.0)
    assert (found["count"], found["makespan"]) == (1, 3.0)


def test_a_summary_counts_failures_retries_and_names():
    rows = [
        row(1000, 2000, state="FAILED"),
        row(2000, 3000, attempt=1),
        row(1000, 3000, name="other"),
    ]
    found = summary(rows, dropped=7)
    assert {key: found[key] for key in ("count", "dropped", "failed", "retried")} == {
        "count": 3,
        "dropped": 7,
        "failed": 1,
        "retried": 1,
    }
    assert found["names"] == {"work": 2, "other": 1}
    assert (found["first_start"], found["last_end"], found["makespan"]) == (1.0, 3.0, 2.0)
    assert found["busy_seconds"] == 4.0
    assert found["most_at_once"] == 2


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


def test_cpus_of_a_dead_node_are_not_offered():
    nodes = [node(), node(WORKER, 4.0, head=False, state="DEAD")]
    assert summary([], nodes)["task_cpus"] == 2.0


def test_a_strip_is_drawn_to_the_column():
    found = summary([row(1000, 3000), row(1000, 2000), row(2500, 3000)])
    assert strip.draw(found, 80) == [
        "3 tasks over 2.00 s",
        "head 127.0.0.1 cpu 0 |" + "█" * 26 + "·" * 13 + "█" * 13 + "|  75%",
        "head 127.0.0.1 cpu 1 |" + "█" * 52 + "| 100%",
    ]


def test_many_lanes_are_cut_to_ten_lines_of_80_columns_and_the_cut_is_said():
    nodes = [node(), node(WORKER, 64.0, head=False, name="worker-with-a-very-long-name-x7x9z")]
    rows = [row(1000, 2000 + 10 * index, WORKER) for index in range(40)]
    lines = strip.draw(summary(rows, nodes, dropped=5), 80)
    assert len(lines) == 10
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "not shown: 32 less busy CPUs, 5 tasks that Ray did not report"
    assert lines[1].startswith("…very-long-name-x7x9z cpu 32 |")
    assert lines[1].endswith("|  95%")


@given(
    st.lists(
        st.tuples(st.integers(1, 9999), st.integers(0, 9999), st.sampled_from([HEAD, WORKER])),
        max_size=40,
    ),
    st.integers(0, 5),
    st.integers(60, 100),
)
def test_any_strip_has_at_most_ten_lines_within_the_width(spans, dropped, width):
    rows = [row(start, start + length, where) for start, length, where in spans]
    found = summary(rows, [node(), node(WORKER, 4.0, head=False)], dropped=dropped)
    lines = strip.draw(found, width)
    assert len(lines) <= strip.MOST_LINES
    assert all(len(line) <= width for line in lines)
    assert strip.verdict(found).endswith((".", "?"))


def test_ten_thousand_tasks_at_once_keep_a_record_small():
    found = summary([row(1000, 2000) for _ in range(10_000)])
    assert (found["most_at_once"], found["lanes_used"]) == (10_000, 10_000)
    assert len(found["lanes"]) == strip.MOST_LANES
    assert "not shown: 9992 less busy CPUs" in strip.draw(found)


ALTERNATING = [row(1000 + 10 * i, 1008 + 10 * i, (HEAD, WORKER)[i % 2]) for i in range(1000)]


@pytest.mark.parametrize(
    ("rows", "nodes", "sentence"),
    [
        ([], [node()], "The job ran no Ray task: everything happened in the driver."),
        ([row(1000, 2000)], [node()], "One task ran, on one of 2 task CPUs."),
        ([row(1000, 2000)], [node(cpus=1.0)], "One task ran."),
        (
            [row(1000 + 100 * i, 1090 + 100 * i) for i in range(8)],
            [node(cpus=4.0)],
            "One of 4 task CPUs was busy at a time: is ray.get inside the loop?",
        ),
        (
            ALTERNATING,
            [node(), node(WORKER, head=False)],
            "One of 4 task CPUs was busy at a time: is ray.get inside the loop?",
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
            [row(1000, 3000) for _ in range(6)],
            [node()],
            "Up to 6 tasks ran at once on 2 task CPUs: actors or small CPU requests share them.",
        ),
        (
            [row(1000, 1001), row(1000, 1001)],
            [node()],
            "The tasks were too short to tell which of them ran at the same time.",
        ),
        (
            [row(1000, 2000), row(1000, 2000)],
            [node(cpus=0)],
            "2 tasks ran, though the cluster offers no task CPU.",
        ),
        (
            [row(1000, 2000, WORKER), row(1000, 2000, WORKER), row(1000, 2000, WORKER)],
            [node(), node(WORKER, 2.0, head=False)],
            "2 of 4 task CPUs were ever busy; together the 4 were busy 75% of the makespan.",
        ),
    ],
)
def test_the_verdict_says_how_the_task_cpus_were_used(rows, nodes, sentence):
    assert strip.verdict(summary(rows, nodes, now=100.0)) == sentence


def test_without_task_events_nothing_is_drawn_and_the_verdict_says_so():
    assert strip.draw({}) == []
    assert strip.verdict({}).startswith("Ray's task events could not be read")
