"""What reaches a person: a spinner only on a terminal, 80 columns, colours unless NO_COLOR."""

import io
import os
import pty
import re
import subprocess
import sys

import pytest

from raykit.app import output
from raykit.errors import MissingError
from raykit.phases import Phase

STEPS = """
import time
from raykit.app.output import Screen
from raykit.progress import Progress
progress = Progress(Screen())
progress.note("running here")
with progress.step("head", "Ray head"):
    progress.detail("waiting")
    time.sleep(0.3)
progress.listener.job_output(b"from the job\\n")
try:
    with progress.step("end", "the end"):
        raise SystemExit(0)
finally:
    pass
"""


def on_a_terminal(code, **env):
    """Everything that a child prints whose three streams are one terminal."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **env},
    )
    os.close(follower)
    said = b""
    while True:
        try:
            chunk = os.read(leader, 4096)
        except OSError:  # what Linux answers when the last writer has gone
            break
        if not chunk:
            break
        said += chunk
    os.close(leader)
    assert child.wait(30) == 0, said.decode()
    return said.decode()


@pytest.fixture(autouse=True)
def plain_world(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


def test_a_pipe_gets_plain_lines_without_a_spinner_or_colours():
    done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True)
    assert done.stdout == "from the job\n"
    assert re.fullmatch(r"running here\n✓ Ray head \(0\.\d s\)\n✗ the end\n", done.stderr)


def test_a_terminal_gets_a_spinner_and_colours():
    said = on_a_terminal(STEPS)
    assert "Ray head … waiting" in said
    assert "\x1b[32m✓\x1b[0m Ray head" in said
    assert "\x1b[31m✗\x1b[0m the end" in said
    assert "\x1b[?25h" in said, "the cursor must be shown again"


def test_no_color_is_obeyed_on_a_terminal():
    said = on_a_terminal(STEPS, NO_COLOR="1")
    assert re.search(r"✓ Ray head \(0\.\d s\)", said)
    assert not re.search(r"\x1b\[[0-9;]*[1-9][0-9;]*m", said)


def test_an_error_is_one_line_what_the_evidence_and_one_line_what_next(capsys):
    error = MissingError("no docker", evidence=["$ docker info", "refused"], next="start it")
    output.show_error("up", error, as_json=False)
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err == "error: no docker\n  $ docker info\n  refused\nnext: start it\n"


def test_a_table_aligns_text_left_and_numbers_right():
    assert output.table(["NAME", "SECONDS"], [("a", "1.5"), ("longer", "-"), ("b", "10.25")]) == (
        "NAME    SECONDS\na           1.5\nlonger        -\nb         10.25"
    )
    assert output.table(["NAME"], []) == "NAME"


def test_a_long_text_is_shortened_and_wrapped():
    assert output.shortened("one two three", 8) == "one two…"
    assert output.shortened("one\n two", 8) == "one two"


def test_a_stream_that_cannot_show_a_character_gets_a_question_mark(monkeypatch):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    output.show("x", {}, False, lambda _: "█ \ud800 ok")
    assert raw.getvalue() == b"? ? ok\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_has_gone_ends_the_writing_and_not_the_command(stream):
    code = f"""
import os, sys
from raykit.app import output
from raykit.phases import Phase
read, write = os.pipe()
os.dup2(write, sys.{stream}.fileno())
os.close(write)
os.close(read)
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


def test_a_finished_step_says_its_seconds(capsys):
    output.Screen().step_finished(Phase("x", 0.0, 1.26), "Ray head")
    assert capsys.readouterr().err == "✓ Ray head (1.3 s)\n"
