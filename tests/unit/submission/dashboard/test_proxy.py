"""The dashboard's proxy on this machine: who gets in, and where its key can be seen."""

import contextlib
import http.client
import os
import re
import stat
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx2
import pytest

from raykit.submission.dashboard import proxy
from raykit.submission.dashboard.entry import redirect_file


@pytest.fixture
def dashboard(ray):
    """A proxy before the fake head, which wants a token that the browser does not have."""
    ray.token = "to-ken"
    api = ray.api(headers={"Authorization": "Bearer to-ken"})
    with proxy.serve(api.transport) as served:
        yield served


def ask(served, path, **headers):
    link = http.client.HTTPConnection("127.0.0.1", served.server_port, timeout=240)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    link.request("GET", path, headers={"Host": served.host} | named)
    answer = link.getresponse()
    body = answer.read()
    link.close()
    return answer.status, answer.headers, body


def entry(served):
    return served.address.partition(served.host)[2]


def test_a_browser_from_a_file_enters_once_and_then_is_at_home(dashboard):
    status, headers, page = ask(dashboard, entry(dashboard), Sec_Fetch_Site="cross-site")
    assert (status, b"url=/" in page) == (200, True)
    assert headers["Set-Cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict")
    cookie = headers["Set-Cookie"].split(";")[0]
    status, _, body = ask(dashboard, "/api/version", Cookie=cookie, Sec_Fetch_Site="same-origin")
    assert (status, b"2.60.0" in body) == (200, True)
    assert ask(dashboard, entry(dashboard))[0] == 403


@pytest.mark.parametrize(
    "other", ["127.0.0.1", "localhost", "raykit-0000000000000000.localhost", "evil.example"]
)
def test_the_proxy_answers_under_its_random_name_only(dashboard, other):
    place = f"{other}:{dashboard.server_port}"
    assert ask(dashboard, entry(dashboard), Host=place)[0] == 403
    assert ask(dashboard, entry(dashboard), Origin=f"http://{place}")[0] == 403
    assert ask(dashboard, entry(dashboard))[0] == 200


def test_each_proxy_has_a_name_of_its_own_below_localhost(ray):
    names = set()
    for _ in range(2):
        with proxy.serve(ray.api().transport) as served:
            names.add(urlsplit(served.address).hostname)
    assert len(names) == 2
    assert all(re.fullmatch(r"raykit-[0-9a-f]{16}\.localhost", name) for name in names)


def test_the_key_is_in_a_file_that_only_this_user_reads_and_that_goes(dashboard):
    with redirect_file(dashboard.address) as page:
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
        assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700
        assert page.stat().st_uid == os.getuid()
        assert dashboard.address in page.read_text()
        assert dashboard.key not in page.as_uri()
    assert not page.parent.exists()


def test_the_browser_is_given_the_file_and_not_the_key(ray, monkeypatch):
    from raykit.flows import dashboard as flow
    from raykit.flows.targets.where import Where
    from raykit.progress import Progress

    class Waiting:
        def wait(self):
            raise KeyboardInterrupt

    opened, announced = [], []
    monkeypatch.setattr(flow, "threading", SimpleNamespace(Event=Waiting))
    monkeypatch.setattr(flow, "_open", lambda address: opened.append(address) or True)
    flow.show(Where({}, ray.url), Progress(), announced.append)
    assert opened[0].startswith("file:///")
    assert announced[0].partition("key=")[2] not in opened[0]


def test_an_interrupt_right_after_the_address_is_printed_ends_it_like_any_other(ray):
    from raykit.flows import dashboard as flow
    from raykit.flows.targets.where import Where
    from raykit.progress import Progress, Silent

    lines = []

    class Noted(Silent):
        def note(self, text):
            lines.append(text)

    def announce(_):
        raise KeyboardInterrupt

    flow.show(Where({}, ray.url), Progress(Noted()), announce)
    assert lines[-1] == "the dashboard's address is closed"


def test_without_room_for_its_page_the_address_still_works(ray, monkeypatch):
    from raykit.flows import dashboard as flow
    from raykit.flows.targets.where import Where
    from raykit.progress import Progress

    class Waiting:
        def wait(self):
            raise KeyboardInterrupt

    def full(**_):
        raise OSError(28, "No space left on device")

    announced = []
    monkeypatch.setattr(flow, "threading", SimpleNamespace(Event=Waiting))
    monkeypatch.setattr("tempfile.mkdtemp", full)
    flow.show(Where({}, ray.url), Progress(), announced.append)
    assert len(announced) == 1


@pytest.fixture
def cookie(dashboard):
    """The cookie of a browser that has entered."""
    return ask(dashboard, entry(dashboard))[1]["Set-Cookie"].split(";")[0]


def test_a_length_that_is_no_number_is_refused(dashboard, cookie):
    status, _, body = ask(dashboard, "/api/version", Cookie=cookie, Content_Length="abc")
    assert (status, body) == (400, b"raykit: Content-Length is no number\n")


def test_headers_of_a_head_that_are_no_latin_1_go_on_as_they_came(dashboard, cookie, monkeypatch):
    relay = dashboard.transport.relay

    @contextlib.contextmanager
    def odd(*words):
        with relay(*words) as answer:
            name = "résumé–中".encode()
            answer.headers = httpx2.Headers([*answer.headers.raw, (b"X-Name", name)])
            yield answer

    monkeypatch.setattr(dashboard.transport, "relay", odd)
    status, headers, _ = ask(dashboard, "/api/version", Cookie=cookie)
    assert (status, headers["X-Name"].encode("latin-1").decode()) == (200, "résumé–中")
