"""Following a job on a small real HTTP server: every byte once, whatever the connections do."""

import random
import threading
import time
import tracemalloc
from itertools import pairwise

import pytest

from raykit.endpoint import Endpoint
from raykit.errors import JobsApiError
from raykit.submission import following, log_tail
from raykit.submission.following import UnknownJobError, follow
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport

pytestmark = pytest.mark.usefixtures("fast")
LINES = b"".join(b"line %d\n" % number for number in range(400))


@pytest.fixture(params=["read again", "streamed"])
def way(request, monkeypatch):
    """Everything holds for small logs, which are read again and again, and for large ones."""
    if request.param == "streamed":
        monkeypatch.setattr(log_tail, "SMALL_BYTES", 0)
    return request.param


class Sink:
    """What a recording would have: bytes since the last restart."""

    def __init__(self):
        self.chunks, self.restarts = [], 0

    def take(self, chunk):
        self.chunks.append(chunk)

    @property
    def data(self):
        return b"".join(self.chunks)

    def restart(self):
        self.chunks, self.restarts = [], self.restarts + 1


def followed(ray, job, **options):
    sink = Sink()
    result = follow(ray.api(), job.id, sink.take, restart=sink.restart, **options)
    return result, sink


def test_every_line_comes_once_and_in_order_while_the_job_runs(ray, way):
    job = ray.job()
    job.steps = [
        ray.writes(job, b"one\n"),
        ray.streams(job),
        ray.writes(job, b"two\nthr"),
        ray.streams(job),
        ray.writes(job, b"ee\n"),
        ray.streams(job),
        ray.ends(job),
    ]
    result, sink = followed(ray, job)
    assert sink.data == b"one\ntwo\nthree\n"
    assert (result.log_source, result.reconnects, result.replaced) == ("file", 0, False)
    assert result.details.status == "SUCCEEDED"
    assert len(sink.chunks) > 1
    assert ray.asked("/api/v0/logs/stream") == (way == "streamed")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("seed", range(5))
def test_a_log_survives_any_number_of_cut_connections(ray, seed):
    chance = random.Random(seed)
    ray.cuts = [chance.randrange(len(LINES)) for _ in range(12)]
    ray.chunk = chance.choice([1, 7, 100, 5000])
    job = ray.job()
    edges = sorted({0, len(LINES), *(chance.randrange(len(LINES)) for _ in range(5))})
    for low, high in pairwise(edges):
        job.steps += [ray.writes(job, LINES[low:high]), ray.cut]
    job.steps += [ray.streams(job), ray.ends(job)]
    result, sink = followed(ray, job)
    assert sink.data == LINES
    assert (result.log_source, sink.restarts) == ("file", 0)
    assert result.reconnects > 0


def test_a_file_cut_at_the_end_is_read_again_from_where_it_broke(ray):
    job = ray.job(log=LINES, status="SUCCEEDED")
    ray.cuts = [100, 0, 1500]
    result, sink = followed(ray, job)
    assert (sink.data, sink.restarts) == (LINES, 0)
    assert (result.log_source, result.reconnects) == ("file", 3)


@pytest.mark.usefixtures("way")
def test_a_connection_that_died_in_silence_costs_nothing_but_time(ray):
    job = ray.job(log=b"early\n")
    job.steps = [ray.streams(job), lambda: setattr(job, "log", b"early\nlate\n"), ray.ends(job)]
    result, sink = followed(ray, job)
    assert sink.data == b"early\nlate\n"
    assert result.log_source == "file"


def test_a_job_that_ended_before_is_read_from_the_file(ray):
    job = ray.job(log=LINES, status="FAILED", exit_code=3)
    result, sink = followed(ray, job)
    assert sink.data == LINES
    assert (result.details.status, result.details.driver_exit_code) == ("FAILED", 3)
    assert ray.asked("/api/v0/logs/stream") == 0


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("other", [b"other\n" * 3, b"x", b"", LINES * 2, b"line 0\nline X\n"])
def test_a_log_that_turns_out_to_be_another_is_taken_anew(ray, other):
    job = ray.job(log=b"line 0\nline 1\n")
    job.steps = [ray.streams(job), ray.streams(job), lambda: setattr(job, "log", other)]
    job.steps += [ray.ends(job)]
    result, sink = followed(ray, job)
    assert sink.data == other
    replaced = not other.startswith(b"line 0\nline 1\n")
    assert (result.replaced, sink.restarts) == (replaced, int(replaced))


