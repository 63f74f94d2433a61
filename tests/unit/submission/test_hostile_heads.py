"""Whatever a head answers ends in an error of raykit's own, never in a bug (exit 1)."""

import contextlib
import json
import socket
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raykit import redaction
from raykit.endpoint import Endpoint
from raykit.errors import JobsApiError
from raykit.submission import answers
from raykit.submission.answers import NotRayError
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport
from raykit.testing import recorded

ODD = [None, True, -1, 0.5, 10**30, 1e308, "", "text", "\ud800", "../../x", [], {}, [{}], {"a": 1}]
JSON = st.recursive(
    st.sampled_from(ODD) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
MANY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
CALLS = {
    "version": lambda api: api.version(),
    "mode": lambda api: api.authentication_mode(),
    "details": lambda api: api.details("job-1"),
    "jobs": lambda api: api.jobs(),
    "stop": lambda api: api.stop("job-1"),
    "text": lambda api: api.lossy_log("job-1"),
    "tasks": lambda api: api.tasks("01000000"),
    "actors": lambda api: api.actors("01000000"),
    "nodes": lambda api: api.nodes(),
}
SHAPES = {
    "details": recorded.JOB,
    "jobs": [recorded.JOB],
    "version": recorded.VERSION,
    "tasks": {"data": {"result": {"total": 1, "result": [recorded.TASK]}}},
    "nodes": {"data": {"result": {"total": 1, "result": [recorded.NODE_ROW]}}},
    "actors": {"data": {"result": {"total": 1, "result": [recorded.ACTOR]}}},
}


class Hostile:
    """A server that answers every connection with the same bytes."""

    def __init__(self):
        self.answer, self.then_silent = b"", False
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/"
        self.closing = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                link, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.speak, args=(link,), daemon=True).start()

    def speak(self, link):
        with link, contextlib.suppress(OSError):
            link.recv(65536)
            link.sendall(self.answer)
            if self.then_silent:
                self.closing.wait()

    def says(self, body, *headers, status="200 OK"):
        length = (
            []
            if any("ength" in line or "ncoding" in line for line in headers)
            else [f"Content-Length: {len(body)}"]
        )
        head = "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *length, *headers])
        self.answer = head.encode("latin-1") + b"\r\n\r\n" + body

    def close(self):
        self.closing.set()
        self.socket.close()


@pytest.fixture(scope="module")
def hostile():
    server = Hostile()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr("raykit.submission.transport.RETRY_SECONDS", (0.0,))


def ask(server, call):
    with Transport(Endpoint(server.url)) as transport:
        return CALLS[call](JobsApi(transport))


def written(result):
    """What came through the boundary can be shown and filed."""
    as_text = lambda value: value.decode() if isinstance(value, bytes) else vars(value)  # noqa: E731
    json.dumps(result, default=as_text, ensure_ascii=False, allow_nan=False).encode()


def walked(value, change):
    """Copies of a JSON value with one part replaced by what `change` gives."""
    yield change
    if isinstance(value, dict):
        for key, item in value.items():
            yield from ({**value, key: other} for other in walked(item, change))
    if isinstance(value, list):
        for index, item in enumerate(value):
            for other in walked(item, change):
                yield [*value[:index], other, *value[index + 1 :]]


@pytest.mark.parametrize("call", SHAPES)
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_field_of_another_kind_is_an_error_or_harmless(hostile, call, odd):
    for body in walked(SHAPES[call], odd):
        hostile.says(json.dumps(body).encode())
        with contextlib.suppress(JobsApiError):
            written(ask(hostile, call))


@MANY
@given(st.sampled_from(sorted(CALLS)), JSON, st.sampled_from([200, 200, 404, 418, 500]))
def test_no_json_breaks_a_call(hostile, call, data, status):
    hostile.says(json.dumps(data).encode(), status=f"{status} Said")
    with contextlib.suppress(JobsApiError):
        written(ask(hostile, call))


@MANY
@given(st.sampled_from(sorted(CALLS)), st.binary(max_size=200), st.booleans())
def test_no_bytes_break_a_call(hostile, call, data, is_body):
    hostile.answer = data
    if is_body:
        hostile.says(data)
    with contextlib.suppress(JobsApiError):
        ask(hostile, call)


