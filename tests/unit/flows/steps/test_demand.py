"""What a job waits for: its driver's resources, or tasks that no Ray node is large enough for."""

import threading
from types import SimpleNamespace

import pytest

from raykit.errors import JobsApiError
from raykit.flows.steps import demand
from raykit.flows.steps.demand import Demand, pending, waiting_for_room
from raykit.submission.answers import LostConnectionError
from raykit.testing import recorded

NODES = [
    {"resources_total": {"CPU": 2.0, "memory": 4.0 * 2**30}},
    {"resources_total": {"CPU": 64.0}, "state": "DEAD"},
]
WAITS = "waits until a larger Ray node joins: it needs"


def driver(**wanted):
    return {"name": "_ray_internal_job_actor_job-1", "required_resources": wanted}


@pytest.fixture
def details(ray):
    def of(**fields):
        ray.job(**fields)
        return ray.api().details("job-1")

    return of


def test_a_driver_that_no_ray_node_can_take_names_what_it_needs(ray, details):
    ray.nodes, ray.actors = NODES, [driver(CPU=100.0)]
    assert pending(ray.api(), details(status="PENDING")) == [
        "the job is PENDING: its driver needs 100 CPU (the largest Ray node has 2 CPU)"
    ]


def test_memory_is_shown_in_gibibytes(ray, details):
    ray.nodes, ray.actors = NODES, [driver(memory=8.0 * 2**30)]
    (line,) = pending(ray.api(), details(status="PENDING"))
    assert "8.0 GiB of memory (the largest Ray node has 4.0 GiB of memory)" in line


@pytest.mark.parametrize("actors", [[], [driver(CPU=1.0)], [driver()]])
def test_a_driver_that_has_room_waits_for_what_ray_says(ray, details, actors):
    ray.nodes, ray.actors = NODES, actors
    words = "It may be waiting for the\nruntime environment to be set up."
    assert pending(ray.api(), details(status="PENDING", message=words)) == [
        "the job is PENDING: It may be waiting for the runtime environment to be set up."
    ]


def test_tasks_and_actors_that_fit_nowhere_are_named_once_each(ray, details):
    ray.nodes = NODES
    row = {"state": "PENDING_NODE_ASSIGNMENT", "job_id": "01000000", "name": "train"}
    ray.tasks = [
        {**row, "required_resources": {"CPU": 8.0}},
        {**row, "required_resources": {"CPU": 8.0}},
        {**row, "name": "small", "required_resources": {"CPU": 1.0}},
        {**row, "name": "other", "job_id": "02000000", "required_resources": {"CPU": 8.0}},
    ]
    ray.actors = [
        {"state": "PENDING_CREATION", "class_name": "Loader", "required_resources": {"GPU": 1.0}},
        {"state": "ALIVE", "class_name": "Here", "required_resources": {"GPU": 1.0}},
    ]
    job = details()
    mine = SimpleNamespace(job_id="01000000", status=job.status)
    lines = waiting_for_room(ray.api(), mine, ray.api().nodes())
    assert lines == [
        f"train {WAITS} 8 CPU (the largest Ray node has 2 CPU)",
        f"Loader {WAITS} 1 GPU (the largest Ray node has 0 GPU)",
    ]


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(demand, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


class Notes:
    def __init__(self):
        self.texts, self.shown, self.told = [], [], threading.Event()

    def show(self, text):
        self.shown.append(text)

    def note(self, text):
        self.texts.append(text)
        self.told.set()


def test_the_head_is_asked_once_and_only_after_a_silence(ray, details, clock):
    ray.nodes, ray.actors = NODES, [driver(CPU=100.0)]
    job, api, notes = details(status="PENDING"), ray.api(), Notes()
    asking = Demand(notes.note, notes.show)
    for seconds in (0, 9, 10, 11, 12):
        clock.seconds = seconds
        asking.look(api, job)
        assert ray.asked("/api/v0/actors") == 0 or seconds >= 10
    assert notes.told.wait(240)
    assert len(notes.texts) == 1
    assert ray.asked("/api/v0/actors") == 1


def settled(asking):
    """Wait until a question has its answer."""
    if asking.asking:
        asking.asking.join(240)


BEGAN = recorded.JOB["start_time"]
DEAD = {
    "node_id": "b" * 56,
    "node_name": "10.244.1.8",
    "is_head_node": False,
    "state": "DEAD",
    "state_message": "missed too many\nheartbeats",
    "start_time_ms": BEGAN - 60_000,
}
GONE = {**DEAD, "end_time_ms": BEGAN + 9_000}


def test_a_node_that_is_lost_while_a_job_is_silent_is_named_once(ray, details, clock):
    ray.nodes = NODES[:1]
    job, api, notes = details(), ray.api(), Notes()
    asking = Demand(notes.note, notes.show)
    for seconds, lost in ((14, 0), (15, 0), (19, 1), (20, 1), (21, 1), (25, 1), (30, 2)):
        gone = [
            GONE,
            {**DEAD, "node_name": "b", "end_time_ms": BEGAN + 9_500},
        ]
        before = {**DEAD, "node_id": "c", "end_time_ms": BEGAN - 1_000}
        ray.nodes = [*NODES[:1], *gone[:lost], before]
        clock.seconds = seconds
        asking.look(api, job)
        settled(asking)
    assert notes.texts == [
        "the Ray node worker 10.244.1.8 was lost: missed too many heartbeats",
        "the Ray node worker b was lost: missed too many heartbeats",
    ]
    # Of the tasks that may wait for room it asks at first, and again after each loss.
    assert (ray.asked("/api/v0/nodes"), ray.asked("/api/v0/tasks")) == (4, 3)


def looked(asking, api, job, clock, *moments):
    for clock.seconds in moments:
        asking.look(api, job)
        settled(asking)


def test_a_silence_is_said_after_15_seconds_and_then_twice_as_late_each_time(ray, details, clock):
    ray.nodes = [NODES[0], {**NODES[0], "node_id": "d" * 56}, DEAD]
    notes = Notes()
    looked(Demand(notes.note, notes.show), ray.api(), details(), clock, *range(0, 400, 5))
    told = "the job has printed nothing for {} s; Ray counts 2 Ray nodes as alive"
    assert notes.shown == [told.format(seconds) for seconds in (15, 45, 105, 225)]
    assert notes.texts == []


def test_no_gap_in_what_is_said_of_a_lost_node_is_longer_than_20_seconds(ray, details, clock):
    job, api, notes = details(), ray.api(), Notes()
    asking = Demand(notes.note, notes.show)
    ray.nodes = [NODES[0], GONE]
    looked(asking, api, job, clock, 15)
    assert (len(notes.texts), notes.shown) == (1, [])
    looked(asking, api, job, clock, 20, 25, 30)
    assert notes.shown == ["the job has printed nothing for 30 s; Ray counts 1 Ray node as alive"]
    asking.heard()
    looked(asking, api, job, clock, 45, 50, 55)
    assert len(notes.shown) == 1


def test_a_lost_node_is_named_though_the_head_says_no_more(ray, details, clock):
    ray.nodes, ray.refuse["/api/v0/tasks"] = [GONE], (500, "no")
    notes = Notes()
    looked(Demand(notes.note, notes.show), ray.api(), details(), clock, 15)
    assert notes.texts == ["the Ray node worker 10.244.1.8 was lost: missed too many heartbeats"]


def test_after_a_refusal_lost_nodes_are_looked_for_again(ray, details, clock):
    job, api, notes = details(), ray.api(), Notes()
    asking = Demand(notes.note, notes.show)
    ray.refuse["/api/v0/nodes"] = (500, "busy")
    looked(asking, api, job, clock, 15, 21, 79)
    assert ray.asked("/api/v0/nodes") == 1
    del ray.refuse["/api/v0/nodes"]
    ray.nodes = [GONE]
    looked(asking, api, job, clock, 80)
    assert len(notes.texts) == 1


def test_a_head_that_names_many_lost_nodes_does_not_fill_the_screen(ray, details, clock):
    ray.nodes = [
        {**GONE, "node_id": f"{number:056}", "node_name": "n" * 4000, "state_message": "x" * 4000}
        for number in range(500)
    ]
    lines = demand.lost_nodes(ray.api().nodes(), details())
    assert len(lines) == demand.MOST_LOST + 1
    assert max(map(len, lines)) < 2 * demand.LONGEST_REASON + 50
    assert lines[-1] == "more Ray nodes were lost"


def test_a_job_that_prints_is_not_asked_about(ray, details, clock):
    job, api, before = details(), ray.api(), set(threading.enumerate())
    asking = Demand(Notes().note, print)
    for seconds in range(0, 100, 20):
        clock.seconds = seconds
        asking.heard()
        asking.look(api, job)
    assert ray.asked("/api/v0/") == 0
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name == "demand"]


