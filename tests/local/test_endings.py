"""Every ending on a real Ray head: what the command says, what is filed, and what stays behind.

Slow because a job must really wait for CPUs that are not there, and a head really end with it.
"""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from raykit.local import heads as local_heads
from raykit.local.folders import RAY_FOLDER
from raykit.progress import Progress
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport

pytestmark = pytest.mark.local
TICKS = ("--entrypoint", "--", "sh", "-c", "echo ticking; exec sleep 600")
LOUD_BYTES = 1_000_000
LOUD = ("--entrypoint", "--", "sh", "-c", f"yes | head -c {LOUD_BYTES}; exec sleep 600")
"""Prints more than a pipe holds while nobody reads."""

PENDING = ("--entrypoint-num-cpus", "100")
RUNNING = ()
OWN, KEPT = "a head of its own", "a head that stays"

# On a busy machine a job may not have started by then, or may start while it is stopped.
STOPPED_LATE = (
    "still ran after 5 s: it (was stopped|ended with its head)"
    "|was still PENDING after 5 s: it ended with its head"
)
LEFT_LATE = "still runs after 5 s|is still PENDING after 5 s"


@pytest.fixture(scope="module")
def kept():
    """A head that stays, apart from the others: jobs that no node can take wait on it for ever."""
    pytest.importorskip("psutil", reason="needs the extra [local]")
    with local_heads.head(Progress()) as started:
        yield started


@pytest.fixture
def submit(cli, soon, request, processes, tmp_path):
    """Start a job that does not end by itself; returns once it is there: the child's process."""

    def start(place, job, *options):
        if place == KEPT:
            head = request.getfixturevalue("kept")
            cli.env |= {"RAYKIT_ON": head.url, "RAY_AUTH_TOKEN": head.token}
        else:
            cli.env |= {"RAYKIT_ON": "local"}
        child = cli.start("submit", *job, *options, *TICKS, start_new_session=True)
        if not options or options[0] != "--timeout":
            soon(lambda: _is_there(cli.runs, job))
        return child

    # Every process of a head of its own inherits this variable.
    cli.env["RAYKIT_TEST"] = mark = f"{tmp_path}/mark"
    yield start
    assert processes(mark) == []


def _is_there(runs, job):
    """A PENDING job is there once Ray took it, a RUNNING one once it printed something.

    Its command, which Ray prints, has the word too.
    """
    if job == PENDING:
        return any(b'"submit"' in path.read_bytes() for path in runs.glob("*/record.json"))
    return any(b"\nticking\n" in path.read_bytes() for path in runs.glob("*/driver.log"))


@pytest.mark.usefixtures("waits_for_the_stop")
@pytest.mark.parametrize(
    ("place", "job", "ending", "code", "status", "words"),
    [
        (OWN, PENDING, 3, 22, "STOPPED", "was still PENDING after 3 s: it ended with its head"),
        (OWN, RUNNING, 5, 22, "STOPPED", STOPPED_LATE),
        (KEPT, PENDING, 2, 22, "UNFINISHED", "is still PENDING after 2 s"),
        (KEPT, RUNNING, 5, 22, "UNFINISHED", LEFT_LATE),
        (OWN, PENDING, signal.SIGINT, 130, "STOPPED", "was PENDING; it ended with its head"),
        (OWN, RUNNING, signal.SIGINT, 130, "STOPPED", "was stopped and its log saved"),
        (OWN, PENDING, signal.SIGHUP, 130, "STOPPED", "was PENDING; it ended with its head"),
        (OWN, RUNNING, signal.SIGTERM, 130, "STOPPED", "was stopped and its log saved"),
        (OWN, RUNNING, signal.SIGHUP, 130, "STOPPED", "was stopped and its log saved"),
        (KEPT, PENDING, signal.SIGTERM, 130, "UNFINISHED", "goes on"),
        (KEPT, RUNNING, signal.SIGINT, 130, "UNFINISHED", "goes on"),
        (KEPT, RUNNING, signal.SIGHUP, 130, "UNFINISHED", "goes on"),
    ],
)
def test_every_ending_is_said_and_filed_and_leaves_no_head(
    cli, submit, place, job, ending, code, status, words
):
    is_signal = isinstance(ending, signal.Signals)
    child = submit(place, job, *(() if is_signal else ("--timeout", str(ending))))
    if is_signal:
        os.killpg(child.pid, ending)
    _, err = (stream.decode() for stream in child.communicate(timeout=240))
    assert child.returncode == code, err
    assert re.search(words, err), err
    assert "Traceback" not in err
    (record,) = [cli("runs", "show", "last", "-o", "json").envelope["data"]]
    assert (record["status"], record["exit_code"]) == (status, code)
    log = cli.runs / record["id"] / "driver.log"
    # A run that is interrupted before it is followed has no log.
    assert record["log"].get("bytes") == (log.stat().st_size if log.exists() else None)


