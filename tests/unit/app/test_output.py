"""What reaches a person: a spinner only on a terminal, 80 columns, colours unless NO_COLOR."""

import os
import pty
import re
import shlex
import subprocess
import sys

import pytest

from raykit import redaction
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
    assert child.wait(240) == 0, said.decode()
    return said.decode()


@pytest.fixture(autouse=True)
def plain_world(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


def test_a_pipe_gets_plain_lines_without_a_spinner_or_colours():
    done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True)
    assert done.stdout == "from the job\n"
    assert re.fullmatch(r"running here\n✓ Ray head \(\d+\.\d s\)\n✗ the end\n", done.stderr)


def test_a_terminal_gets_a_spinner_and_colours():
    said = on_a_terminal(STEPS)
    assert "Ray head … waiting" in said
    assert "\x1b[32m✓\x1b[0m Ray head" in said
    assert "\x1b[31m✗\x1b[0m the end" in said
    assert "\x1b[?25h" in said, "the cursor must be shown again"


def test_no_color_is_obeyed_on_a_terminal():
    said = on_a_terminal(STEPS, NO_COLOR="1")
    assert re.search(r"✓ Ray head \(\d+\.\d s\)", said)
    assert not re.search(r"\x1b\[[0-9;]*[1-9][0-9;]*m", said)


NOTE = """
from raykit.app import output
from raykit.errors import MissingError
output.Screen().note("BUSY_MACHINE: " + "load " * 30 + "/a/path/with-a-name-" + "x" * 70)
output.Screen().note("  in two lines\\n  " + "word " * 20)
output.show_error("up", MissingError("what " * 30, evidence=["e" + " e" * 60]), as_json=False)
"""


def test_a_terminal_gets_notes_in_lines_that_fit_and_names_that_stay_whole():
    lines = on_a_terminal(NOTE, NO_COLOR="1").splitlines()
    assert [len(line) <= 80 or "x" * 70 in line or " e" * 60 in line for line in lines] == [
        True for _ in lines
    ]
    assert lines[0].startswith("BUSY_MACHINE: load")
    assert lines[3] == f"  /a/path/with-a-name-{'x' * 70}"
    assert lines[4:7] == ["  in two lines", " " + " word" * 15, "   " + " word" * 5]
    assert lines[-1] == "  e" + " e" * 60, "evidence is quoted as it is"


def test_a_pipe_gets_each_note_in_one_line():
    done = subprocess.run([sys.executable, "-c", NOTE], capture_output=True, text=True)
    assert len(done.stderr.splitlines()) == 5


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


def test_a_finished_step_says_its_seconds(capsys):
    output.Screen().step_finished(Phase("x", 0.0, 1.26), "Ray head")
    assert capsys.readouterr().err == "✓ Ray head (1.3 s)\n"


def test_an_error_ends_the_spinner_and_has_its_own_line():
    said = on_a_terminal("""
from raykit.app import output
from raykit.errors import MissingError
screen = output.Screen()
screen.step_started("waiting [for] [/it]")
output.show_error("x", MissingError("gone", next="come back"), False)
""")
    assert "waiting [for] [/it] …" in said
    assert "\x1b[?25h" in said, "the cursor must be shown again"
    assert re.search(r"^(\x1b\[[0-9;?]*[a-zA-Z]|\r)*error: ", said.split("\n")[-3], re.M), said
    assert said.endswith("come back\r\n")


def test_what_a_job_just_printed_on_the_screen_is_not_repeated_as_evidence():
    code = """
import sys
from raykit.app import output
from raykit.errors import JobFailedError
screen = output.Screen()
screen.job_output(b"first\\nTypeError: no\\nno line end")
screen.end_line()
error = JobFailedError("FAILED", evidence=["TypeError: no", "no line end", "a node was lost"])
output.show_error("x", error, False, screen.has_shown)
"""
    said = on_a_terminal(code, NO_COLOR="1")
    assert said.split("\r\n") == [
        "first",
        "TypeError: no",
        "no line end",
        "error: FAILED",
        "  a node was lost",
        "",
    ]
    apart = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "  TypeError: no\n" in apart.stderr, "stdout went elsewhere: this is all one sees"


@pytest.mark.parametrize("odd", ["\x1b[2J", "\r", "\x07", "\x9b31m", "\u202e", "\x00"])
def test_no_text_of_others_moves_the_cursor(capsys, odd):
    output.show_error("x", MissingError(f"a{odd}b", evidence=[f"c{odd}d"], next=f"e{odd}f"), False)
    screen = output.Screen()
    screen.note(f"g{odd}h")
    screen.step_failed(f"i{odd}j")
    output.show("x", [f"k{odd}l"], False, lambda rows: output.table(["A"], [rows]))
    said = "".join(capsys.readouterr())
    assert odd not in said
    assert said.count(odd.encode("unicode_escape").decode()) == 6


def test_a_secret_leaves_by_no_door(capsys):
    redaction.learn("opensesame")
    secret = "x=opensesame https://user:word@host/"
    error = MissingError(secret, evidence=[secret], next=secret)
    screen = output.Screen()
    screen.note(secret)
    screen.step_failed(secret)
    screen.step_finished(Phase("x", 0.0, 0.1), secret)
    output.aside(secret)
    for as_json in (False, True):
        output.show("x", {"a": [secret]}, as_json, str)
        output.show_error("x", error, as_json)
    output.show_envelope("x", {"a": secret}, error)
    output.show_bug(ValueError, ValueError(secret), None)
    said = "".join(capsys.readouterr())
    assert "opensesame" not in said
    assert "word@" not in said


def test_a_manifest_goes_out_as_it_was_written(capsys):
    written = "proxy: http://user:word@host/\n"
    output.show("render", written, False, str, exact=True)
    assert capsys.readouterr().out == written + "\n"


@pytest.mark.parametrize(("before", "code"), [("", 130), ("trap '' HUP; ", 0)])
def test_a_closed_terminal_interrupts_unless_nohup_said_otherwise(tmp_path, before, code):
    program = """
import os, signal
from raykit.app import main
main.runs.runs_folder = lambda: os.kill(os.getpid(), signal.SIGHUP) or RunsFolder(Path("none"))
from pathlib import Path
from raykit.measure.records import RunsFolder
main.main(["runs"])
"""
    line = f"{before}exec {shlex.join([sys.executable, '-c', program])}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == code, done.stderr
