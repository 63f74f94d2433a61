"""Speaking to a head: proxies, tokens, refusals, and answers of something else than Ray."""

import json
import shutil
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from raykit.endpoint import Endpoint
from raykit.errors import ConflictError, JobsApiError, MissingError, UsageError
from raykit.submission import jobs_api, transport
from raykit.submission.answers import BusyHeadError, LostConnectionError, NotRayError
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport
from raykit.testing import FakeHead, recorded
from tests.servers import Server

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
    ("given", "what"),
    [
        (None, "the Ray head wants a token and got none"),
        ("wrong", "the Ray head does not accept the token"),
    ],
)
def test_a_missing_and_a_wrong_token_are_told_apart(ray, given, what):
    ray.token = "right"
    headers = {"Authorization": f"Bearer {given}"} if given else {}
    with pytest.raises(JobsApiError) as caught:
        ray.api(headers=headers).version()
    assert (caught.value.what, caught.value.exit_code) == (what, 6)
    assert "RAY_AUTH_TOKEN" in caught.value.next


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("body", "what", "advice"),
    [
        ("<h1>Authorization Required</h1>", "asks for credentials of its own", "--header"),
        ('{"kind": "Status", "code": 403}', "Kubernetes does not allow requests", "kubectl auth"),
    ],
)
def test_who_refuses_before_ray_is_not_taken_for_ray(ray, status, body, what, advice):
    ray.refuse["/api/"] = (status, body)
    with pytest.raises(JobsApiError) as caught:
        ray.api().version()
    assert what in caught.value.what
    assert advice in caught.value.next


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_that_reaches_nothing_is_worth_another_try(ray, status):
    ray.refuse["/api/"] = (status, "bad gateway")
    with pytest.raises(LostConnectionError) as caught:
        ray.api().details("job-1")
    assert caught.value.evidence == (f"HTTP {status}: bad gateway",)


@pytest.fixture
def pauses(sleeps_of):
    return sleeps_of(transport)


def test_what_a_busy_api_server_turned_away_is_sent_again_when_it_says(ray, pauses):
    ray.job()
    ray.turned_away = ["0", "2"]
    assert ray.api().details("job-1").status == "RUNNING"
    ray.turned_away = ["1"]
    ray.api().submit({"submission_id": "job-1", "metadata": {}})
    assert pauses == [2.0, transport.SHORTEST_PAUSE, 1.0]


@pytest.mark.parametrize("retry_after", ["1", "3600", "9" * 30])
def test_an_api_server_that_stays_busy_is_given_up(ray, pauses, retry_after):
    ray.turned_away = [retry_after] * 100
    with pytest.raises(JobsApiError):
        ray.api().jobs()
    assert sum(pauses) <= transport.BUSY_SECONDS


@pytest.mark.parametrize("call", ["version", "jobs"])
def test_rays_own_429_is_not_waited_for_here(ray, pauses, call):
    ray.turned_away = [None]
    with pytest.raises(BusyHeadError):
        getattr(ray.api(), call)()
    assert pauses == []


def test_no_redirect_is_followed_and_no_token_goes_elsewhere(ray):
    other = FakeHead()
    try:
        ray.redirect = f"{other.url}api/version"
        with pytest.raises(JobsApiError) as caught:
            ray.api(headers={"Authorization": "Bearer secret"}).version()
        assert other.requests == []
    finally:
        other.close()
    assert "redirects to another address" in caught.value.what
    assert other.url in caught.value.evidence[0]


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
def certificate(tmp_path):
    return tmp_path / "certificate.pem"


@pytest.fixture
def self_signed(tmp_path, certificate):
    """The address of an HTTPS server on loopback whose certificate nobody vouches for."""
    key = tmp_path / "key.pem"
    words = ["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=localhost", "-keyout"]
    done = subprocess.run(["openssl", *words, key, "-out", certificate], capture_output=True)
    assert done.returncode == 0, done.stderr
    server = Server(("127.0.0.1", 0), BaseHTTPRequestHandler)
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
    assert "--ca FILE" in caught.value.next


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_a_trusted_certificate_for_another_host_needs_that_host_and_no_authority(
    self_signed, certificate
):
    trusted = ssl.create_default_context(cafile=certificate)
    with (
        Transport(Endpoint(self_signed, tls=trusted)) as transport,
        pytest.raises(JobsApiError) as caught,
    ):
        JobsApi(transport).version()
    assert "mismatch" in caught.value.evidence[0]
    assert caught.value.next.startswith("name the host for which the certificate was made")


