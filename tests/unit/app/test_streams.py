"""No stream ends a command, and no reader holds it for ever."""

import json
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PATIENT_FOR_A_MOMENT = """
import sys
from raykit.app import main, streams
streams.PATIENCE_SECONDS = 0.3
main.main(sys.argv[1:])
"""
LOG = b"".join(b"line %d\n" % number for number in range(40_000))
"""More than a pipe or a terminal holds while nobody reads."""


@pytest.fixture(params=["pipe", "terminal"])
def unread(request):
    """A stream that nobody reads: the descriptors of its writing and its reading end."""
    reading, writing = os.pipe() if request.param == "pipe" else pty.openpty()
    yield writing
    for end in (reading, writing):
        os.close(end)


@pytest.fixture
def submit(ray, tmp_path, unread):
    """Start the submission of a job that prints more than its reader takes."""
    children = []

    def start(job, *options):
        words = ["submit", "--on", ray.url, "--id", job.id, *options, "--entrypoint", "--", "seq"]
        child = subprocess.Popen(
            [sys.executable, "-c", PATIENT_FOR_A_MOMENT, *words],
            env={**os.environ, "RAYKIT_RUNS": str(tmp_path / "runs")},
            stdout=unread,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def is_writable(stream):
    poll = select.poll()
    poll.register(stream, select.POLLOUT)
    return bool(poll.poll(0))


def record(tmp_path):
    """The one run's record, and its log."""
    (folder,) = (tmp_path / "runs").iterdir()
    return json.loads((folder / "record.json").read_text()), (folder / "driver.log").read_bytes()


@pytest.mark.parametrize(("ending", "code"), [("signal", 130), ("--timeout", 22)])
def test_a_paused_reader_does_not_hold_the_ending(
    ray, submit, unread, soon, tmp_path, ending, code
):
    child = submit(ray.job(log=LOG), *(["--timeout", "2"] if ending == "--timeout" else []))
    if ending == "signal":
        soon(lambda: not is_writable(unread))
        child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=240)
    assert child.returncode == code, said
    filed, log = record(tmp_path)
    assert (filed["status"], filed["exit_code"]) == ("UNFINISHED", code)
    assert LOG.startswith(log)


def test_what_a_paused_reader_missed_is_in_the_record_of_a_job_that_ended(ray, submit, tmp_path):
    child = submit(ray.job(log=LOG, status="SUCCEEDED", exit_code=0), "--timeout", "1")
    _, said = child.communicate(timeout=240)
    assert child.returncode == 0, said
    filed, log = record(tmp_path)
    assert (filed["status"], filed["exit_code"]) == ("SUCCEEDED", 0)
    assert log == LOG
    assert "not all was shown: raykit runs show" in said