CHARSETS = ["zlib", "base64", "rot13", "idna", "undefined", "\xff", "utf-7"]
BODIES = {
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "many": b"[" + b"[]," * answers.MOST_CONTAINERS + b"[]]",
    "NaN": b'{"ray_version": NaN}',
    "long number": b'{"ray_version": ' + b"9" * 5000 + b"}",
    "surrogate": b'{"ray_version": "\\ud800"}',
    "latin": '{"ray_version": "é"}'.encode("latin-1"),
    "utf-16": '{"ray_version": "2"}'.encode("utf-16"),
    "html": b"<html>\x1b]0;title\x07</html>",
}


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_charset_is_not_believed(hostile, charset):
    hostile.says(b'{"ray_version": "2.60.0"}', f"Content-Type: text/plain; charset={charset}")
    assert ask(hostile, "version")["ray_version"] == "2.60.0"
    hostile.says(b"no", f"Content-Type: text/plain; charset={charset}", status="400 Bad")
    with pytest.raises(JobsApiError):
        ask(hostile, "jobs")


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_no_answer_of_rays_is_refused_with_6(hostile, monkeypatch, body):
    monkeypatch.setattr("raykit.submission.jobs_api.ROWS_BYTES", 1 << 30)
    hostile.says(BODIES[body])
    if body == "surrogate":
        assert ask(hostile, "version") == {"ray_version": "?"}
        return
    with pytest.raises(JobsApiError) as caught:
        ask(hostile, "tasks" if body == "many" else "version")
    assert caught.value.exit_code == 6
    assert all(line.isprintable() for line in caught.value.evidence)


@pytest.mark.parametrize("length", ["1", "99999", "-1", "1e3", "9" * 30, "25, 26"])
def test_a_lying_length_is_no_bug(hostile, length):
    hostile.says(b'{"ray_version": "2.60.0"}', f"Content-Length: {length}")
    with pytest.raises(JobsApiError):
        ask(hostile, "version")


def test_a_compressed_body_that_nobody_asked_for_is_refused(hostile):
    hostile.says(b"\x1f\x8b garbage", "Content-Encoding: gzip", "Content-Length: 10")
    with pytest.raises(NotRayError, match="answers, but not as a Ray head does") as caught:
        ask(hostile, "version")
    assert "gzip" in caught.value.evidence[0]


def test_a_body_without_end_is_cut_at_its_limit_in_bytes(hostile):
    hostile.says(b"x" * (answers.SMALL_BYTES + 1), "Content-Length: 99999999999")
    hostile.then_silent = True
    try:
        with pytest.raises(NotRayError) as caught:
            ask(hostile, "version")
    finally:
        hostile.then_silent = False
    assert caught.value.evidence == ("GET /api/version: an answer of more than 1,048,576 bytes",)


def test_a_body_that_trickles_is_cut_at_its_limit_in_time(hostile, monkeypatch):
    monkeypatch.setattr(answers, "ANSWER_SECONDS", -1.0)
    hostile.says(b"{}")
    with pytest.raises(JobsApiError, match="does not end"):
        ask(hostile, "version")


def test_a_body_that_trickles_is_given_up_long_before(hostile, monkeypatch):
    monkeypatch.setattr(answers, "TRICKLE_SECONDS", 0.0)
    monkeypatch.setattr(answers, "SLOWEST", 10**12)
    hostile.says(b"{}")
    with pytest.raises(JobsApiError, match="does not end"):
        ask(hostile, "version")


@pytest.mark.parametrize("status", ["200 OK", "500 Broken"])
def test_whoever_is_in_a_hurry_gives_an_answer_less_time(hostile, status):
    hostile.says(b"{}", status=status)
    with Transport(Endpoint(hostile.url)) as transport:
        transport.limit_answers(-1.0)
        with pytest.raises(JobsApiError, match="does not end"):
            JobsApi(transport).jobs()


JOBS = [{"runtime_env": {"env_vars": {"A_TOKEN": "nobody-has-learned-this"}}, "start_time": 1e300}]


@pytest.mark.parametrize("body", [json.dumps(JOBS), json.dumps(JOBS)[:-1], json.dumps(JOBS * 9)])
def test_an_answer_that_is_not_as_it_should_be_is_not_quoted_with_its_variables(hostile, body):
    hostile.says(body.encode())
    with pytest.raises(NotRayError) as caught:
        ask(hostile, "jobs")
    assert "nobody-has-learned" not in str(vars(caught.value))
    assert f"HTTP 200: JSON of {len(body)} bytes" in caught.value.evidence[0]


def test_a_secret_that_is_cut_at_the_end_of_a_line_leaves_no_beginning_of_it():
    redaction.learn("a-long-secret-of-this-test")
    assert (
        answers.one_line("x" * 190 + "a-long-secret-of-this-test", 200) == "x" * 190 + "[redacted]"
    )
