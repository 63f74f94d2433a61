"""The fake head of `raykit.testing` answers as a real Ray does: statuses, fields and texts."""

import re

import httpx2
import pytest

from raykit.endpoint import Endpoint
from raykit.submission.jobs_api import MOST_ROWS, JobsApi
from raykit.submission.transport import Transport
from raykit.testing import FakeHead, recorded

pytestmark = pytest.mark.local
TOKEN = "to-ken"
FREE = {"required_resources", "resources_total", "labels", "metadata"}
"""Fields whose names the user chooses."""
JOB = """import ray
ray.init()
@ray.remote(num_cpus=0.1)
class Loader:
    def load(self): return 1
loader = Loader.remote()
ray.get([loader.load.remote(), ray.remote(num_cpus=0.1)(lambda: 1).remote()])
"""
MANY = """import ray, sys, time
from pathlib import Path
ray.init()
none = ray.remote(num_cpus=0.01)(lambda: None)
ray.get([none.remote() for _ in range(12_000)])
while not Path(sys.argv[1]).exists():
    time.sleep(0.05)
"""
"""Ends when it may: on a busy machine Ray still counts its tasks for a while."""


@pytest.fixture(scope="module")
def fake():
    with FakeHead(TOKEN) as made:
        yield made


@pytest.fixture
def ask(head, fake):
    """`ask(path)`: what the real head and the fake answer to the same request."""

    def both(path, method="GET", authorised=True, fake_path=None, **options):
        found = []
        for url, token, place in (
            (head.url, head.token, path),
            (fake.url, TOKEN, fake_path or path),
        ):
            headers = {"Authorization": f"Bearer {token}"} if authorised else {}
            sent = {"headers": headers, "timeout": 60} | options
            with httpx2.Client(base_url=url, trust_env=False) as client:
                found.append(client.request(method, place, **sent))
        return found

    return both


@pytest.fixture(scope="module")
def job(head):
    """The id of a job that ran on the real head, with a task and an actor, and its details."""
    endpoint = head.endpoint()
    with Transport(endpoint) as transport:
        api = JobsApi(transport)
        command = f"python -c '{JOB}'"
        api.submit({"entrypoint": command, "submission_id": "as-ray-does", "metadata": {"a": "b"}})
        details = api.details("as-ray-does")
        while not details.ended:
            details = api.details("as-ray-does")
        assert details.status == "SUCCEEDED", details.message
        yield details


def kinds(value):
    """The names and kinds of JSON data; null fits every kind."""
    if isinstance(value, dict):
        return {name: kinds(item) for name, item in value.items()}
    if isinstance(value, list):
        return [kinds(item) for item in value[:1]]
    return type(value).__name__


def same(real, fake):
    """Whether two answers agree: status, kind of content, and names and kinds of all fields."""
    assert real.status_code == fake.status_code
    assert real.headers["Content-Type"] == fake.headers["Content-Type"]
    agree(kinds(real.json()), kinds(fake.json()), real.request.url.path)


def agree(real, fake, where, only=False):
    if "NoneType" in (real, fake):
        return
    if isinstance(real, dict) and isinstance(fake, dict):
        assert set(fake) - set(real) == set(), where
        assert only or set(real) - set(fake) == set(), where
        for name in set(fake) - FREE:
            agree(real[name], fake[name], f"{where} {name}", only=only)
    elif isinstance(real, list) and isinstance(fake, list):
        for one, other in zip(real, fake, strict=False):
            agree(one, other, where, only=only)
    else:
        assert real == fake, where


def test_version_and_mode_and_lists_have_the_same_fields(ask, fake, job):
    fake.job(id="as-ray-does", status="SUCCEEDED", exit_code=0, metadata={"a": "b"})
    for path in ("/api/version", "/api/authentication_mode", "/api/jobs/", "/api/jobs/as-ray-does"):
        same(*ask(path))
    same(*ask("/api/jobs/as-ray-does/logs"))
    same(*ask("/api/jobs/as-ray-does/stop", "POST"))


