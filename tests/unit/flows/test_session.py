"""One job from submission to record, on the small Jobs API: what is shown, kept and judged."""

import json

import pytest

from raykit.endpoint import Endpoint
from raykit.flows.session import Limits, Session, run_to_end
from raykit.flows.steps.arrival import Arrival
from raykit.measure.records import RunsFolder
from raykit.progress import Progress, Silent
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport

pytestmark = pytest.mark.usefixtures("fast")
NO_LIMITS = Limits()
TOKEN = "5f0d3c9a7b5f0d3c9a7b"
START = b'{"raykit": 1, "event": "start", "job": "fib", "time": 1700000000.5}\n'
SPAN = b'{"raykit": 1, "event": "span", "name": "tasks", "start": 1700000000.6, "seconds": 0.5}\n'
RESULT = b'{"raykit": 1, "event": "result", "data": {"p": 2}}\n'
USAGE = b'{"raykit": 1, "event": "error", "cause": "usage", "message": "--size: too big"}\n'
DATA = b'{"raykit": 1, "event": "error", "cause": "data", "message": "cut short"}\n'


@pytest.fixture(autouse=True)
def no_late_events(monkeypatch):
    """The fake head has no task events that could still come."""
    monkeypatch.setattr("raykit.flows.steps.measuring.LATE_EVENTS_SECONDS", 0.0)


class Seen(Silent):
    """A listener that remembers what a person would have seen."""

    def __init__(self):
        self.output, self.notes = b"", []

    def job_output(self, chunk):
        self.output += chunk

    def note(self, text):
        self.notes.append(text)


class Ran:
    """A session on the fake head that has seen its job through."""

    def __init__(self, ray, runs, record, limits=NO_LIMITS):
        self.seen, self.runs, self.record = Seen(), runs, record
        endpoint = Endpoint(ray.url, secrets=(TOKEN,), target={"kind": "url", "url": ray.url})
        with Transport(endpoint) as transport:
            session = Session(
                Arrival(JobsApi(transport), record.submission_id), record, runs, Progress(self.seen)
            )
            session.check_head(endpoint)
            payload = {"submission_id": record.submission_id, "metadata": {}}
            self.run = run_to_end(session, lambda: session.submit(payload), limits)

    def file(self, name):
        return (self.runs.folder(self.record.id) / name).read_bytes()


@pytest.fixture
def run(ray, tmp_path, make_record):
    """Run a job whose fields are given to its end."""

    def run_job(**fields):
        record = make_record()
        job = ray.job(id=record.submission_id, **{"status": "SUCCEEDED", "exit_code": 0} | fields)
        return Ran(ray, RunsFolder(tmp_path / "runs"), record), job

    return run_job


def test_a_log_is_kept_whole_and_shown_without_its_timing_lines(run):
    log = START + b"hello\n" + SPAN + RESULT
    ran, _ = run(log=log)
    assert ran.run.exit_code == 0
    assert ran.seen.output == b"hello\n"
    assert ran.file("driver.log") == log
    events = [json.loads(line)["event"] for line in ran.file("events.jsonl").splitlines()]
    assert events == ["start", "span", "result"]
    read = ran.runs.read("last")
    assert (read.start["job"], len(read.spans), read.results) == ("fib", 1, [{"data": {"p": 2}}])
    assert read.log["bytes"] == len(log)
    assert read.versions["ray"] == "2.60.0"
    assert read.target["kind"] == "url"
    names = [phase.name for phase in read.phases]
    assert names[0] == "submit"
    # The job of the fake head lasts longer on its clock than on ours: no offset fits.
    assert names[-1] == "run"


def test_rays_own_first_lines_are_kept_but_not_shown(run, ray, make_record):
    record = make_record()
    preamble = (
        b"2026-11-23 23:42:47,427\tINFO job_manager.py:581 -- Runtime env is setting up.\n"
        b"Running entrypoint for job " + record.submission_id.encode() + b": python\n"
    )
    for chunk in (1, 7, 4096):
        ray.chunk = chunk
        ran, _ = run(log=preamble + b"hello\n")
        assert ran.seen.output == b"hello\n"
        assert ran.file("driver.log") == preamble + b"hello\n"


@pytest.mark.parametrize("chunk", [1, 5, 13, 4096])
def test_a_token_never_reaches_log_screen_or_record_however_the_log_was_cut(run, ray, chunk):
    ray.chunk = chunk
    line = f"RAY_AUTH_TOKEN={TOKEN}\n".encode()
    result = b'{"raykit": 1, "event": "result", "data": "' + TOKEN.encode() + b'"}\n'
    ran, _ = run(
        log=line * 3 + result, status="FAILED", exit_code=1, message=f"last lines: {line.decode()}"
    )
    files = [path.read_bytes() for path in ran.runs.path.rglob("*") if path.is_file()]
    assert len(files) == 3
    everything = b"".join([*files, ran.seen.output, repr(ran.run.error.as_dict()).encode()])
    assert TOKEN.encode() not in everything
    assert ran.file("driver.log").startswith(b"RAY_AUTH_TOKEN=[redacted]\n")
    assert ran.record.results == [{"data": "[redacted]"}]


def test_a_log_that_is_replaced_is_filed_once_and_shown_once(ray, tmp_path, make_record):
    record = make_record()
    job = ray.job(id=record.submission_id, log=START + SPAN + b"hello\n")
    job.steps = [
        ray.streams(job),
        ray.streams(job),
        lambda: setattr(job, "log", START + SPAN + RESULT + b"hello\nmore\n"),
        ray.ends(job),
    ]
    ran = Ran(ray, RunsFolder(tmp_path / "runs"), record)
    assert ran.file("driver.log") == job.log
    assert ran.seen.output == b"hello\nmore\n"
    assert (len(record.spans), len(record.results)) == (1, 1)
    assert len(ran.file("events.jsonl").splitlines()) == 3


