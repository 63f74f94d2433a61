"""The one place from which raykit starts other programs."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from raykit.errors import KubernetesError, MissingError, RaykitError

LINES_OF_OUTPUT = 20


@dataclass(frozen=True)
class Completed:
    """A program that has ended: its words, its exit status and what it printed."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    def evidence(self) -> list[str]:
        """The command as one could paste it, and the last lines of what it said."""
        said = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return [f"$ {shlex.join(self.argv)}", *said[-LINES_OF_OUTPUT:]]


def find(tool: str, *, install_hint: str) -> str:
    """The path of a program on PATH.

    Errors: MissingError (4) with `install_hint`, a command or a page.
    """
    path = shutil.which(tool)
    if path is None:
        raise MissingError(f"{tool} is not on PATH", next=install_hint)
    return path


def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
    check: bool = True,
    error: type[RaykitError] = KubernetesError,
    next: str = "",
) -> Completed:
    """Run a program to its end and return what it printed.

    Errors: `error` where it fails or exceeds `timeout` seconds (a status is only checked with
    `check`), MissingError (4) where it does not exist.
    """
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            env=None if env is None else dict(env),
            cwd=cwd,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as missing:
        raise MissingError(f"{argv[0]} is not on PATH", next=next) from missing
    except subprocess.TimeoutExpired as late:
        raise error(
            f"{Path(argv[0]).name} did not end within {timeout:g} s",
            evidence=[f"$ {shlex.join(argv)}"],
            next=next,
        ) from late
    completed = Completed(tuple(argv), done.returncode, done.stdout, done.stderr)
    if check and done.returncode != 0:
        raise error(
            f"{Path(argv[0]).name} failed with exit status {done.returncode}",
            evidence=completed.evidence(),
            next=next,
        )
    return completed


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    new_session: bool = False,
    pass_fds: Sequence[int] = (),
    preexec_fn: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program and leave it running; its end is the caller's business.

    pass_fds: descriptors that the program inherits besides its three streams.
    preexec_fn: called in the new process before the program; the caller must have one thread.
    """
    return subprocess.Popen(
        list(argv),
        env=dict(os.environ if env is None else env),
        cwd=cwd,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=new_session,
        pass_fds=pass_fds,
        preexec_fn=preexec_fn,  # noqa: PLW1509
    )
