"""A real head behind a real ingress: TLS of a private authority, a base path, a header of its own.

A quicker test cannot show what nginx does with bodies, silence and paths.
"""

import json
import os
import re
import signal
from urllib.parse import urlsplit

import pytest

from tests import ingress as nginx

pytestmark = pytest.mark.local


@pytest.fixture
def ingress(head, tmp_path):
    folder = tmp_path / "nginx"
    folder.mkdir()
    with nginx.before(urlsplit(head.url).port, folder) as running:
        yield running


@pytest.fixture
def through(cli, head, ingress):
    """raykit as `cli`, with the head's token; `through.options` lead through the ingress."""
    cli.env["RAY_AUTH_TOKEN"] = head.token
    cli.options = ["--on", ingress.url, "--ca", ingress.ca, "--header", f"@{ingress.headers}"]
    return cli


def test_every_command_works_through_an_ingress_and_shows_nothing_secret(through, head, ingress):
    (through.cwd / "greet.py").write_text("print('hello from', __file__)\n")
    done = through("submit", "greet.py", *through.options, "--id", "behind")
    assert done.code == 0, done.err
    assert "hello from" in done.out
    assert done.record["target"]["url"] == ingress.url
    listed = through("ps", *through.options, "-o", "json")
    assert "behind" in [job["submission_id"] for job in listed.envelope["data"]]
    assert "hello from" in through("logs", "behind", *through.options).out
    assert through("attach", "behind", *through.options).code == 0
    written = [path.read_text("utf-8") for path in done.runs.rglob("*") if path.is_file()]
    for text in [done.out, done.err, listed.out, *written]:
        assert nginx.KEY not in text
        assert head.token not in text


@pytest.mark.usefixtures("waits_for_the_stop")
def test_a_run_is_followed_and_stopped_by_its_record_with_the_environments_settings(
    through, ingress, soon
):
    settings = {
        "RAYKIT_CA": str(ingress.ca),
        "RAYKIT_HEADERS": f"@{ingress.headers}",
        "RAYKIT_ON": ingress.url,
    }
    through.env |= settings
    child = through.start("submit", "--id", "goes-on", "--entrypoint", "--", "sleep", "600")
    soon(lambda: status(through, "goes-on") == "RUNNING")
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=240)
    assert child.returncode == 130, err
    assert b"goes on" in err
    del through.env["RAYKIT_ON"]
    assert through("stop", "last").code == 0
    assert through("attach", "last").code == 21


def status(through, submission_id):
    rows = through("ps", "-o", "json").envelope["data"]
    return next((row["status"] for row in rows if row["submission_id"] == submission_id), None)


def test_without_its_header_or_its_authority_the_ingress_says_which_option_is_missing(
    through, ingress
):
    refused = through("ps", "--on", ingress.url, "--ca", ingress.ca)
    assert refused.code == 6
    assert "asks for credentials of its own" in refused.err
    assert "--header" in refused.err
    unknown = through("ps", "--on", ingress.url, "--header", f"@{ingress.headers}")
    assert unknown.code == 6
    assert "cannot be verified" in unknown.err
    assert "--ca FILE" in unknown.err


def test_the_file_of_trusted_certificates_may_hold_the_servers_own(through, ingress):
    own = ingress.folder / "server.pem"
    header = ["--header", f"@{ingress.headers}"]
    done = through("ps", "--on", ingress.url, "--ca", own, *header)
    assert done.code == 0, done.err


def test_an_ingress_with_a_login_of_its_own_leaves_rays_second_header_to_ray(through, ingress):
    ingress.basic = True
    ingress.restart()
    url = ingress.url.replace("://", f"://team:{nginx.KEY}@")
    words = ("--on", url, "--ca", ingress.ca)
    done = through("submit", *words, "--entrypoint", "--", "echo", "in")
    assert done.code == 0, done.err
    assert done.out.startswith("in\n")
    assert nginx.KEY not in done.out + done.err + json.dumps(done.record)
    refused = through("ps", "--on", ingress.url, "--ca", ingress.ca)
    assert refused.code == 6
    assert "asks for credentials of its own" in refused.err
    ingress.strips = False
    ingress.restart()
    hidden = through("ps", *words)
    assert hidden.code == 6
    assert "Ray reads Authorization first" in hidden.err
    assert 'nginx: proxy_set_header Authorization "";' in hidden.err
    assert nginx.KEY not in hidden.err


def test_another_path_of_the_ingress_is_no_head(through, ingress):
    elsewhere = ingress.url.replace(ingress.path, "/other/")
    answer = through("ps", "--on", elsewhere, *through.options[2:])
    assert answer.code == 6, answer.out
    assert "but not as a Ray head does" in answer.err or "refused the request" in answer.err


def test_an_upload_over_the_ingress_limit_is_refused_with_the_setting_that_raises_it(
    through, ingress
):
    (through.cwd / "main.py").write_text("print('never')\n")
    (through.cwd / "noise.bin").write_bytes(os.urandom(3 << 20))
    refused = through("submit", "main.py", *through.options)
    assert refused.code == 6, refused.out
    assert "takes no request of this size" in refused.err
    assert "client_max_body_size" in refused.err
    assert "proxy-body-size" in refused.err


SILENT = """
import os, sys, time
print("x" * 100, end="", flush=True)
for _ in range(30_000):
    print("y" * 100)
sys.stdout.flush()
while not os.path.exists(sys.argv[1]):
    time.sleep(0.1)
print("the end")
"""


def test_a_silent_job_is_followed_though_the_ingress_ends_silent_streams(through, ingress, soon):
    ingress.silence = 8  # more than any answer takes
    ingress.restart()
    (through.cwd / "silent.py").write_text(SILENT)
    go, shown = through.cwd / "go", ingress.folder / "shown"
    with shown.open("wb") as out:
        child = through.start("submit", "silent.py", *through.options, "--", go, stdout=out)
        soon(lambda: "upstream timed out" in (ingress.folder / "error.log").read_text())
        go.touch()
        _, err = child.communicate(timeout=240)
    assert child.returncode == 0, err
    assert shown.read_text().count("the end") == 1
    (log,) = through.runs.glob("*/driver.log")
    assert log.read_text().count("y" * 100) == 30_000


def test_a_job_is_followed_while_the_ingress_is_replaced(through, ingress, soon):
    (through.cwd / "long.py").write_text(
        "import time\nfor n in range(80):\n    print('line', n, flush=True)\n    time.sleep(0.1)\n"
    )
    log = through.cwd / "shown"
    with log.open("wb") as out:
        child = through.start("submit", "long.py", *through.options, stdout=out)
        soon(lambda: b"line 5" in log.read_bytes())
        ingress.restart()
        _, err = child.communicate(timeout=240)
    assert child.returncode == 0, err
    lines = re.findall(r"^line (\d+)$", log.read_text(), re.M)
    assert lines == [str(number) for number in range(80)]


def test_the_dashboard_works_below_the_base_path(through, ingress, soon, chromium):
    assert (
        through("submit", *through.options, "--id", "shown", "--entrypoint", "--", "true").code == 0
    )
    out = through.cwd / "address"
    with out.open("wb") as stream:
        child = through.start("dashboard", "--no-browser", *through.options, stdout=stream)
    address = soon(lambda: out.read_text().strip())
    page = chromium(address)
    assert "shown" in page
    assert "Recent jobs" in page
    assert nginx.KEY not in page
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=240)
    assert child.returncode == 0
