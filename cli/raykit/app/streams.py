"""The standard streams, made such that no write fails and no reader holds a command for ever.

A stream that the caller closed (`>&-`) leads to nowhere from the start. One whose reader has gone,
whose terminal was closed or whose disk is full leads to nowhere after its first error. A reader
that is only slow, such as a pager, is waited for; once the command is being ended (`hurry`)
or when its time is over (`deadline`), for some seconds only.
"""

from __future__ import annotations

import errno
import io
import math
import os
import select
import stat
import sys
import time
from typing import Any, TextIO

PATIENCE_SECONDS = 3.0
"""How long readers are waited for in all once the command is being ended."""

LOOK_SECONDS = 0.2
"""How often a blocked write looks whether the command is being ended."""

_ending = _deadline = math.inf
_waited = 0.0
"""Seconds that readers were waited for since the command is being ended, or since the deadline."""


def hurry() -> None:
    """From now on, wait for no reader longer than 3 s: the command is being ended."""
    global _ending
    _ending = min(_ending, time.monotonic())


def deadline(moment: float | None) -> None:
    """Wait for no reader longer than 3 s after this moment (monotonic seconds). None: wait."""
    global _deadline, _waited
    _deadline = math.inf if moment is None else moment
    _waited = 0.0


def _count(began: float) -> None:
    """Add a wait that began then and ends now, as far as readers may not be waited for ever."""
    global _waited
    _waited += max(0.0, time.monotonic() - max(began, min(_ending, _deadline)))


def secure() -> None:
    """Replace the standard streams.

    A closed one is opened to nowhere: otherwise the next file or connection would get its number,
    and output would go into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.set_blocking(number, True)
        except OSError:
            _to_nowhere(number)
        present = getattr(sys, name)
        if number == 0:
            sys.stdin = present or open(number, closefd=False)  # noqa: SIM115
        elif present is None or present is getattr(sys, f"__{name}__"):
            setattr(sys, name, _stream(number, present))


def failure(stream: TextIO) -> OSError | None:
    """Why a stream takes no more; None if it does, or if `secure` did not make it."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.failure if isinstance(raw, _Lasting) else None


def _stream(number: int, present: TextIO | None) -> TextIO:
    # Where a terminal cannot show a character, a question mark is better than a traceback.
    encoding = present.encoding if present else "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(_Lasting(_own_way(number))), encoding, "replace", line_buffering=True
    )


class _Lasting(io.FileIO):
    """A file that takes everything: after its first error, which is kept, it leads to nowhere."""

    failure: OSError | None = None

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self.has_reader = not stat.S_ISREG(os.fstat(number).st_mode)

    def write(self, data: Any, /) -> int:
        content = memoryview(data).cast("B")
        try:
            return self._write_piece(content) if self.has_reader else super().write(content) or 0
        except OSError as failure:
            self.failure = failure
            _to_nowhere(self.fileno())
            return len(content)

    def _write_piece(self, content: memoryview) -> int:
        """Write as much as a pipe takes without blocking once it is writable; how much that was.

        Errors: TimeoutError after `PATIENCE_SECONDS` of waiting in all, once in a hurry: a reader
        that takes little at a time holds no command for ever either.
        """
        poll = select.poll()
        poll.register(self.fileno(), select.POLLOUT)
        while True:
            began, written = time.monotonic(), None
            if poll.poll(LOOK_SECONDS * 1000):
                written = super().write(content[: select.PIPE_BUF])
                if written is None:
                    time.sleep(LOOK_SECONDS)  # a terminal with room for less than a line end
            _count(began)
            if written is not None:
                return written
            if _waited > PATIENCE_SECONDS:
                raise TimeoutError(errno.ETIMEDOUT, "its reader takes nothing")


def _own_way(number: int) -> int:
    """A stream's file descriptor; for a terminal another one, whose writes do not block.

    A terminal that is writable may still block a write in its middle, and not blocking is a
    property that a descriptor shares with every program that inherits it.
    """
    try:
        if os.isatty(number):
            return os.open(os.ttyname(number), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:  # no such device here, or not ours: as in a container, or after su
        pass
    return number


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
