"""Processes below this one: none of them outlives it, not even after `kill -9`.

On Linux an orphan's parent becomes the nearest ancestor that adopts orphans, so a process that
adopts finds all that it started, daemons too. Elsewhere only children with a parent are found.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from types import FrameType

import psutil

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LINUX = sys.platform == "linux"
KILL_SECONDS = 10.0
END_SECONDS = 17
"""For the guarded process to end after a signal. The CLI kills both 20 s after it."""


def split() -> int | None:
    """Go on in a guarded child; return None there, and its exit code in the guard once it ended.

    If the child is killed, the guard kills what it left: the agents of a Ray node that is just
    starting wait a minute for it otherwise. If the guard is killed, the child gets SIGTERM. The
    guard passes SIGTERM and SIGHUP on, and kills the child if it has not ended after 17 s.

    Returns None on other systems too, where nobody adopts orphans: there is no guard.
    """
    if not LINUX:
        return None
    adopt_orphans()
    guard = os.getpid()
    child = os.fork()
    if child:
        return _guard(child)
    adopt_orphans()
    end_with_parent(signal.SIGTERM)
    if os.getppid() != guard:  # it was killed before the kernel knew our wish
        os.kill(os.getpid(), signal.SIGTERM)
    return None


def kill() -> None:
    """SIGKILL every process below this one until none is left, for 10 s at most."""
    deadline = time.monotonic() + KILL_SECONDS
    me = psutil.Process()
    while time.monotonic() < deadline:
        alive = [child for child in me.children(recursive=True) if _running(child)]
        if not alive:
            return
        for child in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(alive, timeout=0.2)
        reap()


def reap() -> None:
    """Collect adopted orphans that have ended; each job leaves some."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def adopt_orphans() -> None:
    """On Linux, become the parent of orphaned descendants."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(number: int = signal.SIGKILL) -> None:
    """On Linux, let the kernel send this process a signal when its parent ends, however it ends.

    `ray start --block` does the same for every process that it starts.
    """
    _prctl(PR_SET_PDEATHSIG, number)


def _guard(child: int) -> int:
    """Wait for the child; if a signal killed it, kill what it left, and return 1."""

    def forward(number: int, _frame: FrameType | None) -> None:
        os.kill(child, number)
        signal.alarm(END_SECONDS)

    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    _let_go_of_streams()
    # Until it is collected, no other process gets its id, which a signal might be passed on to.
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code >= 0:
        return code
    kill()
    return 1


def _let_go_of_streams() -> None:
    """The pipes to the CLI are the child's alone: each end sees when the other one is gone."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nothing, stream)
    os.close(nothing)


def _prctl(option: int, value: int) -> None:
    if LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _running(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