@pytest.mark.usefixtures("way")
def test_a_replaced_log_whose_second_reading_breaks_still_arrives_whole(ray):
    job = ray.job(log=b"line 0\n")
    job.steps = [ray.streams(job), ray.streams(job)]
    job.steps += [lambda: setattr(job, "log", LINES[::-1]), ray.ends(job)]
    job.steps[-1:] = [lambda: (ray.cuts.extend([3000, 50]), ray.ends(job)())]
    result, sink = followed(ray, job)
    assert sink.data == LINES[::-1]
    assert result.log_source == "file"


@pytest.mark.usefixtures("way")
def test_bytes_that_are_no_text_arrive_as_they_are(ray):
    log = b"\xff\xfe\x00 50 %\r100 %\r\n\x80 no end"
    job = ray.job(log=log)
    job.steps = [ray.streams(job), ray.ends(job)]
    assert followed(ray, job)[1].data == log


def test_where_only_the_text_endpoint_answers_the_log_is_marked_lossy(ray):
    ray.refuse["/api/v0/logs/"] = (500, "no agent")
    job = ray.job(log=b"one\r\ntwo\n", steps=[])
    job.steps = [ray.ends(job)]
    result, sink = followed(ray, job)
    assert sink.data == b"one\ntwo\n"
    assert result.log_source == "text"
    assert result.shortfall.startswith("the log is Ray's text of it, not the file byte for byte")


@pytest.mark.usefixtures("way")
def test_a_log_of_which_the_end_cannot_be_had_is_marked_partial(ray):
    job = ray.job(log=b"one\n")
    gone = [lambda: ray.refuse.update({"/api/v0/logs/": (500, "gone")})]
    job.steps = [ray.streams(job), *gone, ray.cut, ray.writes(job, b"two\n"), ray.ends(job)]
    result, sink = followed(ray, job)
    assert sink.data == b"one\n"
    assert result.log_source == "partial"
    assert result.shortfall.startswith("the log may lack its end, not the file byte for byte")


def test_a_head_with_too_much_open_is_asked_for_a_while_and_named_as_the_cause(ray, monkeypatch):
    monkeypatch.setattr(following, "BUSY_SECONDS", 0.2)
    ray.refuse["/api/v0/logs/"] = (429, "Max number of in-progress requests=100 reached.")
    job = ray.job(log=b"one\n", status="SUCCEEDED")
    result, sink = followed(ray, job)
    assert (sink.data, result.log_source, result.reconnects) == (b"one\n", "text", 0)
    assert ray.asked("/api/v0/logs/file") > 1
    assert "too many questions" in result.unread.what
    assert "RAY_STATE_SERVER_MAX_HTTP_REQUEST=-1" in result.unread.next


def test_a_head_that_is_busy_for_a_moment_still_gives_the_file(ray):
    ray.refuse["/api/v0/logs/"] = (429, "Max number of in-progress requests=100 reached.")
    threading.Timer(0.1, ray.refuse.clear).start()
    result, sink = followed(ray, ray.job(log=LINES, status="SUCCEEDED"))
    assert (sink.data, result.log_source, result.unread) == (LINES, "file", None)


def test_a_log_is_streamed_once_it_has_outgrown_reading_it_again(ray, monkeypatch):
    monkeypatch.setattr(log_tail, "SMALL_BYTES", 1000)
    job = ray.job(log=LINES[:500])
    first = [ray.streams(job), lambda: streamed.append(ray.asked("/api/v0/logs/stream"))]
    streamed = []
    grown = [ray.writes(job, LINES[500:1500]), ray.streams(job), ray.writes(job, LINES[1500:])]
    job.steps = [*first, *grown, ray.streams(job), ray.ends(job)]
    result, sink = followed(ray, job)
    assert (sink.data, result.log_source) == (LINES, "file")
    assert streamed == [0]
    assert ray.asked("/api/v0/logs/stream") <= 1


