"""The supervisor of a local head: nothing that it started outlives it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

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

GCS = """
import os, time
os.makedirs("ray/session_2026")
open("ray/session_2026/gcs_server_port_0.tmp", "w")
open("ray/session_2026/gcs_server_port_1", "w").write("6379")
os.makedirs("ray/session_2026/sockets")
open("ray/session_2026/sockets/raylet", "w")
time.sleep(600)
"""

NODE = """
import os, sys, time
open(sys.argv[1], "w").write(f"{os.getpid()} {sys.argv[2]}")
time.sleep(600)
"""


class Held:
    """A supervisor that holds one stand-in for a head, and others for its nodes."""

    def __init__(self, folder, code, *, state=None, nodes=()):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "raykit.local.supervisor", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

        def words(text):
            return [sys.executable, "-c", text, str(folder.parent / "pid"), "{gcs}"]

        config = {
            "head": words(code),
            "nodes": [words(text) for text in nodes],
            "env": dict(os.environ),
            "host": "127.0.0.1",
            "state": state and {"path": str(state), "fields": {"folder": str(folder)}},
        }
        self.process.stdin.write(json.dumps(config).encode() + b"\n")
        self.process.stdin.flush()

    def guarded(self):
        """The process that its guard waits for: on Linux its one child, elsewhere itself."""
        own = psutil.Process(self.process.pid)
        return own.children()[0] if sys.platform == "linux" else own

    def announced(self):
        """What it said of its head; nothing if it ended without a word."""
        line = self.process.stdout.readline()
        return json.loads(line) if line else None


@pytest.fixture
def held(tmp_path):
    folder = tmp_path / "head"
    folder.mkdir()
    started = []

    def start(code, **options):
        started.append(Held(folder, code, **options))
        return started[-1]

    yield start
    for supervisor in started:
        supervisor.process.stdin.close()
        supervisor.process.stdout.close()
        supervisor.process.terminate()
        supervisor.process.wait(240)


def running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def written(tmp_path, eventually):
    """`written()`: the words that a stand-in wrote, its process id first."""
    path = tmp_path / "pid"
    return lambda: eventually(lambda: path.exists() and path.read_text().split())


@linux
def test_a_cut_tether_ends_daemons_too_and_removes_the_folder(held, written):
    supervisor = held(DAEMON)
    pid = int(written()[0])
    assert running(pid)
    supervisor.process.stdin.close()
    assert supervisor.process.wait(240) == 0
    assert not running(pid)
    assert not supervisor.folder.exists()


@linux
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_and_removes_the_folder(held, written, number):
    supervisor = held(DAEMON)
    pid = int(written()[0])
    supervisor.process.send_signal(number)
    assert supervisor.process.wait(240) == 0
    assert not running(pid)
    assert not supervisor.folder.exists()


def test_a_named_head_loses_its_tether_once_its_state_is_written(held, stand_in_code, tmp_path):
    state = tmp_path / "local.json"
    supervisor = held(stand_in_code, state=state)
    url = supervisor.announced()["url"]
    written = json.loads(state.read_text())
    assert (written["url"], written["supervisor"]) == (url, supervisor.guarded().pid)
    assert state.stat().st_mode & 0o777 == 0o600
    supervisor.process.stdin.close()
    with pytest.raises(subprocess.TimeoutExpired):
        supervisor.process.wait(0.5)
    supervisor.process.terminate()
    assert supervisor.process.wait(240) == 0
    assert not supervisor.folder.exists()
    assert not state.exists()


def test_a_head_without_a_name_keeps_its_tether(held, stand_in_code):
    supervisor = held(stand_in_code)
    assert supervisor.announced()["url"].startswith("http://127.0.0.1:")
    supervisor.process.stdin.close()
    assert supervisor.process.wait(240) == 0


def test_the_state_file_of_another_head_stays(held, tmp_path, written):
    state = tmp_path / "local.json"
    state.write_text('{"folder": "/tmp/another"}')
    supervisor = held(WAITS, state=state)
    written()
    supervisor.process.stdin.close()
    assert supervisor.process.wait(240) == 0
    assert state.exists()


def test_a_port_that_another_program_took_is_never_announced(held, stand_in_code):
    with socket.create_server(("127.0.0.1", 0)) as thief:
        port = thief.getsockname()[1]
        code = f"import sys; sys.argv = ['ray', '{port}']\n{stand_in_code}"
        supervisor = held(code)
        assert supervisor.announced() is None
    assert supervisor.process.wait(240) == 1
    log = (supervisor.folder / "ray-start.log").read_text()
    assert log == f"port {port} belongs to a process that is not Ray's\n"


def test_a_ray_without_its_dashboard_is_not_waited_for(held):
    supervisor = held(
        "print('This command will now block', flush=True); import time; time.sleep(600)"
    )
    assert supervisor.announced() is None
    assert "pip install" in (supervisor.folder / "ray-start.log").read_text()


def test_a_head_that_dies_ends_its_supervisor_and_leaves_its_last_words(held):
    supervisor = held("import sys; print('no port', flush=True); sys.exit(3)")
    assert supervisor.process.wait(240) == 1
    assert (supervisor.folder / "ray-start.log").read_text() == "no port\n"


def test_a_cli_that_is_killed_before_it_says_what_to_start_leaves_no_folder(tmp_path):
    folder = tmp_path / "head"
    folder.mkdir()
    child = subprocess.run(
        [sys.executable, "-P", "-m", "raykit.local.supervisor", str(folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    assert (child.returncode, child.stdout, child.stderr) == (1, b"", b"")
    assert not folder.exists()


@linux
def test_kill_9_of_the_supervisor_ends_daemons_too(held, written):
    """A Ray node's agents that are just starting outlived it by a minute."""
    supervisor = held(DAEMON)
    pid = int(written()[0])
    supervisor.guarded().kill()
    assert supervisor.process.wait(240) == 1
    assert not running(pid)


