"""Tasks on lanes: CPUs, actors, and rows beyond both, from rows as Ray gives them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from raykit.measure import strip
from raykit.measure.strip import lanes, tasks
from tests.unit.measure.strip.rows import HEAD, WORKER, actor_rows, node, row, summary, worker


def laid(rows, cpus=2):
    return lanes.laid_out(tasks.parse(rows, now=9), {HEAD: cpus})


def test_two_tasks_side_by_side_take_two_lanes():
    found = laid([row(1000, 2000), row(1500, 2500)])
    assert [(lane.kind, lane.index, lane.busy) for lane in found] == [("cpu", 0, 1), ("cpu", 1, 1)]


def test_tasks_one_after_the_other_share_the_first_lane():
    rows = [row(1000, 2000), row(2000, 3000), row(3001, 4000), row(3999, 5000)]
    assert len(laid(rows)) == 1


def test_a_task_of_two_cpus_takes_two_lanes_and_two_halves_share_one():
    found = laid([row(1000, 2000, cpus=2.0), row(2000, 3000, cpus=0.5), row(2000, 3000, cpus=0.5)])
    assert [(lane.kind, lane.index, lane.busy) for lane in found] == [("cpu", 0, 2), ("cpu", 1, 1)]


def test_what_holds_no_cpu_or_finds_none_is_named_more_not_a_cpu_that_the_node_has_not():
    rows = [row(1000, 3000), row(1000, 3000), row(1500, 2500), row(1000, 2000, cpus=0)]
    found = laid(rows)
    assert [(lane.kind, lane.index) for lane in found] == [
        ("cpu", 0),
        ("cpu", 1),
        ("more", 0),
        ("more", 1),
    ]
    assert sum(lane.holds * lane.busy for lane in found) == 4


def test_an_actor_has_a_lane_of_its_own_on_its_node_also_for_its_creation():
    rows = [*actor_rows("x", HEAD, (1000, 2000)), *actor_rows("y", WORKER, (1000, 3000))]
    nodes = [node(cpus=1.0), worker(1.0)]
    found = summary(rows, nodes)
    assert [(lane["node"], lane["kind"], lane["name"]) for lane in found["lanes"]] == [
        ("head 127.0.0.1", "actor", "Loader"),
        ("worker 127.0.0.1", "actor", "Loader"),
    ]
    assert found["cpu_seconds"] == pytest.approx(3.02)
    lines = strip.draw(found, 80)
    assert lines[1].startswith("head 127.0.0.1 Loader")
    assert "named rows: actors" in lines[-1]


CPUS = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 3.0])


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 60), CPUS), max_size=60))
@example([(65, 4, 1.0), (68, 1, 0.25)])
def test_no_cpu_is_ever_held_more_than_once_and_every_task_has_its_lanes(spans):
    rows = [row(start, start + length, cpus=cpus) for start, length, cpus in spans]
    found = laid(rows, cpus=3)
    for lane in found:
        for task in lane.tasks:
            moment = task.start + 2 * lanes.TOUCHING
            held = sum(
                min(other.cpus, 1.0)
                for other in lane.tasks
                if other.start + lanes.TOUCHING <= moment < other.end
            )
            assert held <= 1 + 1e-6
    places = [task for lane in found for task in lane.tasks]
    assert len(places) >= len(rows)
    assert {lane.index for lane in found if lane.kind == "cpu"} <= {0, 1, 2}
