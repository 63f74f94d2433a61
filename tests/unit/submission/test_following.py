"""Following a job on a small real HTTP server: every byte once, whatever the connections do."""

import random
import threading
import time
import tracemalloc
from itertools import pairwise

import pytest

from raykit.endpoint import Ended
from raykit.errors import JobsApiError, KubernetesError
from raykit.submission import following, log_tail
from raykit.submission.answers import LostConnectionError
from raykit.submission.following import DeletedClusterError, UnknownJobError, follow
from raykit.testing import recorded

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
    assert result.shortfall.startswith("the log may be incomplete: ")


def test_a_head_with_too_much_open_is_asked_for_a_while_and_named_as_the_cause(ray, monkeypatch):
    monkeypatch.setattr(following, "BUSY_SECONDS", 0.2)
    ray.refuse["/api/v0/logs/"] = (429, recorded.TOO_BUSY)
    job = ray.job(log=b"one\n", status="SUCCEEDED")
    result, sink = followed(ray, job)
    assert (sink.data, result.log_source, result.reconnects) == (b"one\n", "text", 0)
    assert ray.asked("/api/v0/logs/file") > 1
    assert "too many requests" in result.unread.what
    assert "RAY_STATE_SERVER_MAX_HTTP_REQUEST=-1" in result.unread.next


def test_a_head_that_is_busy_for_a_moment_still_gives_the_file(ray):
    ray.refuse["/api/v0/logs/"] = (429, recorded.TOO_BUSY)
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


FORBIDDEN = '{"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403}'


class Restart:
    """An API server that is started again; time passes only by sleeps."""

    def __init__(self, ray):
        self.ray, self.now, self.left, self.back = ray, 0.0, None, []

    def leave(self):
        self.left = self.now
        self.ray.refuse["/api/"] = (503, "away")
        self.ray.cut()

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        away = 0.0 if self.left is None or self.back else self.now - self.left
        # It was away for longer than it may refuse requests once it is back.
        if away > 2 * following.RULES_SECONDS:
            self.back.append(self.ray.refuse.pop("/api/"))
        elif away > 1.5 * following.RULES_SECONDS:
            self.ray.refuse["/api/"] = (403, FORBIDDEN)


def test_an_api_server_that_reads_its_rules_again_is_waited_for(ray, monkeypatch):
    job, server = ray.job(log=b"one\n"), Restart(ray)
    monkeypatch.setattr(following, "time", server)
    job.steps = [ray.streams(job), server.leave, ray.streams(job), ray.ends(job)]
    result, sink = followed(ray, job)
    assert server.back == [(403, FORBIDDEN)]
    assert (sink.data, result.details.status) == (b"one\n", "SUCCEEDED")


def test_a_right_that_was_taken_away_ends_the_following_with_6(ray, monkeypatch):
    monkeypatch.setattr(following, "RULES_SECONDS", 0.3)
    job = ray.job()
    job.steps = [lambda: ray.refuse.update({"/api/": (403, FORBIDDEN)})]
    with pytest.raises(JobsApiError, match="Kubernetes does not allow requests to the Ray head"):
        followed(ray, job)


def test_a_head_that_never_comes_back_is_given_up_with_6(ray, monkeypatch):
    monkeypatch.setattr(following, "PATIENCE_SECONDS", 0.3)
    job = ray.job()
    job.steps = [lambda: ray.drop.add("/api/")]
    with pytest.raises(JobsApiError, match="no answer from http://127"):
        followed(ray, job)


