"""A lock is held by one process at a time, and a dead one holds nothing."""

import os
import signal
import subprocess
import sys

import pytest

from raykit import locks
from raykit.errors import ConflictError

HOLD = """
import sys, time
from raykit import locks
with locks.held("it", "holding"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path, monkeypatch):
    """Another process that holds the lock `it`."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    child = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "held\n"
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_a_second_holder_is_refused_with_the_pid_of_the_first(holder):
    taken = pytest.raises(ConflictError, match="another raykit is at work: two")
    with taken as refused, locks.held("it", "two"):
        pass
    assert refused.value.evidence == (f"it is process {holder.pid}",)


def test_another_name_is_another_lock(holder):
    with locks.held("other/../name", "two"):
        assert len(list(locks.folder().iterdir())) == 2


def test_a_killed_holder_holds_nothing(holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with locks.held("it", "two"):
        assert (locks.folder() / "it.lock").read_text() == f"{os.getpid()}\n"


def test_a_lock_ends_with_its_block_though_a_new_process_still_has_its_file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with locks.held("it", "one"):
        child = os.fork()
        if not child:
            signal.pause()
    try:
        with locks.held("it", "two"):
            assert (locks.folder() / "it.lock").read_text() == f"{os.getpid()}\n"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_waiting_one_gets_it_when_the_holder_ends(holder):
    holder.terminate()
    with locks.held("it", "two", wait=240):
        assert (locks.folder() / "it.lock").read_text() == f"{os.getpid()}\n"