@linux
def test_kill_9_of_its_guard_ends_daemons_too_and_removes_the_folder(held, written, eventually):
    supervisor = held(DAEMON)
    pid = int(written()[0])
    supervisor.process.kill()
    eventually(lambda: not running(pid) and not supervisor.folder.exists())


@linux
def test_a_signal_after_kill_9_of_the_supervisor_keeps_its_guard_from_nothing(held, written):
    supervisor = held(DAEMON)
    pid = int(written()[0])
    supervisor.guarded().kill()
    supervisor.process.terminate()
    assert supervisor.process.wait(240) == 1
    assert not running(pid)


@linux
def test_a_supervisor_that_hangs_is_killed_by_its_guard(held, written):
    supervisor = held(DAEMON)
    pid = int(written()[0])
    supervisor.guarded().suspend()
    supervisor.process.terminate()
    assert supervisor.process.wait(240) == 1
    assert not running(pid)


def test_further_nodes_start_at_the_port_that_the_gcs_chose(held, written):
    held(GCS, nodes=[NODE])
    assert written()[1] == "127.0.0.1:6379"


def test_a_node_starts_only_once_the_one_before_it_has_its_socket(held, tmp_path, eventually):
    """Two nodes that start at once take the same socket: the third of four never joined."""
    counted = 'import os, sys, time; open(sys.argv[1] + str(os.getpid()), "w"); time.sleep(600)'
    supervisor = held(GCS, nodes=[counted, counted])

    def started():
        return len(list(tmp_path.glob("pid*")))

    eventually(lambda: started() == 1)
    time.sleep(0.5)
    assert started() == 1
    (supervisor.folder / "ray/session_2026/sockets/raylet.1").touch()
    eventually(lambda: started() == 2)


def test_the_head_goes_on_without_a_node_that_died(held, written, eventually):
    supervisor = held(GCS, nodes=[NODE])
    node = psutil.Process(int(written()[0]))
    (head,) = (each for each in supervisor.guarded().children() if each != node)
    node.kill()
    eventually(lambda: not running(node.pid))
    with pytest.raises(subprocess.TimeoutExpired):
        supervisor.process.wait(0.5)
    assert running(head.pid)


@linux
def test_adopted_orphans_that_ended_do_not_pile_up(held, written, eventually):
    held(ORPHAN)
    pid = int(written()[0])
    eventually(lambda: not psutil.pid_exists(pid))


def test_ctrl_c_in_the_terminal_does_not_reach_the_head(held, written):
    supervisor = held(WAITS)
    pid = int(written()[0])
    supervisor.process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        supervisor.process.wait(0.3)
    assert running(pid)
