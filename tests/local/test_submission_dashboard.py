"""Ray's dashboard in a real browser, and everybody else refused."""

import http.client
import json
import re
import signal
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.local


@pytest.fixture
def dashboard(on_head, soon):
    """The address of entry that a running `raykit dashboard` printed."""
    out = on_head.cwd / "address"
    with out.open("wb") as stream:
        child = on_head.start("dashboard", "--no-browser", stdout=stream)
    yield soon(lambda: out.read_text().strip())
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=240)
    assert child.returncode == 0
    assert b"the dashboard's address is closed" in err


def ask(address, path="/api/version", method="GET", body=None, **headers):
    """(status, headers, body) of one request that no browser made."""
    place = urlsplit(address)
    # Browsers take every name below localhost for this machine; Python asks a name server.
    link = http.client.HTTPConnection("127.0.0.1", place.port, timeout=240)
    named = {"Host": place.netloc}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    link.request(method, path, body, named)
    answer = link.getresponse()
    found = answer.status, answer.headers, answer.read()
    link.close()
    return found


def entered(address):
    """The cookie that the address of entry gives."""
    path = address.partition(urlsplit(address).netloc)[2]
    # So does a browser that comes from a file.
    status, headers, page = ask(address, path=path, Sec_Fetch_Site="cross-site")
    assert (status, b"url=/" in page) == (200, True)
    return headers["Set-Cookie"]


def test_the_dashboards_page_loads_with_content_in_a_browser(on_head, dashboard, chromium):
    assert on_head("submit", "--id", "shown-there", "--entrypoint", "--", "true").code == 0
    page = chromium(dashboard)
    assert "shown-there" in page
    assert "Recent jobs" in page
    assert "CPU" in page


def test_the_address_of_entry_works_once_and_its_cookie_is_guarded(dashboard):
    cookie = entered(dashboard)
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    again = ask(dashboard, path=dashboard.partition(urlsplit(dashboard).netloc)[2])
    assert (again[0], b"works once" in again[2]) == (403, True)


def test_only_pages_of_the_dashboard_itself_are_let_in(dashboard):
    cookie = entered(dashboard).split(";")[0]
    name, host = cookie.split("=")[0], urlsplit(dashboard).netloc
    status, headers, body = ask(dashboard, Cookie=cookie)
    assert (status, json.loads(body)["ray_version"].split(".")[0]) == (200, "2")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    refused = [
        {},
        {"Cookie": f"{name}=wrong"},
        {"Cookie": cookie, "Origin": "http://evil.example"},
        {"Cookie": cookie, "Origin": "null"},
        {"Cookie": cookie, "Host": "evil.example"},
        {"Cookie": cookie, "Host": f"127.0.0.1:{urlsplit(dashboard).port}"},
        {"Cookie": cookie, "Sec_Fetch_Site": "cross-site"},
        {"Cookie": cookie, "Sec_Fetch_Site": "same-site"},
    ]
    for case in refused:
        assert ask(dashboard, **case)[0] == 403, case
    assert ask(dashboard, Cookie=cookie, Origin=f"http://{host}")[0] == 200


@pytest.mark.parametrize(
    "path", ["/../x", "/%2e%2e/x", "/%252e%252e/x", "/a\\..\\..\\x", "http://evil.example/", "*"]
)
def test_a_target_that_is_no_path_below_the_head_is_refused(dashboard, path):
    assert ask(dashboard, path=path, Cookie=entered(dashboard).split(";")[0])[0] in (400, 403)


def test_what_is_asked_with_a_body_arrives_and_the_token_stays_here(on_head, head, dashboard):
    cookie = entered(dashboard).split(";")[0]
    job = json.dumps({"entrypoint": "true", "submission_id": "by-browser"}).encode()
    status, headers, body = ask(dashboard, "/api/jobs/", "POST", job, Cookie=cookie)
    assert (status, json.loads(body)["submission_id"]) == (200, "by-browser")
    assert head.token not in str(headers)
    assert on_head("attach", "by-browser").code == 0
    assert ask(dashboard, "//evil.example/", Cookie=cookie)[0] in (403, 404)


def test_an_address_is_one_json_document(on_head, soon):
    out = on_head.cwd / "address"
    with out.open("wb") as stream:
        child = on_head.start("dashboard", "--no-browser", "-o", "json", stdout=stream)
    told = json.loads(soon(lambda: out.read_text().strip().endswith("}") and out.read_text()))
    child.terminate()
    child.communicate(timeout=240)
    assert (child.returncode, set(told)) == (0, {"schema", "command", "data", "error"})
    assert re.match(r"http://raykit-[0-9a-f]{16}\.localhost:\d+/enter\?key=", told["data"]["url"])
