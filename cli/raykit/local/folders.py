"""The folder of a local head: its place, its mode, and the lock that shows that the head runs.

Ray makes its temporary folder writable for everybody (mode 0777) and unpacks the code of jobs
there. raykit therefore puts it inside a folder of mode 0700. The supervisor holds a lock on that
folder while it runs. The kernel frees the lock even after SIGKILL, so the head of an unlocked
folder is dead. The lock also keeps systemd-tmpfiles from cleaning the folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from raykit.errors import MissingError

PREFIX = "rkh-"
RAY_FOLDER, TEMPORARY_FOLDER = "ray", "tmp"
LOG_NAME, SUPERVISOR_LOG_NAME = "ray-start.log", "supervisor.log"
# A socket's path has at most 107 bytes. Ray's longest takes 85 below this folder:
# /rkh-XXXXXXXX/ray/session_2026-11-26_07-25-47_540797_1234567/sockets/dash_MetricsHead
ROOT_LIMIT = 22
REMOVE_SECONDS = 5.0
STDERR = 2


@contextlib.contextmanager
def created() -> Iterator[tuple[Path, int]]:
    """A new folder of mode 0700, and the descriptor that holds its lock.

    The lock lasts until this block and every process that inherits the descriptor have ended.

    Errors: MissingError (4) if no folder can be made.
    """
    folder, descriptor = _create()
    try:
        yield folder, descriptor
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """Whether the head of this folder runs."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def remove(folder: Path) -> None:
    """Remove a folder. Retries for 5 s: processes that are ending may still write into it."""
    deadline = time.monotonic() + REMOVE_SECONDS
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
        if time.monotonic() > deadline:
            return
        time.sleep(0.02)


def sweep() -> None:
    """Remove the folders of this user's dead heads, such as after `kill -9` of everything."""
    for folder in root().glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), _locked(folder):
            if folder.lstat().st_uid == os.getuid():
                remove(folder)


def root() -> Path:
    """The folder for the folders of heads: TMPDIR if its path is short enough, else /tmp.

    Errors: MissingError (4) if neither can be used.
    """
    wished = Path(tempfile.gettempdir())
    for folder in (wished, Path("/tmp")):
        if len(os.fsencode(folder)) <= ROOT_LIMIT and _is_private_enough(folder):
            return folder
    raise MissingError(
        "there is no folder for Ray's temporary files",
        evidence=[f"{wished} cannot be used: it is too long, not writable, or open to others"],
        next=f'export TMPDIR="$(mktemp -d /tmp/XXXXXX)"   (at most {ROOT_LIMIT} characters)',
    )


def _create() -> tuple[Path, int]:
    while True:
        try:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root()))
        except OSError as error:
            raise MissingError(
                "the folder of a local head cannot be made",
                evidence=[str(error)],
                next="set TMPDIR to a folder of your own with space left",
            ) from error
        descriptor = _above_streams(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Before we had the lock, `sweep` of another process may have removed it as a dead head's.
        if folder.exists():
            return folder, descriptor
        os.close(descriptor)


def _above_streams(descriptor: int) -> int:
    """The descriptor, moved above the numbers 0 to 2 of the standard streams.

    If the caller has closed a standard stream (`<&-`), the next opened file gets its number.
    """
    if descriptor > STDERR:
        return descriptor
    higher = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, STDERR + 1)
    os.close(descriptor)
    return higher


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder. Errors: BlockingIOError if its head runs."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _is_private_enough(folder: Path) -> bool:
    """Whether we may write there, and no other user may rename our files."""
    try:
        status = folder.stat()
    except OSError:
        return False
    shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    protected = not shared or bool(status.st_mode & stat.S_ISVTX)
    return protected and status.st_uid in (0, os.getuid()) and os.access(folder, os.W_OK | os.X_OK)
