"""What a real Ray makes of a head's surroundings, and what others on this machine can see of it."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.local
SMALL = ("submit", "fib", "--on", "local", "--", "--size", "2000", "--repeat", "1")
PLANTED = ("ctypes", "json", "logging", "psutil", "random", "ray", "select", "token", "types")
SPY = """
import json, os, stat, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
def allowed(attempt, *words):
    try:
        attempt(*words)
    except PermissionError:
        return False
    return True
print(json.dumps([
    path for path in json.load(sys.stdin)
    if allowed(os.stat, path)
    or allowed(os.listdir, os.path.dirname(path))
    or allowed(open, path + "-planted", "w")
    or allowed(os.rename, path, path + "-taken")
]))
"""


def test_ray_starts_where_its_surroundings_are_against_it(cli, heads):
    """Warnings as errors, few open files, modules of the caller and the longest TMPDIR at once."""
    for name in PLANTED:
        (cli.cwd / f"{name}.py").write_text("raise SystemExit('planted')\n")
    longest = Path("/tmp/" + f"rk{os.getpid()}".ljust(17, "x"))
    longest.mkdir(mode=0o700)
    cli.env |= {"TMPDIR": str(longest), "PYTHONWARNINGS": "error"}

    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 4096))

    try:
        done = cli(*SMALL, preexec_fn=few_files)
        assert (done.code, heads()) == (0, set()), done.err
        assert list(longest.iterdir()) == []
    finally:
        shutil.rmtree(longest)


def test_too_few_open_files_are_said_before_ray_starts(cli, heads):
    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    done = cli(*SMALL, preexec_fn=few_files)
    assert done.code == 4
    assert "error: Ray needs 1024 open files, and this shell allows 64\n" in done.err
    assert heads() == set()


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another user")
def test_another_user_sees_and_changes_nothing_of_a_head(cli, warm):
    """Ray opens its own folders to everybody: only a real one shows what it makes."""
    own = Path(cli.env["TMPDIR"])
    own.chmod(0o1777)
    head = warm("private")
    made = below(head["folder"])
    assert [path for path in made if path.endswith("runtime_resources") and is_open_to_all(path)]
    state = [str(path) for path in Path(cli.env["XDG_RUNTIME_DIR"]).rglob("*")]
    done = subprocess.run(
        [sys.executable, "-c", SPY],
        input=json.dumps([head["folder"], *made, *state]),
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert done.stderr == ""
    # Its folder stands in the open TMPDIR: there a foreign user may list names and add others.
    assert json.loads(done.stdout) == [head["folder"]]
    assert Path(head["folder"]).exists()


def below(folder):
    """The paths below a folder in which Ray still makes and renames files."""
    walked = os.walk(folder)
    return [f"{place}/{name}" for place, folders, files in walked for name in [*folders, *files]]


def is_open_to_all(path):
    return Path(path).exists() and Path(path).stat().st_mode & 0o777 == 0o777


def test_an_up_that_is_killed_while_ray_starts_leaves_no_process_and_no_folder(
    cli, heads, processes, soon
):
    child = cli.start("up", "--on", "local")
    (folder,) = soon(heads)
    soon(lambda: len(processes(str(folder))) > 3)
    child.kill()
    child.communicate()
    soon(lambda: not heads() and not processes(str(folder)))
    assert cli("status", "-o", "json").envelope["data"]["local"] == []


def test_a_closed_terminal_ends_a_head_of_its_own(cli, heads, processes, soon):
    child = cli.start(*SMALL[:5], "--size", "20000", "--repeat", "1000", start_new_session=True)
    (folder,) = soon(heads)
    soon(lambda: list(cli.runs.glob("*/events.jsonl")))
    os.killpg(child.pid, signal.SIGHUP)
    child.communicate(timeout=240)
    soon(lambda: not heads() and not processes(str(folder)))
