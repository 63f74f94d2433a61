"""The supervisor of a local head: nothing that it started outlives it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

psutil = pytest.importorskip("psutil", reason="needs the extra [local]")
linux = pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")

DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1], "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
os.wait()
time.sleep(600)
"""


WAITS = """
import os, sys, time
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""

ORPHAN = """
import os, sys, time
if os.fork() == 0:
    if os.fork() == 0:
        open(sys.argv[1], "w").write(str(os.getpid()))
    os._exit(0)
os.wait()
time.sleep(600)
"""


class Held:
    """A supervisor that holds one stand-in for a head, and others for its nodes."""

    def __init__(self, folder, code, *, tether=True, state=None, nodes=(), port=1):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "raykit.local.supervisor"],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        config = {
            "argvs": [
                [sys.executable, "-c", text, str(folder.parent / "pid")] for text in (code, *nodes)
            ],
            "env": dict(os.environ),
            "folder": str(folder),
            "head": ["127.0.0.1", port],
            "tether": tether,
            "state": str(state) if state else None,
        }
        self.process.stdin.write(json.dumps(config).encode() + b"\n")
        self.process.stdin.flush()


@pytest.fixture
def held(tmp_path):
    folder = tmp_path / "head"
    folder.mkdir()
    started = []

    def start(code, **options):
        started.append(Held(folder, code, **options))
        return started[-1]

    yield start
    for each in started:
        each.process.stdin.close()
        each.process.terminate()
        each.process.wait(20)


def eventually(condition):
    deadline = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def written_pid(tmp_path):
    path = tmp_path / "pid"
    return eventually(lambda: path.exists() and path.read_text() and int(path.read_text()))


@linux
def test_a_cut_tether_ends_daemons_too_and_removes_the_folder(held, tmp_path):
    supervisor = held(DAEMON)
    pid = written_pid(tmp_path)
    assert running(pid)
    supervisor.process.stdin.close()
    assert supervisor.process.wait(20) == 0
    assert not running(pid)
    assert not supervisor.folder.exists()


@linux
def test_sigterm_ends_everything_and_removes_the_file_that_names_the_head(held, tmp_path):
    state = tmp_path / "local.json"
    state.write_text("{}")
    supervisor = held(DAEMON, tether=False, state=state)
    pid = written_pid(tmp_path)
    supervisor.process.stdin.close()
    time.sleep(0.5)
    assert supervisor.process.poll() is None, "an untethered head stays"
    supervisor.process.send_signal(signal.SIGTERM)
    assert supervisor.process.wait(20) == 0
    assert not running(pid)
    assert not supervisor.folder.exists()
    assert not state.exists()


def test_a_head_that_dies_ends_its_supervisor_and_leaves_its_last_words(held):
    supervisor = held("import sys; print('no port', flush=True); sys.exit(3)")
    assert supervisor.process.wait(20) == 1
    assert (supervisor.folder / "ray-start.log").read_text() == "no port\n"


@linux
def test_kill_9_of_the_supervisor_ends_what_it_started(held, tmp_path):
    supervisor = held(WAITS, tether=False)
    pid = written_pid(tmp_path)
    supervisor.process.kill()
    supervisor.process.wait(20)
    eventually(lambda: not running(pid))


def test_the_head_goes_on_without_a_node_that_died(held, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as gcs:
        port = gcs.getsockname()[1]
        supervisor = held("import time; time.sleep(600)", nodes=[WAITS], port=port)
        node = psutil.Process(written_pid(tmp_path))
    (head,) = (each for each in psutil.Process(supervisor.process.pid).children() if each != node)
    node.kill()
    eventually(lambda: not running(node.pid))
    time.sleep(0.5)
    assert supervisor.process.poll() is None
    assert running(head.pid)


@linux
def test_adopted_orphans_that_ended_do_not_pile_up(held, tmp_path):
    held(ORPHAN)
    pid = written_pid(tmp_path)
    eventually(lambda: not psutil.pid_exists(pid))


def test_ctrl_c_in_the_terminal_does_not_reach_the_head(held, tmp_path):
    supervisor = held("import time; time.sleep(600)")
    child = eventually(lambda: psutil.Process(supervisor.process.pid).children())
    supervisor.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert supervisor.process.poll() is None
    assert running(child[0].pid)


def test_the_heads_environment_has_ours_and_nothing_of_the_callers_ray():
    from raykit import kit
    from raykit.local.heads import environment

    caller = {
        "RAY_ADDRESS": "http://127.0.0.1:1",
        "ray_worker_niceness": "19",
        "HOME": "/home/me",
        "PYTHONPATH": "/mine",
        "NO_PROXY": "example.org",
    }
    found = environment(caller, "secret")
    assert "RAY_ADDRESS" not in found
    assert "ray_worker_niceness" not in found
    assert (found["RAY_AUTH_MODE"], found["RAY_AUTH_TOKEN"]) == ("token", "secret")
    assert found["RAY_worker_niceness"] == "0"
    assert found["PYTHONPATH"].split(os.pathsep) == [str(kit.root()), "/mine"]
    assert found["NO_PROXY"] == "example.org,127.0.0.1,localhost"
    assert found["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert found["HOME"] == "/home/me"


def test_free_ports_are_distinct():
    from raykit.local.heads import free_ports

    assert len(set(free_ports(20))) == 20


def test_without_ray_the_command_that_installs_it_is_named(monkeypatch):
    from raykit.errors import MissingError
    from raykit.local import heads

    monkeypatch.setattr(heads.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError) as caught:
        heads.installed_ray()
    assert caught.value.exit_code == 4
    assert caught.value.next.startswith("pip install 'raykit[local]'")