@pytest.mark.parametrize("kind", ["tasks", "actors", "nodes"])
def test_rows_have_the_same_envelope_and_the_same_fields(ask, fake, job, soon, kind):
    fake.tasks, fake.actors, fake.nodes = [{}], [{}], [{}]
    path = f"/api/v0/{kind}?detail=1&limit=10000"
    real, faked = soon(lambda: rows_of(ask(path)))
    assert real.headers["Content-Type"] == faked.headers["Content-Type"]
    # A row's other fields raykit does not read.
    agree(kinds(real.json()), kinds(faked.json()), path, only=True)
    envelope, faked_envelope = (answer.json()["data"]["result"] for answer in (real, faked))
    assert set(envelope) == set(faked_envelope)


def rows_of(answers):
    return answers if answers[0].json()["data"]["result"]["result"] else None


def test_refusals_have_the_same_status_and_text(ask, fake, head, job):
    fake.job(id="as-ray-does", status="SUCCEEDED")
    large = b"x" * (recorded.BODY_BYTES + 1)
    missing = "/api/v0/logs/file?filename=job-driver-no.log&lines=-1&node_id="
    cases = [
        ask("/api/version", authorised=False),
        ask("/api/version", headers={"Authorization": "Bearer wrong"}),
        ask("/api/nothing"),
        ask("/api/jobs/nope"),
        ask("/api/jobs/nope/logs"),
        ask("/api/jobs/nope/stop", "POST"),
        ask("/api/packages/gcs/_ray_pkg_0.zip"),
        ask("/api/packages/gcs/_ray_pkg_0.zip", "PUT", content=large),
        ask("/api/v0/nodes?limit=10001"),
        ask(f"{missing}{job.driver_node_id}", fake_path=f"{missing}{recorded.NODE}"),
        ask(
            f"{missing.replace('-no.', '-as-ray-does.')}{'0' * 56}",
            fake_path=f"{missing.replace('-no.', '-as-ray-does.')}{'0' * 56}",
        ),
    ]
    for real, faked in cases:
        assert real.status_code == faked.status_code, real.request.url
        assert real.headers["Content-Type"] == faked.headers["Content-Type"], real.request.url
        assert plain(real.text) == plain(faked.text), real.request.url


def plain(text):
    """A text without the folder of one session."""
    return re.sub(r"/\S*/logs/", "/logs/", text)


def test_an_id_that_exists_is_refused_in_the_same_words(head, job):
    body = {"entrypoint": "true", "submission_id": "as-ray-does"}
    with httpx2.Client(base_url=head.url, headers=head.endpoint().headers) as client:
        real = client.post("/api/jobs/", json=body)
    last = recorded.EXISTS.format(id="as-ray-does").splitlines()[-2]
    assert (real.status_code, last in real.text) == (500, True)


def test_of_12000_tasks_those_that_ray_cuts_are_counted(on_head, head, soon):
    """A smaller job is not cut: Ray's source of task events sends 10,000 at most."""
    go = on_head.cwd / "go"
    words = ("--id", "many-tasks", "--entrypoint", "--", "python", "-c", MANY, go)
    child = on_head.start("submit", *words)
    endpoint = Endpoint(head.url, head.endpoint().headers)
    with Transport(endpoint) as transport:
        rows, dropped = soon(lambda: all_of(JobsApi(transport), "many-tasks"), pause=1)
    assert (len(rows), dropped) == (MOST_ROWS, 2000)
    go.touch()
    _, err = child.communicate(timeout=500)
    assert child.returncode == 0, err
    record = on_head("runs", "show", "many-tasks", "-o", "json").envelope["data"]
    assert record["tasks"]["dropped"] == 2000


def all_of(api, submission_id):
    """The task rows of a job and how many Ray left out, once those are all of its tasks."""
    job = next((job for job in api.jobs() if job.submission_id == submission_id), None)
    rows, dropped = api.tasks(job.job_id) if job and job.job_id else ([], 0)
    return (rows, dropped) if len(rows) + dropped >= 12_000 else None
