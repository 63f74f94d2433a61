"""Locks between processes of one user. They name their holder and end with its process."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from raykit.errors import ConflictError

POLL_SECONDS = 0.2


def folder() -> Path:
    """The folder of the lock files."""
    return platformdirs.user_state_path("raykit") / "locks"


@contextmanager
def held(name: str, doing: str, *, wait: float = 0.0, within: Path | None = None) -> Iterator[None]:
    """Hold the lock `name` while the block runs.

    doing: what the holder does, for the error message. wait: seconds to wait for another holder.
    within: the folder of the lock file; None: the usual one.

    The kernel frees the lock when its holder ends, even by SIGKILL. The file keeps the process id
    of the last holder.
    Errors: ConflictError (8) with that process id, after `wait` seconds.
    """
    path = (within or folder()) / f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor, doing, time.monotonic() + wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        # A program that another thread is starting has the descriptor too, until its exec.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _take(descriptor: int, doing: str, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as taken:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
                raise ConflictError(
                    f"another raykit is at work: {doing}",
                    evidence=[f"it is process {holder or 'of unknown id'}"],
                    next="wait until it has ended, then run the same command again",
                ) from taken
            time.sleep(POLL_SECONDS)
