"""A local head of its own is always taken down: kill -9, SIGTERM, Ctrl-C, a closed pipe."""

import contextlib
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.local
LONG = ("submit", "fib", "--on", "local", "--", "--size", "20000", "--repeat", "1000")


class Running:
    """A long job under way on a head of its own, and what there is to count."""

    def __init__(self, cli, heads, processes, soon, **options):
        self.heads, self.processes, self.soon, self.runs = heads, processes, soon, cli.runs
        self.before = heads()
        self.child = cli.start(*LONG, **options)
        (self.folder,) = soon(lambda: heads() - self.before)
        soon(lambda: self.events() > 5)
        self.all = _family(self.child.pid, {pid for pid, _ in processes(str(self.folder))})

    def events(self):
        return sum(path.read_bytes().count(b"\n") for path in self.runs.glob("*/events.jsonl"))

    def nothing_left(self):
        gone = not self.folder.exists() and not self.processes(str(self.folder))
        return gone and not any(map(_is_alive, self.all))

    def record(self):
        (path,) = self.runs.glob("*/record.json")
        return json.loads(path.read_text("utf-8"))


def _family(pid, others):
    """The processes below one, and others by their ids, whose ids may be given away later."""
    psutil = pytest.importorskip("psutil")
    found = set(psutil.Process(pid).children(recursive=True))
    for other in others - {process.pid for process in found}:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.add(psutil.Process(other))
    return found


def _is_alive(process):
    psutil = pytest.importorskip("psutil")
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_kill_9_of_the_cli_leaves_no_process_and_no_folder(cli, heads, processes, soon):
    running = Running(cli, heads, processes, soon)
    assert len(running.all) > 8
    running.child.kill()
    running.child.communicate()
    soon(running.nothing_left)
    assert running.record()["status"] == "UNFINISHED"


def test_kill_9_of_a_warm_heads_supervisor_leaves_no_process_and_no_folder(
    cli, warm, processes, soon
):
    head = warm("orphan")
    assert len(processes(head["folder"])) > 5
    os.kill(head["supervisor"], signal.SIGKILL)
    soon(lambda: not processes(head["folder"]))
    assert cli("down", "orphan", "--on", "local").code == 4
    assert not Path(head["folder"]).exists()


@pytest.mark.usefixtures("waits_for_the_stop")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupt_stops_the_job_saves_its_log_and_leaves_nothing(
    cli, heads, processes, soon, number
):
    running = Running(cli, heads, processes, soon, start_new_session=True)
    if number == signal.SIGINT:
        os.killpg(running.child.pid, number)
    else:
        running.child.send_signal(number)
    out, err = (stream.decode() for stream in running.child.communicate(timeout=240))
    assert running.child.returncode == 130
    assert re.search(r"^error: interrupted: the job \S+ was stopped and its log saved$", err, re.M)
    assert "Traceback" not in out + err
    assert running.nothing_left()
    record = running.record()
    assert (record["status"], record["exit_code"]) == ("STOPPED", 130)
    (log,) = cli.runs.glob("*/driver.log")
    assert log.stat().st_size == record["log"]["bytes"]
    written = [span["start"] for span in record["spans"]]
    assert len(written) == len(set(written)) > 1


def test_a_timeout_ends_with_22_and_leaves_nothing(cli, heads):
    before = heads()
    done = cli(*LONG[:4], "--timeout", "0.5", *LONG[4:])
    assert done.code == 22
    # Ray stops a job that is PENDING only once it has begun, which takes a busy machine a while.
    assert re.search(
        r"still ran after 0\.5 s: it (was stopped|ended with its head)"
        r"|was still PENDING after 0\.5 s: it ended with its head",
        done.err,
    ), done.err
    assert heads() <= before


def test_a_pipe_closed_by_head_is_no_error(cli, heads):
    before = heads()
    words = " ".join([*cli.program, "submit", "fib", "--on", "local"])
    line = f"{words} -- --size 2000 --repeat 1 2>&1 | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}; echo codes ${{PIPESTATUS[@]}}"],
        env=cli.env,
        cwd=cli.cwd,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.stdout == "running on a local Ray head of its own (--on local)\ncodes 0 0\n"
    assert done.stderr == ""
    (path,) = cli.runs.glob("*/record.json")
    assert json.loads(path.read_text("utf-8"))["status"] == "SUCCEEDED"
    assert heads() <= before
