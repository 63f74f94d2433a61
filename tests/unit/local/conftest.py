"""A world of its own for local heads, with stand-ins for Ray."""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest

pytest.importorskip("psutil", reason="needs the extra [local]")

STAND_IN = """
import os, socket, sys, time
os.makedirs("ray/session_2026/logs")
if sys.argv[-1].isdigit():
    port = int(sys.argv[-1])
else:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
with open("ray/session_2026/logs/dashboard.log", "w") as log:
    log.write(f"INFO -- Dashboard head http address: 127.0.0.1:{port}\\n")
with open("ray/session_2026/dashboard_agent_listen_port_1", "w") as agent:
    agent.write("1")
time.sleep(600)
"""
"""Writes what Ray writes once it listens, here or on a port that is somebody else's."""


@pytest.fixture
def world(monkeypatch, tmp_path):
    """A short folder that is TMPDIR and XDG_RUNTIME_DIR, empty of heads when the test ends."""
    assert tmp_path.exists(), "made before TMPDIR changes"
    folder = Path(tempfile.mkdtemp(prefix="rk-", dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    left = heads_in(folder)
    for pid in processes_below(folder):  # of a test that failed
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder)
    assert left == []


@pytest.fixture
def stand_in_code():
    return STAND_IN


@pytest.fixture
def stand_in(monkeypatch):
    """`stand_in(port)`: every head is from now on a program that behaves as Ray does."""
    from raykit.local import ray_start

    def use(*words, code=STAND_IN):
        argv = [sys.executable, "-c", code, *map(str, words)]
        monkeypatch.setattr(ray_start, "head_words", lambda *_: argv)

    use()
    return use


@pytest.fixture
def eventually():
    def wait(condition, seconds=240):
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return found

    return wait


@pytest.fixture
def all_processes():
    """How many belong to a stand-in head: it, its supervisor, and on Linux the guard of that."""
    return 3 if sys.platform == "linux" else 2


@pytest.fixture
def processes_of():
    """`processes_of(folder)`: ids of the processes whose arguments or working folder name it."""
    return processes_below


def processes_below(folder):
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes()
            here = str((process / "cwd").readlink())
            if int(process.name) != os.getpid() and (
                os.fsencode(folder) in words or here.startswith(str(folder))
            ):
                found.append(int(process.name))
    return found


def heads_in(folder):
    return sorted(folder.glob("rkh-*"))


@pytest.fixture
def heads_left(world):
    """`heads_left()`: folders of heads, dead or alive."""
    return lambda: heads_in(world)
