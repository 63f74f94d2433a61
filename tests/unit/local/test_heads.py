"""A head that raykit starts: who may see it, who gets its token, and that it ends in every case."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from raykit.errors import MissingError
from raykit.local import folders, heads
from raykit.progress import Progress

FORK = """
import sys, time
from raykit.local import heads, ray_start
ray_start.head_words = lambda *_: [sys.executable, "-c", sys.argv[1]]
started, _ = heads.start()
print(started.folder, flush=True)
time.sleep(600)
"""


def test_a_head_is_gone_after_its_block(world, stand_in, processes_of, all_processes):
    with heads.head(Progress()) as head:
        assert head.url.startswith("http://127.0.0.1:")
        assert folders.is_locked(head.folder)
        assert len(processes_of(head.folder)) == all_processes
        assert not head.gone()
    assert not head.folder.exists()
    assert processes_of(head.folder) == []
    assert head.gone()


def test_only_the_owner_sees_what_a_head_writes(world, stand_in):
    with heads.head(Progress()) as head:
        assert head.folder.parent == world
        assert head.folder.stat().st_mode & 0o777 == 0o700
        assert (head.folder / "ray").is_dir()


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another user")
def test_another_user_reads_and_writes_nothing_of_a_head(world, stand_in):
    """Ray makes its own folder 0777; a package that lies there open would run as our code."""
    world.chmod(0o1777)
    code = """
import os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for attempt in (
    lambda: os.listdir(sys.argv[1]),
    lambda: os.listdir(sys.argv[1] + "/ray"),
    lambda: open(sys.argv[1] + "/ray-start.log"),
    lambda: open(sys.argv[1] + "/ray/planted.py", "w"),
    lambda: os.rename(sys.argv[1], sys.argv[1] + "-mine"),
):
    try:
        attempt()
        print("allowed")
    except PermissionError:
        print("refused")
"""
    with heads.head(Progress()) as head:
        (head.folder / "ray").chmod(0o777)
        words = [sys.executable, "-c", code, str(head.folder)]
        done = subprocess.run(words, capture_output=True, text=True, cwd="/")
    assert (done.stdout.split(), done.stderr) == (["refused"] * 5, "")


def test_no_argument_list_holds_the_token(world, stand_in, processes_of, all_processes):
    with heads.head(Progress()) as head:
        lists = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in processes_of(head.folder)]
    assert len(lists) == all_processes
    assert not any(head.token.encode() in words for words in lists)


def test_a_thief_on_the_dashboards_port_never_gets_the_token(world, stand_in):
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as thief:
        thief.settimeout(0.2)
        port = thief.getsockname()[1]

        def listen():
            try:
                connection, _ = thief.accept()
                heard.append(connection.recv(1000))
            except TimeoutError:
                pass

        listener = threading.Thread(target=listen)
        stand_in(port)
        with pytest.raises(MissingError, match="did not start") as refused:
            heads.start()
        listener.start()
        listener.join()
    assert refused.value.evidence == (f"port {port} belongs to a process that is not Ray's",)
    assert heard == []


def test_a_head_that_does_not_start_leaves_its_last_words_and_no_folder(world, stand_in):
    stand_in(code="import sys; print('No space left on device'); sys.exit(1)")
    with pytest.raises(MissingError, match="the local Ray head did not start") as refused:
        heads.start()
    assert refused.value.evidence == ("No space left on device",)
    assert not list(world.glob("rkh-*"))


def test_a_head_that_stays_silent_is_given_up(world, stand_in, monkeypatch):
    monkeypatch.setattr(heads, "START_TIMEOUT_SECONDS", 0.5)
    stand_in(code="import time; time.sleep(600)")
    with pytest.raises(MissingError, match=r"did not start within 0\.5 s"):
        heads.start()
    assert not list(world.glob("rkh-*"))


def test_what_broke_the_supervisor_itself_is_said(world, stand_in, monkeypatch):
    monkeypatch.setattr(heads.ray_start, "head_words", lambda *_: ["/no/such/program"])
    with pytest.raises(MissingError) as refused:
        heads.start()
    assert "No such file or directory: '/no/such/program'" in refused.value.evidence[-1]


@pytest.mark.parametrize("name", ["json", "ctypes", "token", "psutil", "signal"])
def test_modules_in_the_callers_folder_stay_out_of_a_head(
    world, stand_in, monkeypatch, tmp_path, name
):
    (tmp_path / f"{name}.py").write_text("raise SystemExit('planted')\n")
    monkeypatch.chdir(tmp_path)
    with heads.head(Progress()) as head:
        assert head.url


def test_what_a_head_leaves_in_its_temporary_folder_goes_with_it(world, stand_in, stand_in_code):
    left = "import os, tempfile; print(tempfile.mkdtemp(), flush=True)"
    stand_in(code=f"{left}\n{stand_in_code}")
    with heads.head(Progress()) as head:
        (made,) = (head.folder / "tmp").iterdir()
    assert not made.exists()


def test_warnings_that_are_errors_stay_out_of_a_head(world, stand_in, monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    code = "import warnings; warnings.warn('old'); print('This command will now block')"
    stand_in(code=code)
    with pytest.raises(MissingError) as refused:
        heads.start()
    assert "UserWarning: old" in " ".join(refused.value.evidence)
    assert "Traceback" not in " ".join(refused.value.evidence)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_a_cli_that_is_killed_leaves_no_head(
    world, stand_in_code, processes_of, heads_left, eventually, number
):
    words = [sys.executable, "-c", FORK, stand_in_code]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        try:
            folder = child.stdout.readline().strip()
            child.send_signal(number)
            assert child.wait(240) == -number
        finally:
            child.kill()
    assert folder, "the head did not start"  # an empty word would name every process
    eventually(lambda: not processes_of(folder) and not heads_left())


def test_an_interrupt_after_the_state_is_written_ends_the_head_as_well(
    world, stand_in, processes_of
):
    state = world / "mine.json"
    started, supervisor = heads.start(state=heads.State(state, "mine", "2.60.0"))
    assert state.exists()
    heads._release(supervisor, started.folder)
    assert supervisor.returncode in (0, 1)
    assert not state.exists()
    assert not started.folder.exists()


def test_a_supervisor_that_hangs_does_not_keep_its_cli(world, stand_in, monkeypatch, processes_of):
    monkeypatch.setattr(heads, "END_TIMEOUT_SECONDS", 0.3)
    started, supervisor = heads.start()
    supervisor.send_signal(signal.SIGSTOP)
    heads._release(supervisor, started.folder)
    assert supervisor.returncode == -signal.SIGKILL
    assert not started.folder.exists()
