"""Holds a local Ray head, and takes it down with everything it started.

Runs as `python -m raykit.local.supervisor`. Its first line of standard input is a JSON object:

    argvs   list of commands, each a list of words: `ray start --block …`, the head first
    env     the environment of these commands
    folder  the temporary folder, removed at the end
    head    host and port of the head's GCS, which the commands after the first wait for
    tether  true: standard input is a pipe held by the CLI, and its end, also by `kill -9` of the
            CLI, ends the head; false: the head stays until SIGTERM
    state   a file that names this head to others, removed at the end, or null

Standard input carries the configuration so that no token ever stands in an argument list. `ray
stop` is never used: it kills the heads of other people too.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from raykit import processes

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
PATIENCE_SECONDS = 10.0
POLL_SECONDS = 0.2
LOG_NAME = "ray-start.log"


class _Ended(Exception):
    """SIGTERM reached the supervisor."""


def main() -> int:
    """Start the head, wait for a reason to end, take everything down; 1 if the head died."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _adopt_orphans()
    config = json.loads(_first_line())
    died = False
    try:
        died = _hold(config)
    except _Ended:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        kill_descendants()
        # A head that died leaves its log to whoever waits for it, who removes the folder then.
        if not (died and config["tether"]):
            shutil.rmtree(config["folder"], ignore_errors=True)
        if config["state"]:
            Path(config["state"]).unlink(missing_ok=True)
    return int(died)


def kill_descendants() -> None:
    """SIGKILL every process below this one until none is left."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    me = psutil.Process()
    while time.monotonic() < deadline:
        alive = [child for child in me.children(recursive=True) if _running(child)]
        if not alive:
            return
        for child in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(alive, timeout=0.2)
        _reap()


def _hold(config: dict[str, Any]) -> bool:
    """Start the commands and stay until the tether is cut (False) or the head dies (True)."""
    folder = Path(config["folder"])
    nodes = []
    with (folder / LOG_NAME).open("ab") as log:
        for index, argv in enumerate(config["argvs"]):
            if index == 1:
                _wait_for(config["head"])
            node = processes.spawn(
                argv,
                env=config["env"],
                cwd=folder,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,
            )
            nodes.append(node)
    # Another node may be lost: the head goes on without it, as a cluster does.
    while nodes[0].poll() is None:
        _reap()
        if not config["tether"]:
            time.sleep(POLL_SECONDS)
        elif _tether_cut(POLL_SECONDS):
            return False
    return True


def _wait_for(address: Sequence[Any]) -> None:
    """Until the head answers, or patience ends: the nodes' own error then says it better."""
    deadline = time.monotonic() + 3 * PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((address[0], address[1]), 0.5):
            return
        time.sleep(POLL_SECONDS)


def _first_line() -> bytes:
    """The first line of standard input, byte by byte: nothing after it may be buffered."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            break
        line += byte
    return line


def _tether_cut(seconds: float) -> bool:
    """Whether the other end of standard input was closed within some seconds."""
    readable, _, _ = select.select([0], [], [], seconds)
    return bool(readable) and os.read(0, 1) == b""


def _adopt_orphans() -> None:
    """On Linux, become the parent of every orphan below, so that none is lost from sight."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_with_parent() -> None:
    """On Linux, have this process killed when its parent dies, also by `kill -9`.

    `ray start --block` asks the same for every process that it starts.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _running(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _reap() -> None:
    """Take leave of adopted orphans that have ended; each job leaves some."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _end(_signum: int, _frame: FrameType | None) -> None:
    raise _Ended


if __name__ == "__main__":
    sys.exit(main())
