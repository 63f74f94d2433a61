"""Speaking to a head: proxies, tokens, refusals, and answers of something else than Ray."""

import shutil
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from raykit.endpoint import Endpoint
from raykit.errors import ConflictError, JobsApiError, RaykitError
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import LostConnectionError, Transport

PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in (*PROXIES, "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_loopback_never_goes_through_a_proxy(ray, monkeypatch):
    for name in PROXIES:
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    assert ray.api().version()["ray_version"] == "2.60.0"
    for host in ("localhost", "127.0.0.1"):
        url = ray.url.replace("127.0.0.1", host)
        with Transport(Endpoint(url)) as transport:
            assert JobsApi(transport).version()["ray_version"] == "2.60.0"


def test_another_host_goes_through_the_environments_proxy(ray, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", ray.url)
    with Transport(Endpoint("http://ray.example:8265/")) as transport:
        assert JobsApi(transport).version()["ray_version"] == "2.60.0"
    assert ray.requests[0][2]["Host"] == "ray.example:8265"


def test_a_path_in_the_address_is_kept(ray):
    with Transport(Endpoint(f"{ray.url}api/v1/proxy/")) as transport:
        transport.request("GET", "api/version")
    assert ray.requests[0][1] == "/api/v1/proxy/api/version"


def test_headers_are_sent_with_every_request_and_never_shown(ray):
    endpoint = Endpoint(ray.url, {"Authorization": "Bearer abc"}, secrets=("abc",))
    with Transport(endpoint) as transport:
        JobsApi(transport).authentication_mode()
    assert ray.requests[0][2]["Authorization"] == "Bearer abc"
    assert "abc" not in repr(endpoint)


@pytest.mark.parametrize(
    ("status", "what"),
    [
        (401, "the Ray head wants a token and got none"),
        (403, "the Ray head does not accept the token"),
    ],
)
def test_a_missing_and_a_wrong_token_are_told_apart(ray, status, what):
    ray.refuse["/api/"] = (status, "no")
    with pytest.raises(JobsApiError) as caught:
        ray.api().version()
    assert (caught.value.what, caught.value.exit_code) == (what, 6)
    assert "RAY_AUTH_TOKEN" in caught.value.next


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_that_reaches_nothing_is_worth_another_try(ray, status):
    ray.refuse["/api/"] = (status, "bad gateway")
    with pytest.raises(LostConnectionError) as caught:
        ray.api().details("job-1")
    assert caught.value.evidence == (f"HTTP {status}: bad gateway",)


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, "<html>It works!</html>"), (200, '{"hello": 1}'), (200, "[]"), (404, "not found")],
)
def test_something_else_than_ray_is_refused_with_6_and_its_first_words(ray, status, body):
    ray.refuse["/api/"] = (status, body)
    with pytest.raises(JobsApiError) as caught:
        ray.api().version()
    assert caught.value.exit_code == 6
    assert "http://HOST:8265" in caught.value.next
    assert caught.value.evidence


def test_where_nothing_listens_the_address_is_named(ray):
    url = f"http://127.0.0.1:{closed_port()}/"
    with Transport(Endpoint(url)) as transport, pytest.raises(LostConnectionError) as caught:
        JobsApi(transport).version()
    assert caught.value.what == f"no answer from {url}"


def test_a_plain_server_behind_an_https_address_is_refused_with_6(ray):
    with (
        Transport(Endpoint(ray.url.replace("http:", "https:"))) as transport,
        pytest.raises(JobsApiError),
    ):
        JobsApi(transport).version()


@pytest.fixture
def self_signed(tmp_path):
    """The address of an HTTPS server on loopback whose certificate nobody vouches for."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=localhost", "-keyout"]
    done = subprocess.run(["openssl", *words, key, "-out", certificate], capture_output=True)
    assert done.returncode == 0, done.stderr
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    yield f"https://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_a_certificate_that_nobody_vouches_for_is_named_as_such(self_signed):
    with Transport(Endpoint(self_signed)) as transport, pytest.raises(JobsApiError) as caught:
        JobsApi(transport).version()
    assert caught.value.what == f"the certificate of {self_signed} cannot be verified"
    assert "self-signed certificate" in caught.value.evidence[0]


def test_a_proxy_that_refuses_is_told_from_a_head_that_is_down(ray, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", ray.url)
    with (
        Transport(Endpoint("https://ray.example:8265/")) as transport,
        pytest.raises(LostConnectionError) as caught,
    ):
        JobsApi(transport).version()
    assert "proxy" in caught.value.what


@pytest.mark.parametrize("url", ["http://[::1/", "http://host:99999999/"])
def test_what_is_no_address_is_an_error_of_raykits_own_kind(url):
    with pytest.raises((RaykitError, ValueError)), Transport(Endpoint(url)) as transport:
        JobsApi(transport).version()


def test_a_submission_id_that_exists_is_a_conflict(ray):
    ray.refuse["/api/jobs/"] = (500, "ValueError: Job with submission_id x already exists")
    with pytest.raises(ConflictError) as caught:
        ray.api().submit({"entrypoint": "true", "submission_id": "x"})
    assert caught.value.exit_code == 8


def test_rows_that_ray_did_not_return_are_counted(ray):
    ray.tasks = [{"task_id": "a"}]
    assert ray.api().tasks("01000000") == ([{"task_id": "a"}], 0)


def test_a_head_of_before_2_52_has_no_authentication(ray):
    ray.refuse["/api/authentication_mode"] = (404, "not found")
    assert ray.api().authentication_mode() == "disabled"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_where_nothing_listens_is_told_from_a_head_that_is_down(scheme, monkeypatch):
    dead = f"http://127.0.0.1:{closed_port()}"
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", dead)
    url = f"{scheme}://ray.example:8265/"
    with Transport(Endpoint(url)) as transport, pytest.raises(LostConnectionError) as caught:
        JobsApi(transport).version()
    assert caught.value.exit_code == 6
    assert "proxy" in caught.value.what
    assert dead in " ".join([caught.value.what, *caught.value.evidence, caught.value.next])
