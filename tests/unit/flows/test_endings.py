"""Whatever ends a run goes through the same steps: a table of endings on the small Jobs API.

The interrupt comes from the head's own thread, at a moment that the test chooses.
"""

import signal
import threading
import time
from dataclasses import dataclass

import pytest

from raykit.endpoint import Endpoint
from raykit.flows import session as sessions
from raykit.flows.session import Limits, Session, run_to_end
from raykit.flows.steps import arrival
from raykit.flows.steps.arrival import PAYLOAD_KEY, Arrival
from raykit.measure.records import RunsFolder
from raykit.progress import Progress
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport

pytestmark = pytest.mark.usefixtures("fast")
ALONE, SHARED = True, False


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """`waits(seconds)`: how long an ending waits, long unless a test shortens it.

    Short waits are for a head that never answers: its answers may take their time.
    """

    def last(seconds):
        for name in ("ASK_SECONDS", "HURRY_SECONDS", "STOP_SECONDS", "STOP_PENDING_SECONDS"):
            monkeypatch.setattr(sessions, name, seconds)

    last(240.0)
    monkeypatch.setattr("raykit.flows.steps.measuring.LATE_EVENTS_SECONDS", 0.0)
    return last


@pytest.fixture
def leaps(monkeypatch):
    """`leaps()`: from now on each pause before the head is asked again takes all the time that
    there is. What it never does is waited for with two questions, however long an answer takes."""

    class Clock:
        now = 0.0
        time = staticmethod(time.time)
        monotonic = classmethod(lambda cls: cls.now)

        @classmethod
        def sleep(cls, _):
            cls.now += 1000.0

    return lambda: monkeypatch.setattr(arrival, "time", Clock)


@dataclass
class Ended:
    """A run that is over, and what a person needs of it."""

    run: sessions.Run
    job: object
    runs: RunsFolder

    @property
    def facts(self):
        return self.run.exit_code, self.run.record.status

    @property
    def filed(self):
        record = self.runs.read("last")
        return record.exit_code, record.status


@pytest.fixture
def end(ray, tmp_path, make_record, leaps):
    """Run a job of the fake head to its end, within limits."""

    def see(job_fields, limits, prepare=lambda job: None, head_ended=None):
        record, runs = make_record(), RunsFolder(tmp_path / "runs")
        job = ray.job(id=record.submission_id, **job_fields)
        prepare(job)
        if not job.stops:
            leaps()
        endpoint = Endpoint(ray.url, target={"kind": "local"}, ended=head_ended)
        with Transport(endpoint) as transport:
            session = Session(
                Arrival(JobsApi(transport), record.submission_id), record, runs, Progress()
            )
            payload = {"submission_id": record.submission_id, "metadata": {PAYLOAD_KEY: "hash"}}
            run = run_to_end(session, lambda: session.submit(payload), limits)
        return Ended(run, job, runs)

    return see


def interrupt():
    """Ctrl-C, also for a main thread that waits for an answer."""
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def interrupts(job):
    """Ctrl-C while the job's status is asked for."""
    job.steps = [interrupt]


def stubborn(job):
    """Ray says that it stopped the job, and it stays as it is."""
    job.stops = False


def nothing(job):
    pass


def both(*preparations):
    return lambda job: [prepare(job) for prepare in preparations]


@pytest.mark.parametrize(
    ("status", "alone", "prepare", "code", "filed", "words", "stopped"),
    [
        ("RUNNING", ALONE, interrupts, 130, "STOPPED", "was stopped and its log saved", True),
        ("RUNNING", SHARED, interrupts, 130, "UNFINISHED", "goes on", False),
        ("PENDING", ALONE, both(interrupts, stubborn), 130, "STOPPED", "ended with its head", True),
        ("PENDING", SHARED, interrupts, 130, "UNFINISHED", "goes on", False),
        ("RUNNING", ALONE, nothing, 22, "STOPPED", "it was stopped", True),
        ("RUNNING", SHARED, nothing, 22, "UNFINISHED", "still runs after 0.2 s", False),
        ("PENDING", ALONE, stubborn, 22, "STOPPED", "was still PENDING after 0.2 s", True),
        ("PENDING", SHARED, nothing, 22, "UNFINISHED", "is still PENDING after 0.2 s", False),
        ("SUCCEEDED", ALONE, nothing, 0, "SUCCEEDED", None, False),
        ("SUCCEEDED", SHARED, nothing, 0, "SUCCEEDED", None, False),
    ],
)
def test_every_ending_is_judged_filed_and_said(
    end, ray, status, alone, prepare, code, filed, words, stopped
):
    timeout = 0.2 if code == 22 else 240.0
    limits = Limits(timeout=timeout, ends_with_head=alone)
    ended = end({"status": status, "node": None if status == "PENDING" else "n"}, limits, prepare)
    assert ended.facts == ended.filed == (code, filed)
    assert (words is None) == (ended.run.error is None)
    if words:
        assert words in ended.run.error.what
        assert ended.run.error.next
    asked = [path for _, path, _ in ray.requests if path.endswith("/stop")]
    assert bool(asked) == stopped


@pytest.mark.parametrize(
    ("prepare", "status", "words"),
    [(nothing, "STOPPED", "was stopped"), (stubborn, "UNFINISHED", "was asked to stop and is")],
)
def test_an_interrupt_can_stop_the_job_of_a_shared_head_and_says_whether_it_did(
    end, prepare, status, words
):
    limits = Limits(stop_on_interrupt=True)
    ended = end({}, limits, both(interrupts, prepare))
    assert ended.facts == ended.filed == (130, status)
    assert words in ended.run.error.what


