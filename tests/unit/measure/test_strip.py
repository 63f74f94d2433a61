"""The task strip and its verdict, from rows as Ray's state API gives them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.measure import strip
from raykit.measure.strip import drawing, lanes, tasks
from raykit.measure.strip.tasks import Arm

HEAD, WORKER = "a" * 56, "b" * 56


def node(
    node_id=HEAD, cpus=2.0, *, head=True, name="127.0.0.1", state="ALIVE", start=0, end=0, why=None
):
    """A row of Ray's nodes; times in milliseconds, 0 where Ray has none."""
    return {
        "node_id": node_id,
        "is_head_node": head,
        "node_name": name,
        "state": state,
        "state_message": why,
        "resources_total": {"CPU": cpus} if cpus else {},
        "start_time_ms": start,
        "end_time_ms": end,
    }


def worker(cpus=2.0, **fields):
    return node(WORKER, cpus, head=False, **fields)


def row(
    start,
    end,
    node_id=HEAD,
    *,
    name="work",
    state="FINISHED",
    attempt=0,
    kind="NORMAL_TASK",
    cpus=1.0,
    made=None,
    actor=None,
):
    """A row of Ray's tasks; a task is made, unless told otherwise, when all of them are."""
    return {
        "type": kind,
        "func_or_class_name": name,
        "node_id": node_id,
        "actor_id": actor,
        "required_resources": {"CPU": cpus} if cpus else {},
        "creation_time_ms": made,
        "start_time_ms": start,
        "end_time_ms": end,
        "state": state,
        "attempt_number": attempt,
    }


def actor_rows(actor, node_id, *spans, cpus=1.0, name="Loader"):
    """An actor's creation, whose Ray node Ray does not name, and its methods."""
    creation = row(
        spans[0][0] - 10,
        spans[0][0],
        None,
        name=f"{name}.__init__",
        kind="ACTOR_CREATION_TASK",
        cpus=cpus,
        actor=actor,
    )
    methods = [
        row(start, end, node_id, name=f"{name}.load", kind="ACTOR_TASK", cpus=0, actor=actor)
        for start, end in spans
    ]
    return [creation, *methods]


def summary(rows, nodes=None, *, dropped=0, now=1000.0, **more):
    return strip.summarise(rows, dropped, nodes or [node()], now, **more)


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


def test_an_actor_that_no_row_places_is_found_among_rays_actors():
    rows = actor_rows("x", None, (1000, 2000))
    assert strip.lacks_nodes(rows)
    assert not strip.lacks_nodes([row(1000, 2000)])
    assert not strip.lacks_nodes([row(None, None, None)])
    assert not strip.lacks_nodes(actor_rows("x", HEAD, (1000, 2000)))
    found = summary(rows, actors=[{"actor_id": "x", "node_id": HEAD}])
    assert {lane["node"] for lane in found["lanes"]} == {"head 127.0.0.1"}


