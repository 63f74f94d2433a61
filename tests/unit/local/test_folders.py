"""The folder of a head: private, locked while its head lives, removed afterwards."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from raykit.errors import MissingError
from raykit.local import folders

HOLD = """
import sys
from raykit.local import folders
with folders.created() as (folder, lock):
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(world):
    """Another process that has made a folder and lives."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    child.folder = Path(child.stdout.readline().strip())
    yield child
    child.kill()
    child.communicate()
    folders.sweep()


def test_a_head_lives_as_long_as_a_process_holds_its_lock(holder):
    assert folders.is_locked(holder.folder)
    holder.kill()
    holder.wait()
    assert not folders.is_locked(holder.folder)


def test_a_caller_with_closed_streams_holds_the_lock_above_them(world):
    code = """
import os, sys
from raykit.local import folders
with folders.created() as (folder, lock):
    ok = lock > 2 and folders.is_locked(folder)
folders.remove(folder)
os._exit(0 if ok else 1)
"""
    words = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code]
    assert subprocess.run(words).returncode == 0


def test_looking_leaves_everything_as_it_is(holder):
    for _ in range(3):
        assert folders.is_locked(holder.folder)
    assert holder.folder.exists()


def test_the_folders_of_dead_heads_are_swept_and_no_others(holder, world):
    dead, foreign = world / "rkh-dead", world / "elsewhere"
    (dead / "ray").mkdir(parents=True)
    foreign.mkdir()
    link = world / "rkh-link"
    link.symlink_to(foreign)
    folders.sweep()
    assert not dead.exists()
    assert foreign.exists()
    assert holder.folder.exists()
    link.unlink()


def test_only_its_owner_may_enter_a_folder(world):
    previous = os.umask(0)
    try:
        with folders.created() as (folder, _):
            assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(previous)
        folders.sweep()


def test_a_long_tmpdir_gives_way_to_tmp(monkeypatch, tmp_path):
    long = tmp_path / ("x" * 60)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert folders.root() == Path("/tmp")


def test_a_tmpdir_where_others_could_rename_the_folder_gives_way_to_tmp(monkeypatch, world):
    world.chmod(0o777)
    assert folders.root() == Path("/tmp")
    world.chmod(0o1777)
    assert folders.root() == world


def test_no_folder_at_all_is_said_with_a_way_out(monkeypatch):
    monkeypatch.setattr(folders, "_is_private_enough", lambda folder: False)
    with pytest.raises(MissingError, match="no folder for Ray's temporary files") as caught:
        folders.root()
    assert caught.value.next.startswith("export TMPDIR=")


def test_the_longest_socket_below_the_longest_root_fits_into_a_socket_address():
    session = "session_2026-11-26_07-25-47_540797_4194304/sockets/dash_MetricsHead"
    root = "/" + "x" * (folders.ROOT_LIMIT - 1)
    path = f"{root}/{folders.PREFIX}abcdefgh/{folders.RAY_FOLDER}/{session}"
    assert len(path) == 107
