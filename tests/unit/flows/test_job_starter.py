"""`raykit init job`: a job with its test, under a name it can have, never over what is there."""

import json
import subprocess
import sys

import pytest

from raykit.errors import ConflictError, MissingError, UsageError
from raykit.flows import job_starter


def test_the_job_speaks_the_timing_format_and_refuses_options_by_it(tmp_path):
    job, timing, test = job_starter.write("pi", tmp_path)
    assert [path.name for path in (job, timing, test)] == ["pi.py", "timing.py", "test_pi.py"]
    assert "my_job" not in job.read_text() + test.read_text()
    for words, code, events in (
        (["--mode", "local", "--size", "100"], 0, ["start", "span", "result"]),
        (["--size", "0"], 2, ["start", "error"]),
    ):
        done = subprocess.run([sys.executable, job, *words], capture_output=True, text=True)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        assert (done.returncode, [line["event"] for line in lines]) == (code, events), done.stderr


@pytest.mark.parametrize(
    "name",
    [
        *("", "Pi", "1pi", "p i", "p-i", "../pi", "pi.py", "\u03c0", "a" * 41, "class", "_pi"),
        *("timing", "random", "json", "numpy", "ray", "raykit", "test_pi", "pytest", "jobs"),
    ],
)
def test_a_name_that_its_module_cannot_have_writes_nothing(tmp_path, name):
    with pytest.raises(UsageError, match="a job cannot be called"):
        job_starter.write(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_stays(tmp_path):
    (tmp_path / "pi").mkdir()
    with pytest.raises(ConflictError):
        job_starter.write("pi", tmp_path)
    assert list((tmp_path / "pi").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(ConflictError):
        job_starter.write("file", tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(MissingError, match="cannot be written"):
        job_starter.write("pi", tmp_path / "none")


def test_the_command_says_what_it_wrote_and_what_is_next(raykit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = raykit("init", "job", "pi")
    assert (code, out.splitlines()) == (
        0,
        [
            *(f"pi/{name} is written" for name in ("pi.py", "timing.py", "test_pi.py")),
            "next: raykit submit pi/pi.py",
            "      its test: pip install pytest, then python -m pytest pi/test_pi.py",
        ],
    )
    code, out, _ = raykit("init", "job", "two", "-o", "json")
    assert (code, json.loads(out)["data"]["job"]) == (0, "two")


@pytest.mark.parametrize("words", [["job"], ["job", "a", "--name", "b"], ["scaled", "mine"]])
def test_words_that_do_not_fit_together_are_refused(raykit, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    assert raykit("init", *words)[0] == 2
    assert list(tmp_path.iterdir()) == []