@pytest.mark.parametrize(
    ("status", "driver", "log", "code"),
    [
        ("SUCCEEDED", 0, b"hello\n", 0),
        ("SUCCEEDED", 0, START + RESULT, 0),
        ("SUCCEEDED", 0, START, 9),
        ("SUCCEEDED", 0, START + DATA, 9),
        ("FAILED", 1, START + DATA, 9),
        ("STOPPED", None, START + DATA, 9),
        ("FAILED", 1, START, 20),
        ("FAILED", 1, START + RESULT, 20),
        ("FAILED", 127, b"", 20),
        ("FAILED", 137, b"", 20),
        ("FAILED", -9, b"", 20),
        ("FAILED", None, b"", 20),
        ("STOPPED", None, START, 21),
        ("FAILED", 2, USAGE, 2),
        ("FAILED", 2, b"usage: x [-h]\nx: error: no such option\n", 2),
        ("FAILED", 2, START + b"x: error: later\n", 20),
        ("FAILED", 1, b"x: error: no such option\n", 20),
        ("FAILED", 2, b"ls: cannot access\n", 20),
    ],
)
def test_a_status_and_the_jobs_own_words_give_the_exit_code(run, status, driver, log, code):
    ran, _ = run(status=status, exit_code=driver, log=log)
    assert ran.run.exit_code == code
    assert ran.runs.read("last").exit_code == code
    if code:
        assert ran.run.error.what
        assert ran.run.error.next


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"exit_code": 3}, "3"),
        ({"exit_code": 127}, "its command was not found"),
        ({"exit_code": 137}, "out of memory"),
        ({"exit_code": -9}, "out of memory"),
        ({"error_type": "RUNTIME_ENV_SETUP_FAILURE", "exit_code": None}, "runtime environment"),
    ],
)
def test_what_a_failure_came_from_is_said(run, fields, words):
    ran, job = run(status="FAILED", **fields)
    assert job.id in ran.run.error.what
    assert words in ran.run.error.what


@pytest.mark.parametrize(
    ("log", "evidence"),
    [
        (USAGE, ("--size: too big",)),
        (b"usage: x [-h]\n" + b" " * 9 + b"[-o]\nx: error: no -z\n", ("x: error: no -z",)),
    ],
)
def test_options_that_a_job_refused_are_said_once_with_the_way_to_its_help(run, log, evidence):
    ran, _ = run(status="FAILED", exit_code=2, log=log)
    assert ran.run.error.evidence == evidence
    assert ran.run.error.next == "raykit submit fib -- --help"
    assert ran.record.cause == "usage"


def test_the_last_lines_of_the_log_are_the_evidence_of_a_failure(run):
    log = START + b"".join(b"line %d\n" % number for number in range(50)) + SPAN
    ran, _ = run(status="FAILED", exit_code=1, log=log)
    assert ran.run.error.evidence == tuple(f"line {number}" for number in range(42, 50))


def test_what_rays_own_processes_said_last_does_not_hide_why_a_job_failed(run):
    said = b"Traceback (most recent call last):\nray.exceptions.NodeDiedError: it is dead\n"
    died = b"(raylet) Raylet is terminated. Its log:\n" + b"    [state-dump] nothing\n" * 20
    coloured = b"\x1b[33m(raylet)\x1b[0m and so on\n"
    ran, _ = run(status="FAILED", exit_code=1, log=died + said + died + coloured + died)
    assert ran.run.error.evidence[-1] == "ray.exceptions.NodeDiedError: it is dead"
    assert ran.record.cause == "node-lost"


@pytest.mark.parametrize(("length", "kept"), [(6000, 6000), (6001, 6003), (100_000, 6003)])
def test_a_long_message_keeps_its_beginning_and_its_end(run, length, kept):
    message = "first" + "m" * (length - 9) + "last"
    ran, _ = run(status="FAILED", exit_code=1, message=message)
    assert len(ran.record.message) == kept
    assert ran.record.message[:5] == message[:5]
    assert ran.record.message[-4:] == message[-4:]


def test_a_log_that_cannot_be_written_is_shown_to_its_end_and_then_7(ray, tmp_path, make_record):
    record = make_record()
    runs = RunsFolder(tmp_path / "runs")
    (runs.folder(record.id) / "driver.log").mkdir(parents=True)
    ray.job(id=record.submission_id, status="SUCCEEDED", log=b"hello\n" * 1000)
    ran = Ran(ray, runs, record)
    assert ran.seen.output == b"hello\n" * 1000
    assert ran.run.exit_code == 7
    assert len([note for note in ran.seen.notes if "driver.log could not be written" in note]) == 1
    assert runs.read("last").exit_code == 7


def test_another_ray_at_the_address_is_said(run, ray):
    ray.refuse["/api/version"] = (200, json.dumps({"ray_version": "2.48.0"}))
    ran, _ = run()
    assert ran.seen.notes == ["the head runs Ray 2.48.0; raykit is tested with Ray 2.60.x"]


def test_a_timeout_is_22_and_the_job_goes_on(ray, tmp_path, make_record):
    record = make_record()
    job = ray.job(id=record.submission_id)
    ran = Ran(ray, RunsFolder(tmp_path), record, Limits(timeout=0.2))
    assert ran.run.exit_code == 22
    assert job.status == "RUNNING"
    assert ran.runs.read(record.id).status == "UNFINISHED"
