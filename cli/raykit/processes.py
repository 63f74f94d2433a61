"""Run other programs. raykit starts every program here."""

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
    """A program that has ended: its arguments, exit status and output."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    def evidence(self) -> list[str]:
        """The command, ready to paste, and the last 20 lines of stderr, or of stdout if empty."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return [f"$ {shlex.join(self.argv)}", *lines[-LINES_OF_OUTPUT:]]


def find(tool: str, *, install_hint: str) -> str:
    """The path of a program on PATH.

    install_hint: the command or page that installs it.
    Errors: MissingError (4) with that hint.
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
    """Run a program to its end and return its output.

    stdin: text for its standard input. env: its whole environment; None: ours. timeout: seconds.
    check: whether an exit status other than 0 is an error. next: the hint of the error.
    Errors: `error` if it cannot be started, fails or exceeds the timeout; MissingError (4) if it
    does not exist.
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
    except OSError as refused:  # no program of this machine, or one that is being replaced
        raise error(
            f"{Path(argv[0]).name} could not be started",
            evidence=[f"$ {shlex.join(argv)}", refused.strerror or str(refused)],
            next=next,
        ) from refused
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
    """Start a program and leave it running; the caller must end it and wait for it.

    pass_fds: descriptors that the program inherits besides its three streams.
    preexec_fn: runs in the new process before the program. With it the caller must have only one
    thread, or the new process may deadlock.
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