@pytest.mark.parametrize(
    ("status", "body", "what"),
    [
        (401, recorded.NO_TOKEN, "the Ray head wants a token and got none"),
        (403, recorded.WRONG_TOKEN, "the Ray head does not accept the token"),
        (404, recorded.NO_JOB.format(id="job-1"), "the head does not know the job job-1"),
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


NOT_RAYS = [
    (404, "default backend - 404"),
    (404, recorded.NO_ADDRESS),
    (404, '{"kind": "Status", "code": 404, "reason": "NotFound"}'),
    (200, "<html>We will be back soon</html>"),
    (200, "[1, 2]"),
    (200, '{"status": 3}'),
    (302, "log in first"),
    (429, "too many requests"),
]


@pytest.mark.parametrize(("status", "body"), NOT_RAYS)
def test_what_no_ray_head_says_is_a_lost_connection_while_the_job_goes_on(ray, status, body):
    job = ray.job(log=b"one\n")

    def away():
        ray.refuse["/api/"] = (status, body)
        threading.Timer(0.2, ray.refuse.clear).start()

    job.steps = [ray.streams(job), away, ray.ends(job)]
    result, sink = followed(ray, job)
    assert (result.details.status, sink.data) == ("SUCCEEDED", b"one\n")


def test_a_404_in_rays_words_counts_only_where_a_ray_head_confirms_it(ray, monkeypatch):
    monkeypatch.setattr(following, "PATIENCE_SECONDS", 0.2)
    job = ray.job()
    body = recorded.NO_JOB.format(id=job.id)
    job.steps = [lambda: ray.refuse.update({"/api/": (404, body)})]
    with pytest.raises(LostConnectionError, match="answers, but not as a Ray head does"):
        followed(ray, job)


@pytest.mark.parametrize(("status", "body"), NOT_RAYS)
def test_what_stays_no_ray_head_is_given_up_with_6(ray, monkeypatch, status, body):
    monkeypatch.setattr(following, "PATIENCE_SECONDS", 0.2)
    job = ray.job()
    job.steps = [lambda: ray.refuse.update({"/api/": (status, body)})]
    with pytest.raises(JobsApiError) as caught:
        followed(ray, job)
    assert (caught.value.exit_code, isinstance(caught.value, UnknownJobError)) == (6, False)
    assert caught.value.next


def test_the_deadline_ends_the_following_while_the_job_goes_on(ray):
    job = ray.job(log=b"x")
    with pytest.raises(TimeoutError):
        followed(ray, job, deadline=time.monotonic() + 0.3)
    assert job.status == "RUNNING"


def test_the_deadline_holds_too_while_nothing_answers(ray):
    ray.drop.add("/api/")
    with pytest.raises(TimeoutError):
        followed(ray, ray.job(), deadline=time.monotonic() + 0.3)


@pytest.mark.usefixtures("way")
def test_the_end_is_seen_though_a_stream_never_ends(ray, monkeypatch):
    monkeypatch.setattr("raykit.submission.transport.READ_SECONDS", 3600.0)
    job = ray.job(log=b"one\n")
    job.steps = [ray.streams(job), ray.ends(job)]
    result, sink = followed(ray, job)
    assert (result.details.status, sink.data) == ("SUCCEEDED", b"one\n")


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


@pytest.mark.parametrize(
    ("deleted", "error", "what"),
    [
        (False, UnknownJobError, "the head of the job job-1 has ended, and the job with it"),
        (True, DeletedClusterError, "the cluster was deleted while the job job-1 was followed"),
    ],
)
def test_a_head_that_is_gone_for_good_is_not_waited_for(ray, deleted, error, what):
    job = ray.job()
    job.steps = [lambda: ray.drop.add("/api/")]
    gone = Ended("it is gone", next="raykit up", deleted=deleted)
    with pytest.raises(error) as lost:
        follow(ray.api(ended=lambda: gone), job.id, lambda chunk: None)
    assert (lost.value.what, lost.value.evidence, lost.value.next) == (
        what,
        ("it is gone",),
        "raykit up",
    )


@pytest.mark.parametrize(
    ("deleted", "error"), [(None, UnknownJobError), (True, DeletedClusterError)]
)
def test_a_restarted_head_and_a_cluster_made_anew_are_told_apart(ray, deleted, error):
    job = ray.job()
    job.steps = [ray.jobs.clear, lambda: None]
    gone = Ended("it was created again", deleted=True) if deleted else None
    with pytest.raises(error):
        follow(ray.api(ended=lambda: gone), job.id, lambda chunk: None)


def test_a_place_that_cannot_be_asked_is_no_reason_to_give_up(ray):
    job = ray.job()

    def refuse():
        raise KubernetesError("the API server does not answer")

    job.steps = [
        lambda: ray.drop.add("/api/"),
        ray.ends(job),
    ]
    threading.Timer(0.3, ray.drop.clear).start()
    result = follow(ray.api(ended=refuse), job.id, lambda chunk: None)
    assert result.details.status == "SUCCEEDED"


def test_a_log_that_is_read_again_and_again_has_a_budget_then_it_is_streamed(ray, monkeypatch):
    monkeypatch.setattr(log_tail, "REPEATED_BYTES", 10 * len(LINES))
    job = ray.job(log=LINES)
    streaming = threading.Event()

    def wait():
        assert streaming.wait(240)

    def watch():
        while not ray.asked("/api/v0/logs/stream"):
            threading.Event().wait(0.005)
        streaming.set()

    threading.Thread(target=watch).start()
    job.steps = [wait, ray.writes(job, b"more\n"), ray.streams(job), ray.ends(job)]
    result, sink = followed(ray, job)
    assert (sink.data, result.log_source) == (LINES + b"more\n", "file")
    assert ray.asked("/api/v0/logs/stream") == 1
    assert ray.sent <= 14 * len(LINES)


def test_the_larger_a_log_the_longer_is_the_wait_after_its_stream_broke(ray):
    waits = []

    class Closing(threading.Event):
        def wait(self, seconds):
            waits.append(seconds)
            self.set()

    ray.drop.add("/api/")
    for received in (0, 64 << 20, 64 << 30):
        tail = log_tail.LogTail(ray.api(), "n", "job-1", lambda chunk: None)
        tail.received, tail.closing = received, Closing()
        tail.run()
    assert waits[1:] == [2.0, 30.0]
    assert waits[0] < 1
