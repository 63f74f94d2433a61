"""What a record keeps of a job's tasks."""

from raykit.measure import strip
from raykit.measure.strip.summary import MOST_LANES
from tests.unit.measure.strip.rows import HEAD, actor_rows, row, summary


def test_an_actor_that_no_row_places_is_found_among_rays_actors():
    rows = actor_rows("x", None, (1000, 2000))
    assert strip.lacks_nodes(rows)
    assert not strip.lacks_nodes([row(1000, 2000)])
    assert not strip.lacks_nodes([row(None, None, None)])
    assert not strip.lacks_nodes(actor_rows("x", HEAD, (1000, 2000)))
    found = summary(rows, actors=[{"actor_id": "x", "node_id": HEAD}])
    assert {lane["node"] for lane in found["lanes"]} == {"head 127.0.0.1"}


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


def test_ten_thousand_tasks_at_once_keep_a_record_small():
    found = summary([row(1000, 2000) for _ in range(10_000)])
    assert (found["most_at_once"], found["lanes_used"]) == (10_000, 10_000)
    assert len(found["lanes"]) == MOST_LANES
    assert "not shown: 9,993 less busy rows" in strip.draw(found)


def test_the_last_end_of_a_task_that_finished_is_kept():
    rows = [row(1000, 2000), row(1000, 3000, state="FAILED")]
    assert summary(rows)["last_finished"] == 2.0
    assert summary(rows[1:])["last_finished"] is None