@pytest.mark.parametrize(
    ("stop", "arrives", "status", "words"),
    [
        (True, True, "STOPPED", "was stopped"),
        (False, True, "UNFINISHED", "goes on"),
        (True, False, "NOT_SUBMITTED", "before the job was submitted"),
    ],
)
def test_an_interrupt_during_the_submission_asks_whether_the_job_arrived(
    end, ray, leaps, stop, arrives, status, words
):
    def interrupted_post(job):
        if not arrives:
            leaps()
            del ray.jobs[job.id]
        ray.on_submit = interrupt
        ray.holds_submit = True

    ended = end({}, Limits(stop_on_interrupt=stop), interrupted_post)
    assert ended.facts == ended.filed == (130, status)
    assert words in ended.run.error.what


@pytest.mark.parametrize(
    ("head_ended", "facts", "words"),
    [
        (lambda: None, (20, "FAILED"), "the head was lost"),
        (None, (6, "UNFINISHED"), "does not know the job"),
    ],
    ids=["of a RayCluster", "behind an address"],
)
def test_a_head_that_takes_a_job_and_is_replaced_before_it_is_asked_was_lost_with_it(
    end, ray, head_ended, facts, words
):
    """Behind an address there may be several heads, so that another one may have the job."""
    ray.on_submit = ray.jobs.clear
    ended = end({}, Limits(), head_ended=head_ended)
    assert ended.facts == ended.filed == facts
    assert words in ended.run.error.what


def test_another_job_of_the_same_id_is_never_stopped(end, ray, leaps):
    def taken(job):
        leaps()
        job.metadata = {PAYLOAD_KEY: "of another job"}
        ray.on_submit = interrupt
        ray.holds_submit = True
        ray.keeps_metadata = True

    ended = end({}, Limits(stop_on_interrupt=True), taken)
    assert ended.job.status == "RUNNING"
    assert ended.facts == (130, "NOT_SUBMITTED")


@pytest.fixture
def hangs(ray, waits):
    """What a job does that is interrupted, and whose head then gives no answer to the stop."""

    def meet(job):
        waits(0.3)
        job.steps = [interrupt]
        ray.hang.add("/api/jobs/" + job.id + "/stop")

    return meet


def test_a_head_that_does_not_answer_the_stop_is_not_said_to_have_done_or_refused_it(end, hangs):
    ended = end({}, Limits(stop_on_interrupt=True), hangs)
    assert ended.facts == ended.filed == (130, "UNFINISHED")
    assert "was asked to stop; whether it did is unknown" in ended.run.error.what
    assert "raykit stop" in ended.run.error.next


def test_after_a_stop_without_effect_the_state_is_the_one_that_the_head_says_now(end):
    def starts(job):
        job.stops = False
        job.steps = [interrupt, lambda: setattr(job, "status", "RUNNING")]

    limits = Limits(stop_on_interrupt=True)
    ended = end({"status": "PENDING", "node": None}, limits, starts)
    assert ended.facts == (130, "UNFINISHED")
    assert ended.run.error.what.endswith("was asked to stop and is still RUNNING")


def test_a_second_interrupt_ends_the_ending_and_the_record_is_filed(end):
    def impatient(job):
        job.stops = False
        job.steps = [interrupt, interrupt]

    ended = end({}, Limits(ends_with_head=True), impatient)
    assert ended.facts == ended.filed == (130, "STOPPED")
    assert "interrupted at its end: not all was read and measured" in ended.run.record.notes


def test_an_interrupt_after_the_jobs_end_only_shortens_the_measuring(end, ray):
    ray.on_rows = interrupt
    ended = end({"status": "SUCCEEDED"}, Limits())
    assert ended.facts == ended.filed == (0, "SUCCEEDED")
    assert "interrupted at its end: not all was read and measured" in ended.run.record.notes


def test_a_head_that_refuses_while_followed_leaves_a_filed_record(end, ray):
    def closes(job):
        job.steps = [lambda: ray.refuse.update({"/api/jobs/": (403, "no")})]

    ended = end({}, Limits(), closes)
    assert ended.facts == ended.filed == (6, "UNFINISHED")


def test_a_head_that_hangs_does_not_hold_the_ending(end, hangs):
    ended = end({}, Limits(ends_with_head=True), hangs)
    assert ended.facts == ended.filed == (130, "STOPPED")
    assert "ended with its head" in ended.run.error.what


def test_a_bug_is_filed_before_it_is_raised(end, tmp_path, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Session, "_note_status", fail)
    with pytest.raises(ZeroDivisionError):
        end({}, Limits())
    assert RunsFolder(tmp_path / "runs").read("last").exit_code == 1


@pytest.mark.parametrize("rows", [[{}], [None], [{"state": 3, "start_time_ms": "x"}], ["x"]])
def test_odd_answers_about_tasks_and_nodes_are_a_note_and_end_no_run(end, ray, rows):
    ray.tasks = ray.nodes = rows
    ended = end({"status": "SUCCEEDED"}, Limits())
    assert ended.facts == ended.filed == (0, "SUCCEEDED")


def test_a_full_disk_ends_no_run_and_is_7(end, monkeypatch):
    written = []

    def refuse(self, record):
        written.append(record.status)
        if len(written) > 1:
            raise sessions.RecordError("no space left")
        return self.path

    monkeypatch.setattr(RunsFolder, "write", refuse)
    ended = end({"status": "SUCCEEDED"}, Limits())
    assert ended.facts == (7, "SUCCEEDED")