def test_a_reader_that_is_slow_gets_everything(ray, tmp_path):
    ray.job(log=LOG, status="SUCCEEDED", exit_code=0)
    words = ["submit", "--on", ray.url, "--id", "job-1", "--entrypoint", "--", "seq"]
    child = subprocess.Popen(
        [sys.executable, "-c", PATIENT_FOR_A_MOMENT, *words],
        env={**os.environ, "RAYKIT_RUNS": str(tmp_path / "runs")},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(1)  # longer than anybody is waited for in a hurry
    out, _ = child.communicate(timeout=240)
    assert (child.returncode, out) == (0, LOG)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_result_that_a_paused_reader_does_not_take_is_7(tmp_path, stream):
    code = """
from raykit.app import output, streams
from raykit.errors import RaykitError
streams.PATIENCE_SECONDS = 0.3
streams.secure()
streams.hurry()
try:
    output.show("x", ["x" * 200_000], True, str)
except RaykitError as error:
    raise SystemExit(error.exit_code)
output.aside("x" * 200_000)
"""
    reading, writing = os.pipe()
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | {stream: writing}
    done = subprocess.run([sys.executable, "-c", code], timeout=240, **streams)
    os.close(reading)
    os.close(writing)
    assert done.returncode == (7 if stream == "stdout" else 0)


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", b"? ? ok\n"), ("utf-8", b"\xe2\x96\x88 ? ok\n")]
)
def test_a_stream_that_cannot_show_a_character_gets_a_question_mark(encoding, shown):
    code = """
from raykit.app import output, streams
streams.secure()
output.show("x", {}, False, lambda _: "\u2588 \\ud800 ok")
"""
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env)
    assert done.stdout == shown


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_has_gone_ends_the_writing_and_not_the_command(stream):
    code = f"""
import os, sys
from raykit.app import output, streams
from raykit.phases import Phase
read, write = os.pipe()
os.dup2(write, sys.{stream}.fileno())
os.close(write)
os.close(read)
streams.secure()
screen = output.Screen()
for _ in range(3):
    screen.note("a note")
    screen.job_output(b"from the job\\n")
    screen.step_finished(Phase("x", 0.0, 0.1), "a step")
    output.show("x", [], True, str)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


RAYKIT = [sys.executable, "-P", "-m", "raykit"]


def run_by_shell(words, tmp_path, **env):
    """raykit by bash, which can close streams: exit code, what it said on what was left."""
    world = {"RAYKIT_RUNS": str(tmp_path / "runs"), "XDG_RUNTIME_DIR": str(tmp_path)}
    line = f"{shlex.join(RAYKIT)} {words}"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, env={**os.environ, **world, **env}
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&-", "<&- >&- 2>&-", "> >(:) 2>&1"])
@pytest.mark.parametrize(("words", "code"), [("runs", 0), ("runs show none", 7), ("nonsense", 2)])
def test_a_stream_that_is_closed_is_no_stream(tmp_path, words, code, streams):
    assert run_by_shell(f"{words} {streams}", tmp_path)[0] == code


def test_no_file_gets_the_number_of_a_closed_stream():
    code = """
import os
from raykit.app import output, streams
streams.secure()
print(os.open("/dev/null", os.O_RDONLY) > 2, file=open("/dev/fd/9", "w"))
"""
    line = f"{shlex.join([sys.executable, '-c', code])} 9>&1 <&- >&- 2>&-"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
@pytest.mark.parametrize(
    "words", ["runs", "runs -o json", "runs show none -o json", "render -f DEPLOY"]
)
def test_a_result_that_a_full_disk_refuses_is_7_and_said(tmp_path, words):
    spec = Path(__file__).parents[3] / "deploy" / "clusters" / "single-node.yaml"
    words = words.replace("DEPLOY", shlex.quote(str(spec)))
    code, out, err = run_by_shell(f"{words} > /dev/full", tmp_path)
    assert (code, out) == (7, "")
    if "none" not in words:
        assert err.startswith("error: the result could not be written to stdout\n  No space left")


DRIPS = """
import sys, time
while sys.stdin.buffer.raw.read(4096):
    time.sleep(0.4)
"""
HURRIED = """
import sys
from raykit.app import streams
streams.PATIENCE_SECONDS = 1.0
streams.secure()
streams.hurry()
sys.stdout.write("x" * 4_000_000)
sys.stdout.flush()
print(streams.failure(sys.stdout), file=sys.stderr)
"""


def test_a_reader_that_takes_a_little_at_a_time_is_not_waited_for_ever():
    # 4 MB would take this reader six minutes, of which each wait is short.
    reader = subprocess.Popen([sys.executable, "-c", DRIPS], stdin=subprocess.PIPE)
    try:
        words = [sys.executable, "-c", HURRIED]
        done = subprocess.run(
            words, stdout=reader.stdin, stderr=subprocess.PIPE, text=True, timeout=240
        )
        assert (done.returncode, "its reader takes nothing" in done.stderr) == (0, True)
    finally:
        reader.kill()
        reader.wait()
        reader.stdin.close()
