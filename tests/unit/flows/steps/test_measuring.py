"""What is measured once a job has ended: from Ray's rows, and from when raykit saw what."""

import pytest

from raykit.errors import JobsApiError
from raykit.flows.steps import measuring
from raykit.flows.steps.measuring import Observation, measure
from raykit.progress import Progress
from raykit.submission.jobs_api import JobDetails

NODE = "n" * 56


class Head:
    """Answers with rows as Ray does, and counts the questions after actors."""

    def __init__(self, rows, dropped=0, actors=()):
        self.rows, self.dropped, self.found, self.asked = rows, dropped, actors, 0

    def tasks(self, _job):
        return self.rows, self.dropped

    def nodes(self):
        return [
            {"node_id": NODE, "state": "ALIVE", "is_head_node": True, "node_name": "here"}
            | {"resources_total": {"CPU": 2.0}}
        ]

    def actors(self, _job):
        self.asked += 1
        if self.found is None:
            raise JobsApiError("no actors here")
        return self.found


def details(status="SUCCEEDED", start=100.0, end=110.0):
    return JobDetails(
        status=status,
        submission_id="one",
        job_id="01000000",
        entrypoint="python",
        message="",
        error_type=None,
        start_time=start,
        end_time=end if status == "SUCCEEDED" else None,
        metadata={},
        driver_node_id=NODE,
        driver_exit_code=0,
    )


def task(start=102.0, end=104.0, **fields):
    return {
        "type": "NORMAL_TASK",
        "func_or_class_name": "work",
        "node_id": NODE,
        "state": "FINISHED",
        "required_resources": {"CPU": 1.0},
        "creation_time_ms": start * 1000 - 5,
        "start_time_ms": start * 1000,
        "end_time_ms": end * 1000,
    } | fields


def measured(make_record, rows, seen, **head):
    record, progress, api = make_record(target={"kind": "url"}), Progress(), Head(rows, **head)
    record.start = {"job": "x", "time": 101.0}
    measure(api, record, seen, (), progress)
    return record, {phase.name: phase for phase in progress.phases}, api


def seen_from_here(ahead):
    """A job followed on a clock that is so many seconds behind the head's."""
    seen = Observation(100.2 - ahead, posted=99.9 - ahead)
    seen.details, seen.seen_running, seen.seen_end = details(), 109.9 - ahead, 110.1 - ahead
    return seen


@pytest.mark.parametrize("ahead", [5.0, -5.0])
def test_a_head_whose_clock_differs_makes_no_phase_longer(make_record, ahead):
    record, phases, _ = measured(make_record, [task()], seen_from_here(ahead))
    assert record.clock["offset_seconds"] == pytest.approx(ahead, abs=0.3)
    assert phases["driver-start"].seconds == pytest.approx(0.8, abs=0.3)
    assert phases["end-seen"].seconds == pytest.approx(0.1, abs=0.3)
    assert phases["driver-start"].clock == "corrected"


def test_a_worker_whose_clock_is_behind_or_ahead_gives_no_first_task(make_record):
    behind = task(creation_time_ms=103_000.0)
    ahead = task(start=112.0, end=114.0)
    for row in (behind, ahead):
        _, phases, _ = measured(make_record, [row], seen_from_here(0.0))
        assert "first-task" not in phases
        assert phases["run"].seconds == pytest.approx(9.0)


def test_a_part_of_the_tasks_gives_no_first_task(make_record):
    record, phases, _ = measured(make_record, [task()], seen_from_here(0.0), dropped=3)
    assert (record.tasks["dropped"], "first-task" in phases) == (3, False)


def test_a_task_that_has_finished_is_waited_for_until_its_worker_says_when_it_began(
    make_record, monkeypatch
):
    monkeypatch.setattr(measuring, "LATE_EVENTS_SECONDS", 240.0)
    answers = [[task(start_time_ms=None)], [task()]]
    monkeypatch.setattr(Head, "tasks", lambda *_: (answers.pop(0), 0))
    record, _, _ = measured(make_record, [], seen_from_here(0.0))
    assert (record.tasks["count"], answers) == (1, [])


CREATION = task(
    type="ACTOR_CREATION_TASK", func_or_class_name="A.__init__", node_id=None, actor_id="x"
)


def test_actors_are_asked_for_only_where_the_tasks_do_not_place_them(make_record):
    _, _, api = measured(make_record, [task()], seen_from_here(0.0))
    assert api.asked == 0
    actors = [{"actor_id": "x", "node_id": NODE}]
    record, _, api = measured(make_record, [CREATION], seen_from_here(0.0), actors=actors)
    assert api.asked == 1
    assert [lane["node"] for lane in record.tasks["lanes"]] == ["head here"]


def test_a_head_that_does_not_list_its_actors_is_measured_all_the_same(make_record):
    record, _, _ = measured(make_record, [CREATION], seen_from_here(0.0), actors=None)
    assert record.tasks["count"] == 1


def test_a_job_ran_at_the_answer_before_the_question_that_found_it_running(monkeypatch):
    moments = iter([1.0, 2.0, 3.0, 4.0, 5.0])
    monkeypatch.setattr(measuring.time, "time", lambda: next(moments))
    seen = Observation(0.5)
    for status in ("PENDING", "RUNNING", "RUNNING", "SUCCEEDED", "SUCCEEDED"):
        seen.note(details(status))
    assert (seen.seen_running, seen.seen_end) == (2.0, 4.0)