CPUS = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 3.0])


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 60), CPUS), max_size=60))
def test_no_cpu_is_ever_held_more_than_once_and_every_task_has_its_lanes(spans):
    rows = [row(start, start + length, cpus=cpus) for start, length, cpus in spans]
    found = laid(rows, cpus=3)
    for lane in found:
        for task in lane.tasks:
            moment = task.start + 2 * lanes.TOUCHING
            held = sum(
                min(other.cpus, 1.0) for other in lane.tasks if other.start <= moment < other.end
            )
            assert held <= 1 + 1e-6
    places = [task for lane in found for task in lane.tasks]
    assert len(places) >= len(rows)
    assert {lane.index for lane in found if lane.kind == "cpu"} <= {0, 1, 2}


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
    found = summary(rows)
    assert {key: found[key] for key in ("count", "dropped", "failed", "retried")} == {
        "count": 3,
        "dropped": 0,
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


GONE = {"state": "DEAD", "why": "Unexpected termination: health check failed"}


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


def test_a_strip_is_drawn_to_the_column():
    found = summary([row(1000, 3000), row(1000, 2000), row(2500, 3000)])
    assert strip.draw(found, 80) == [
        "3 tasks over 2.00 s",
        "head 127.0.0.1 cpu 0 |" + "█" * 26 + "·" * 13 + "█" * 13 + "|  75%",
        "head 127.0.0.1 cpu 1 |" + "█" * 52 + "| 100%",
        "█ busy  · idle  %: busy share",
    ]


def test_the_strip_shows_where_a_node_ended_what_failed_there_and_where_one_came():
    nodes = [
        node(cpus=1.0),
        worker(1.0, end=12_000, **GONE),
        node("c" * 56, 1.0, head=False, name="new", start=13_000),
    ]
    rows = [
        row(10_000, 14_000),
        row(10_000, 12_000, WORKER, state="FAILED"),
        row(13_000, 14_000, "c" * 56, attempt=1),
    ]
    found = summary(rows, nodes, during=(9.0, 15.0))
    assert strip.draw(found, 61) == [
        "3 tasks over 4.00 s",
        "worker 127.0.0.1 cpu 0 |" + "!" * 15 + "x" + " " * 15 + "|  50%",
        "head 127.0.0.1 cpu 0   |" + "█" * 31 + "| 100%",
        "worker new cpu 0       |" + " " * 23 + "█" * 8 + "|  25%",
        "█ busy  ! failed  x node ended  %: busy share",
    ]
    assert strip.verdict(found) == (
        "A Ray node was lost while the job ran (worker 127.0.0.1); 1 task was tried again."
    )


def test_a_cell_that_is_busy_in_part_has_a_sign_of_its_own():
    found = summary([row(1000, 1500), row(2000, 5000)])
    lines = strip.draw(found, len("head 127.0.0.1 cpu 0 || 100%") + 10)
    assert lines[1] == "head 127.0.0.1 cpu 0 |█▒▒███████|  88%"
    assert lines[2] == "█ busy  ▒ in part  %: busy share"


def test_a_row_beyond_the_cpus_and_a_second_actor_are_named():
    rows = [
        *actor_rows("x", HEAD, (1010, 2000)),
        *actor_rows("y", HEAD, (1010, 2000)),
        *(row(1000, 2000, cpus=0), row(1000, 2000, cpus=0)),
    ]
    lines = strip.draw(summary(rows), 100)
    assert [line.split(" |")[0].strip() for line in lines[1:5]] == [
        "head 127.0.0.1 more 0",
        "head 127.0.0.1 more 1",
        "head 127.0.0.1 Loader",
        "head 127.0.0.1 Loader 2",
    ]
    assert lines[-1].endswith("named rows: actors  more: tasks beyond the CPUs  %: busy share")


@pytest.mark.parametrize(("longer", "label"), [(0, "head n"), (1, "…ad n")])
def test_a_label_that_just_fits_is_whole_and_a_longer_one_loses_its_beginning(longer, label):
    name = "n" * (drawing.LABEL_WIDTH - len("head  cpu 0") + longer)
    line = strip.draw(summary([row(1000, 2000)], [node(name=name)]), 80)[1]
    assert line.startswith(label)
    assert line.index("n cpu 0 |") == drawing.LABEL_WIDTH - len("n cpu 0")


def test_a_part_of_the_rows_gives_no_measure_no_strip_and_no_verdict():
    found = summary([row(1000, 2000)] * 10_000, dropped=2_000)
    assert found["count"] == 10_000
    assert not {"makespan", "first_start", "last_end", "busy_seconds", "lanes"} & set(found)
    assert strip.draw(found) == []
    assert strip.verdict(found) == (
        "Ray reported 10,000 of 12,000 tasks: a part says nothing about its task CPUs."
    )


def test_many_lanes_are_cut_to_ten_lines_of_80_columns_and_the_cut_is_said():
    nodes = [node(), worker(64.0, name="worker-with-a-very-long-name-x7x9z")]
    rows = [row(1000, 2000 + 10 * index, WORKER) for index in range(40)]
    lines = strip.draw(summary(rows, nodes), 80)
    assert len(lines) == 10
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "not shown: 33 less busy rows"
    assert lines[1].startswith("…very-long-name-x7x9z cpu 33 |")
    assert lines[1].endswith("|  96%")


@given(
    st.lists(
        st.tuples(st.integers(1, 9999), st.integers(0, 9999), st.sampled_from([HEAD, WORKER])),
        max_size=40,
    ),
    st.integers(0, 1),
    st.sampled_from([40, 61, 80, 100, 200]),
)
def test_any_strip_has_at_most_ten_lines_within_the_width(spans, dropped, width):
    rows = [row(start, start + length, where) for start, length, where in spans]
    found = summary(rows, [node(), worker(4.0)], dropped=dropped)
    lines = strip.draw(found, width)
    assert len(lines) <= drawing.MOST_LINES
    assert all(len(line) <= width for line in lines)
    assert strip.verdict(found).endswith((".", "?"))


def test_ten_thousand_tasks_at_once_keep_a_record_small():
    found = summary([row(1000, 2000) for _ in range(10_000)])
    assert (found["most_at_once"], found["lanes_used"]) == (10_000, 10_000)
    assert len(found["lanes"]) == tasks.MOST_LANES
    assert "not shown: 9,993 less busy rows" in strip.draw(found)


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


def test_the_last_end_of_a_task_that_finished_is_kept():
    rows = [row(1000, 2000), row(1000, 3000, state="FAILED")]
    assert summary(rows)["last_finished"] == 2.0
    assert summary(rows[1:])["last_finished"] is None


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