def test_a_proxy_that_refuses_is_told_from_a_head_that_is_down(ray, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", ray.url)
    with (
        Transport(Endpoint("https://ray.example:8265/")) as transport,
        pytest.raises(LostConnectionError) as caught,
    ):
        JobsApi(transport).version()
    assert "proxy" in caught.value.what


FAR = "http://ray.example:8265/"
NO_ADDRESSES = [
    "http://[::1/",
    "http://host:99999999/",
    "http://",
    "http://h\udcff/",
    "http://:80/",
]


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_what_is_no_address_is_wrong_usage(url):
    with pytest.raises(UsageError, match="not an address"):
        Transport(Endpoint(url))


@pytest.mark.parametrize("proxy", ["http://[::1", "gopher://x:1", "socks5://127.0.0.1:1"])
def test_a_proxy_that_is_none_is_wrong_usage_too(monkeypatch, proxy):
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises((UsageError, LostConnectionError)), Transport(Endpoint(FAR)) as transport:
        JobsApi(transport).version()


def test_certificates_that_cannot_be_read_are_missing(monkeypatch, tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(MissingError, match="certificates to trust cannot be read"):
        Transport(Endpoint(FAR.replace("http:", "https:")))


@pytest.mark.parametrize("token", ["first\nsecond", "naïve", "nul\0", "\udcff"])
def test_a_token_that_no_header_carries_is_refused_without_being_shown(token):
    headers = {"Authorization": f"Bearer {token}"}
    with pytest.raises(UsageError) as caught:
        Transport(Endpoint("http://127.0.0.1:1/", headers, secrets=(token,)))
    assert "the header Authorization" in caught.value.what
    assert token not in str(caught.value.as_dict())


def test_a_body_over_a_proxys_limit_names_the_setting_that_raises_it(ray):
    ray.refuse["/api/jobs/"] = (413, "<h1>413 Request Entity Too Large</h1><hr>nginx")
    with pytest.raises(JobsApiError, match="takes no request of this size") as refused:
        ray.api().submit({"submission_id": "a", "entrypoint": "true", "metadata": {}})
    assert "413 Request Entity Too Large" in refused.value.evidence[0]
    assert "client_max_body_size" in refused.value.next


def test_a_submission_id_that_exists_is_a_conflict(ray):
    ray.refuse["/api/jobs/"] = (500, recorded.EXISTS.format(id="x"))
    with pytest.raises(ConflictError) as caught:
        ray.api().submit({"entrypoint": "true", "submission_id": "x"})
    assert caught.value.exit_code == 8


def test_of_a_traceback_the_last_error_is_shown(ray):
    traceback = recorded.EXISTS.format(id="x").replace("already exists", "ended")
    ray.refuse["/api/jobs/"] = (500, traceback)
    with pytest.raises(JobsApiError) as caught:
        ray.api().submit({"entrypoint": "true", "submission_id": "x"})
    assert "HTTP 500: ValueError: Job with submission_id x ended." in caught.value.evidence[1]


@pytest.mark.parametrize("payload", [{"entrypoint": "echo \udcff"}, {"entrypoint_num_cpus": 1e999}])
def test_what_json_cannot_carry_is_wrong_usage(ray, payload):
    with pytest.raises(UsageError, match="cannot be sent as JSON"):
        ray.api().submit({"submission_id": "x", **payload})


def test_an_id_is_one_part_of_the_address_whatever_it_holds(ray):
    assert ray.api().details("../packages/gcs/x?a=b") is None
    assert ray.requests[0][1] == "/api/jobs/..%2Fpackages%2Fgcs%2Fx%3Fa%3Db"


@pytest.mark.parametrize(
    ("answered", "asked"), [("other", "job-1"), ("../../x", "01000000"), (".hidden", "01000000")]
)
def test_a_head_does_not_choose_what_a_run_is_called(ray, answered, asked):
    ray.refuse["/api/jobs/"] = (200, json.dumps(recorded.JOB | {"submission_id": answered}))
    with pytest.raises(NotRayError):
        ray.api().details(asked)


def test_jobs_that_others_named_as_they_liked_are_listed(ray):
    for name in ("a b/c", "raysubmit_x"):
        ray.job(id=name)
    assert [job.submission_id for job in ray.api().jobs()] == ["a b/c", "raysubmit_x"]


@pytest.mark.parametrize(
    ("tasks", "forgotten", "rows", "dropped"),
    [(3, 0, 3, 0), (3, 4, 3, 4), (10_000, 0, 10_000, 0), (10_000, 2000, 10_000, 2000)],
)
def test_tasks_that_ray_did_not_return_are_counted(ray, tasks, forgotten, rows, dropped):
    """Of 12,000 tasks Ray says: total 12000, num_after_truncation 10000, num_filtered 10000."""
    ray.tasks, ray.forgotten = [{}] * tasks, forgotten
    found, missing = ray.api().tasks("01000000")
    assert (len(found), missing) == (rows, dropped)


def test_rows_cut_by_the_limit_alone_are_counted_too(ray, monkeypatch):
    monkeypatch.setattr(jobs_api, "MOST_ROWS", 2)
    ray.tasks = [{}] * 5
    found, missing = ray.api().tasks("01000000")
    assert (len(found), missing) == (2, 3)


def test_a_list_that_ray_could_not_make_is_no_empty_list(ray):
    empty = {"total": 0, "num_after_truncation": 0, "num_filtered": 0, "result": []}
    said = {"data": {"result": {**empty, "warnings": ["GCS is not there"]}}}
    ray.refuse["/api/v0/tasks"] = (200, json.dumps(said))
    with pytest.raises(JobsApiError, match="could not list its tasks") as caught:
        ray.api().tasks("01000000")
    assert caught.value.evidence == ("GCS is not there",)


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