def test_a_head_that_refuses_to_say_is_left_alone(ray, details, clock):
    ray.refuse["/api/v0/"] = (500, "no")
    job, api = details(status="PENDING"), ray.api()
    asking = Demand(Notes().note, print)
    clock.seconds = 20
    asking.look(api, job)
    settled(asking)
    clock.seconds = 60
    asking.look(api, job)
    settled(asking)
    assert ray.asked("/api/v0/") == 1


def test_a_question_whose_connection_breaks_is_asked_again(ray, details, clock, monkeypatch):
    ray.nodes, ray.actors = NODES, [driver(CPU=100.0)]
    job, api, notes = details(status="PENDING"), ray.api(), Notes()
    asking = Demand(notes.note, notes.show)
    with monkeypatch.context() as broken:
        broken.setattr(demand, "pending", breaks)
        clock.seconds = 10
        asking.look(api, job)
        settled(asking)
    clock.seconds = 16
    asking.look(api, job)
    settled(asking)
    assert len(notes.texts) == 1
    assert "its driver needs 100 CPU" in notes.texts[0]


def breaks(*_):
    raise LostConnectionError("it broke")


def test_a_head_that_does_not_answer_is_said_once_and_also_when_it_answers_again(
    ray, details, clock
):
    job, api, notes = details(), ray.api(), Notes()
    asking = Demand(notes.note, notes.show)
    for seconds in (1, 5, 12, 14):
        clock.seconds = seconds
        asking.unanswered(JobsApiError("nothing listens"))
    said = "the head does not answer, and raykit goes on asking: nothing listens"
    assert notes.texts == [said]
    asking.look(api, job)
    asking.look(api, job)
    assert notes.texts == [said, "the head answers again"]


def test_a_short_silence_is_not_said(ray, details, clock):
    job, api, notes = details(), ray.api(), Notes()
    asking = Demand(notes.note, notes.show)
    for seconds in (1, 8, 20, 26):
        clock.seconds = seconds
        asking.unanswered(JobsApiError("nothing listens"))
        asking.heard()
        asking.look(api, job)
    assert notes.texts == []