@pytest.mark.usefixtures("waits_for_the_stop")
@pytest.mark.parametrize(("ending", "code"), [(signal.SIGTERM, 130), (40, 22)])
def test_a_reader_that_is_paused_keeps_no_head_and_loses_no_line(
    cli, processes, soon, tmp_path, ending, code
):
    cli.env |= {"RAYKIT_ON": "local", "RAYKIT_TEST": f"{tmp_path}/mark"}
    options = () if isinstance(ending, signal.Signals) else ("--timeout", str(ending))
    child = cli.start("submit", *options, *LOUD)
    head_logs = f"rkh-*/{RAY_FOLDER}/session_2*/logs/job-driver-*.log"
    soon(lambda: larger(Path(cli.env["TMPDIR"]).glob(head_logs), LOUD_BYTES))
    soon(lambda: larger(cli.runs.glob("*/driver.log"), 60_000))
    if not options:
        child.send_signal(ending)
    assert child.wait(240) == code  # and nobody has read a byte
    assert processes(f"{tmp_path}/mark") == []
    record = cli("runs", "show", "last", "-o", "json").envelope["data"]
    assert (record["status"], record["exit_code"]) == ("STOPPED", code)
    log = (cli.runs / record["id"] / "driver.log").read_bytes()
    assert log.count(b"y\n") >= LOUD_BYTES // 2


def larger(paths, size):
    return [path for path in paths if path.stat().st_size > size]


@pytest.mark.usefixtures("waits_for_the_stop")
@pytest.mark.parametrize("job", [PENDING, RUNNING])
def test_stop_on_interrupt_says_whether_the_job_of_a_head_that_stays_was_stopped(
    cli, submit, kept, job
):
    child = submit(KEPT, job, "--stop-on-interrupt")
    os.killpg(child.pid, signal.SIGINT)
    _, err = (stream.decode() for stream in child.communicate(timeout=240))
    (path,) = cli.runs.iterdir()
    with Transport(kept.endpoint()) as transport:
        details = JobsApi(transport).details(path.name)
    assert child.returncode == 130
    assert details.status in err or "was stopped and its log saved" in err
    assert (details.status == "STOPPED") == ("was stopped" in err)


@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&-", "</dev/null >/dev/full 2>&1"])
def test_a_screen_that_is_closed_or_full_ends_no_job(cli, kept, streams):
    words = " ".join(cli.program)
    line = f"{words} submit --entrypoint {streams} -- seq 3"
    env = cli.env | {"RAYKIT_ON": kept.url, "RAY_AUTH_TOKEN": kept.token}
    done = subprocess.run(
        ["bash", "-c", line], env=env, cwd=cli.cwd, capture_output=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    record = cli("runs", "show", "last", "-o", "json").envelope["data"]
    assert (record["status"], record["exit_code"]) == ("SUCCEEDED", 0)
    log = (cli.runs / record["id"] / "driver.log").read_bytes()
    assert b"1\n2\n3\n" in log
