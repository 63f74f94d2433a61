"""Files that are replaced as a whole or stay as they were, and files that users name."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

LONGEST = 1 << 20


def read_small(path: Path, longest: int = LONGEST) -> bytes:
    """The bytes of a file that a user names, which may be a device without end.

    Errors: OSError; ValueError if it is longer than `longest`.
    """
    with path.open("rb") as stream:
        data = stream.read(longest + 1)
    if len(data) > longest:
        raise ValueError(f"it is longer than {longest // 1024} KiB")
    return data


def read_own(path: Path, longest: int) -> bytes:
    """The bytes of a file that raykit wrote, in whose place anything may lie by now.

    Errors: OSError; ValueError if it is no file, or longer than `longest`.
    """
    # Without O_NONBLOCK, opening a pipe waits for somebody who writes into it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no file")
        if status.st_size > longest:
            raise ValueError(f"it is longer than {longest >> 20} MiB")
        with open(descriptor, "rb", buffering=0, closefd=False) as stream:
            return stream.read()
    finally:
        os.close(descriptor)


def resolved(path: Path) -> Path:
    """The path without links. `Path.resolve` raises for links that lead to each other; here such a
    path stays, and opening it says why it cannot be used."""
    return Path(os.path.realpath(path))


@contextlib.contextmanager
def replacing(path: Path, temporary: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when it is whole; until then it is `temporary`.

    Errors: OSError; nothing is left of it then.
    """
    try:
        # What an earlier process left under this name may also be a link of somebody else's.
        temporary.unlink(missing_ok=True)
        with _beside(path, temporary) as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _beside(path: Path, temporary: Path) -> BinaryIO:
    """A new file that will replace `path`, with the permissions of the file that is there, if any.

    Errors: OSError, also if `temporary` exists.
    """
    try:
        old = path.stat()
    except OSError:
        return temporary.open("xb")
    mode = stat.S_IMODE(old.st_mode) & 0o777
    # It may get another group, whose members had the rights of others.
    at_most = mode & (0o707 | (mode & 0o007) << 3)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, at_most)
    new = os.fstat(descriptor)
    if not path.is_symlink() and (new.st_uid, new.st_gid) == (old.st_uid, old.st_gid):
        # Some file systems have no permissions to change; the file then stays narrower.
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, mode)
    return os.fdopen(descriptor, "wb")
