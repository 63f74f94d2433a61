"""A head that raykit did not start: Ray's own limit of questions at once holds, here a low one."""

import http.client
import json
from urllib.parse import urlencode, urlsplit

import pytest

from raykit.local import heads, ray_start
from raykit.manifests.ray_environment import RAY_ENVIRONMENT
from raykit.progress import Progress

LIMIT = 3
ECHO = ("submit", "-o", "json", "--entrypoint", "--", "echo", "done")


@pytest.fixture(scope="module")
def limited():
    """A head that refuses the fourth question after logs, tasks or nodes while three are open."""
    changed = pytest.MonkeyPatch()
    environment = RAY_ENVIRONMENT | {"RAY_STATE_SERVER_MAX_HTTP_REQUEST": str(LIMIT)}
    changed.setattr(ray_start, "RAY_ENVIRONMENT", environment)
    with changed.context(), heads.head(Progress()) as started:
        yield started


@pytest.fixture
def on_limited(cli, limited):
    cli.env |= {"RAYKIT_ON": limited.url, "RAY_AUTH_TOKEN": limited.token}
    return cli


def get(head, path):
    """A connection and its answer, of which nothing is read yet."""
    connection = http.client.HTTPConnection(urlsplit(head.url).netloc, timeout=240)
    connection.request("GET", path, headers={"Authorization": f"Bearer {head.token}"})
    return connection, connection.getresponse()


def leave_stream(head, job):
    """Open a stream of an ended job's log, as the dashboard does, and go."""
    connection, response = get(head, f"/api/jobs/{job}")
    node = json.load(response)["driver_node_id"]
    connection.close()
    query = {"node_id": node, "filename": f"job-driver-{job}.log", "lines": "-1"}
    connection, response = get(head, f"/api/v0/logs/stream?{urlencode(query)}")
    assert (response.status, len(response.read(1))) == (200, 1)
    connection.close()


def echo(raykit):
    """A small job's record, and what was said while it ran."""
    done = raykit(*ECHO)
    assert done.code == 0, done.err
    return json.loads(done.out)["data"], " ".join(done.err.split())


def refusals(record):
    """What the head refused. On a busy machine a note says besides that the job is PENDING."""
    return [note for note in record["notes"] if "too many requests" in note]


def test_following_jobs_leaves_nothing_open_on_the_head(on_limited):
    for _ in range(2 * LIMIT):
        record, _ = echo(on_limited)
        assert (record["log"]["source"], refusals(record)) == ("file", [])


def test_a_head_full_of_streams_that_others_left_is_named_and_the_log_is_saved_as_text(
    on_limited, limited
):
    before = echo(on_limited)[0]["submission_id"]
    for _ in range(LIMIT):
        leave_stream(limited, before)
    record, said = echo(on_limited)
    assert record["log"]["source"] == "text"
    assert (on_limited.runs / record["id"] / "driver.log").read_bytes().endswith(b"done\n")
    assert refusals(record)
    assert "is Ray's text of it, not the file byte for byte" in said
    refused = on_limited("logs", "--on", limited.url, before)
    assert refused.code == 6
    assert "RAY_STATE_SERVER_MAX_HTTP_REQUEST=-1" in " ".join(refused.err.split())