def test_a_job_that_never_had_a_driver_gives_what_ray_says(ray):
    job = ray.job(node=None, log=b"setup failed\n", status="FAILED")
    result, sink = followed(ray, job)
    assert (sink.data, result.log_source) == (b"setup failed\n", "text")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_head_that_is_away_for_a_while_is_waited_for(ray, status):
    job = ray.job(log=b"one\n")
    back = []

    def leave():
        ray.refuse["/api/"] = (status, "away")
        ray.cut()

        def come_back():
            back.append(ray.refuse.pop("/api/"))
            ray.writes(job, b"two\n")()

        threading.Timer(0.2, come_back).start()

    job.steps = [ray.streams(job), leave, ray.streams(job), ray.ends(job)]
    result, sink = followed(ray, job)
    assert back
    assert sink.data == b"one\ntwo\n"
    assert result.details.status == "SUCCEEDED"


def test_a_head_that_never_comes_back_is_given_up_with_6(ray, monkeypatch):
    monkeypatch.setattr(following, "PATIENCE_SECONDS", 0.3)
    job = ray.job()
    job.steps = [lambda: ray.drop.add("/api/")]
    with pytest.raises(JobsApiError, match="no answer from http://127"):
        followed(ray, job)


@pytest.mark.parametrize(
    ("status", "body", "what"),
    [
        (401, "token missing", "the Ray head wants a token and got none"),
        (403, "token wrong", "the Ray head does not accept the token"),
        (200, "<html>hello</html>", "answers, but not as a Ray head does"),
        (200, "[1, 2]", "answers, but not as a Ray head does"),
        (200, '{"status": 3}', "answers, but not as a Ray head does"),
        (404, "no", "the head does not know the job job-1"),
        (400, "bad", "refused the request"),
    ],
)
def test_a_head_that_refuses_ends_the_following_with_6_and_the_reason(ray, status, body, what):
    job = ray.job()
    job.steps = [lambda: ray.refuse.update({"/api/jobs/": (status, body)})]
    with pytest.raises(JobsApiError) as caught:
        followed(ray, job)
    assert what in caught.value.what
    assert caught.value.next


def test_the_deadline_ends_the_following_while_the_job_goes_on(ray):
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        followed(ray, ray.job(log=b"x"), deadline=began + 0.3)
    assert time.monotonic() - began < 3


def test_the_deadline_holds_too_while_nothing_answers(ray):
    ray.drop.add("/api/")
    with pytest.raises(TimeoutError):
        followed(ray, ray.job(), deadline=time.monotonic() + 0.3)


@pytest.mark.usefixtures("way")
def test_the_end_is_seen_at_once_though_a_stream_never_ends(ray):
    job = ray.job(log=b"one\n")
    job.steps = [ray.streams(job), ray.ends(job)]
    began = time.monotonic()
    followed(ray, job)
    assert time.monotonic() - began < 2


def test_every_status_is_told_once(ray):
    job = ray.job(status="PENDING", node=None)

    def runs():
        job.status, job.node = "RUNNING", "f" * 56

    job.steps = [lambda: None, runs, lambda: None, ray.ends(job)]
    seen = []
    followed(ray, job, on_status=lambda details: seen.append(details.status))
    assert list(dict.fromkeys(seen)) == ["PENDING", "RUNNING", "SUCCEEDED"]


@pytest.mark.usefixtures("way")
def test_memory_stays_flat_for_a_long_line_without_an_end(ray):
    size, taken = 24 << 20, 0
    job = ray.job(log=b"x" * size)
    ray.chunk = 1 << 16
    job.steps = [ray.streams(job), ray.ends(job)]

    def take(chunk):
        nonlocal taken
        taken += len(chunk)

    tracemalloc.start()
    try:
        follow(ray.api(), job.id, take)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken == size
    assert peak < 4 << 20


def test_a_head_that_has_ended_for_good_is_not_waited_for():
    endpoint = Endpoint("http://127.0.0.1:1", gone=lambda: True)
    with Transport(endpoint) as transport, pytest.raises(UnknownJobError) as lost:
        follow(JobsApi(transport), "job", lambda chunk: None)
    assert "has ended, and the job with it" in lost.value.what
