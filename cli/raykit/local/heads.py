"""Start and end Ray heads on this machine: with a token, and with all processes they started."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from raykit import processes
from raykit.endpoint import Ended, Endpoint
from raykit.errors import MissingError
from raykit.local import folders, ray_start

if TYPE_CHECKING:
    from raykit.progress import Progress

START_TIMEOUT_SECONDS = 180.0
END_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class LocalHead:
    """A running head.

    url: address of its dashboard. nodes: number of Ray nodes. name: None for a head that ends with
    its submission. gone: whether it has ended; None: unknown.
    """

    url: str
    token: str
    folder: Path
    nodes: int = 1
    name: str | None = None
    gone: Callable[[], bool] | None = None

    def endpoint(self) -> Endpoint:
        # Other terminals see by its folder whether it still runs.
        target = {"kind": "local", "url": self.url, "folder": str(self.folder)}
        target |= {"cluster": self.name} if self.name else {}
        return Endpoint(
            url=self.url,
            headers={"Authorization": f"Bearer {self.token}"},
            secrets=(self.token,),
            target=target,
            ended=self.ended,
        )

    def ended(self) -> Ended | None:
        """Why this head will not answer again; None while it runs, or where that is unknown."""
        if self.gone is None or not self.gone():
            return None
        return Ended(
            "its Ray processes on this machine have ended",
            next="run it again; a head killed for memory needs a smaller job",
        )


@dataclass(frozen=True)
class State:
    """A state file to write: its path, and the name and Ray version to store in it.

    Other commands find a warm head by this file.
    """

    path: Path
    name: str
    ray: str


@contextlib.contextmanager
def head(progress: Progress) -> Iterator[LocalHead]:
    """A head that runs while the block runs. It also ends if this process is killed.

    Errors: MissingError (4) if Ray is not installed or does not start.
    """
    ray_start.installed_ray()
    with progress.step("ray-start", "Ray head on this machine"):
        started, supervisor = start()
    try:
        yield started
    finally:
        _release(supervisor, started.folder)


def keep(nodes: int, state: State) -> None:
    """Start a head that keeps running after this process, once its state file is written.

    nodes: number of Ray nodes. The supervisor removes the file when the head ends.

    Errors: MissingError (4) with the last lines of Ray's output.
    """
    _, supervisor = start(nodes=nodes, state=state)
    _close(supervisor)
    # Popen would warn that the supervisor still runs; here it is supposed to.
    supervisor.returncode = 0


def start(
    *, nodes: int = 1, state: State | None = None
) -> tuple[LocalHead, subprocess.Popen[bytes]]:
    """Start a head and wait until it takes jobs; return it with its supervisor.

    nodes: number of Ray nodes. state: the state file; None: the head ends with this process.

    Errors: MissingError (4) with the last lines of Ray's output.
    """
    ray_start.check_limits()
    folders.sweep()
    token = os.urandom(32).hex()
    with folders.created() as (folder, lock):
        supervisor = _spawn(folder, lock)
    try:
        _configure(supervisor, _config(folder, token, nodes, state))
        url = _announced(supervisor, folder)
    except BaseException:
        _release(supervisor, folder)
        raise
    name = state.name if state else None
    started = LocalHead(url, token, folder, nodes, name, lambda: supervisor.poll() is not None)
    return started, supervisor


def _spawn(folder: Path, lock: int) -> subprocess.Popen[bytes]:
    """Start the supervisor, which inherits the folder's lock.

    `-P` keeps modules of the caller's folder off its import path.
    """
    (folder / folders.TEMPORARY_FOLDER).mkdir()
    with (folder / folders.SUPERVISOR_LOG_NAME).open("wb") as log:
        return processes.spawn(
            [sys.executable, "-P", "-m", "raykit.local.supervisor", str(folder)],
            env=ray_start.plain_python(os.environ),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            new_session=True,
            pass_fds=[lock],
        )


def _config(folder: Path, token: str, nodes: int, state: State | None) -> dict[str, object]:
    alone = nodes == 1
    host = ray_start.LOOPBACK if alone else ray_start.own_address()
    cpus = None if alone else max((os.cpu_count() or 1) // nodes, 1)
    env = ray_start.environment(os.environ, token, loopback=alone)
    # Temporary files of killed processes are then removed together with the head.
    env["TMPDIR"] = str(folder / folders.TEMPORARY_FOLDER)
    return {
        "head": ray_start.head_words(host, folder / folders.RAY_FOLDER, cpus),
        "nodes": [ray_start.node_words(host, cpus) for _ in range(nodes - 1)],
        "env": env,
        "host": host,
        "state": state
        and {
            "path": str(state.path),
            "fields": {
                "name": state.name,
                "token": token,
                "folder": str(folder),
                "nodes": nodes,
                "ray": state.ray,
            },
        },
    }


def _configure(supervisor: subprocess.Popen[bytes], config: Mapping[str, object]) -> None:
    assert supervisor.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # the supervisor has ended; its log says why
        supervisor.stdin.write(json.dumps(config).encode() + b"\n")
        supervisor.stdin.flush()


def _announced(supervisor: subprocess.Popen[bytes], folder: Path) -> str:
    """Wait until the supervisor reports that the head takes jobs; return the head's address."""
    assert supervisor.stdout is not None
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    ready, _, _ = select.select([supervisor.stdout], [], [], START_TIMEOUT_SECONDS)
    line = supervisor.stdout.readline() if ready else b""
    if line:
        return str(json.loads(line)["url"])
    late = time.monotonic() >= deadline
    raise MissingError(
        f"the local Ray head did not start within {START_TIMEOUT_SECONDS:g} s"
        if late
        else "the local Ray head did not start",
        evidence=last_lines(folder),
        next="raykit submit fib --on URL runs on a cluster instead",
    )


def last_lines(folder: Path) -> list[str]:
    """The last lines of Ray's and the supervisor's output. folder: the head's."""
    lines: list[str] = []
    for name, count in ((folders.LOG_NAME, 10), (folders.SUPERVISOR_LOG_NAME, 3)):
        with contextlib.suppress(OSError):
            text = (folder / name).read_text("utf-8", "replace")
            lines += [line for line in text.splitlines() if line.strip()][-count:]
    return lines


def _release(supervisor: subprocess.Popen[bytes], folder: Path) -> None:
    """Let the supervisor end all processes, wait for it, and remove the folder.

    Closing its standard input is not enough once its state file is written: the signal ends it.
    """
    _close(supervisor)
    supervisor.terminate()
    try:
        supervisor.wait(END_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        supervisor.wait()
    folders.remove(folder)


def _close(supervisor: subprocess.Popen[bytes]) -> None:
    for pipe in (supervisor.stdin, supervisor.stdout):
        with contextlib.suppress(OSError):
            if pipe:
                pipe.close()
