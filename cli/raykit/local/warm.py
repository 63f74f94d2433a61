"""Warm local heads: they keep running between submissions and have a name.

Each has one state file of mode 0600 in a folder of mode 0700, with its address and token; a token
is written nowhere else. The supervisor writes the file when the head is ready and removes it when
the head ends. Only the lock on the head's folder shows whether it runs (see folders.py). Readers
never delete a state file.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from raykit.errors import ConflictError, MissingError, UsageError
from raykit.local import folders, heads
from raykit.local.heads import LocalHead
from raykit.local.ray_start import installed_ray

if TYPE_CHECKING:
    from raykit.progress import Progress

DEFAULT_NAME = "local"
NAME_PATTERN = re.compile(r"[a-z]([a-z0-9-]{0,51}[a-z0-9])?")
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class WarmHead:
    """A head as its state file describes it. started: Unix seconds. supervisor: a process id."""

    name: str
    url: str
    token: str
    folder: str
    supervisor: int
    nodes: int
    ray: str
    started: float

    def is_running(self) -> bool:
        return folders.is_locked(Path(self.folder))

    def head(self) -> LocalHead:
        return LocalHead(
            self.url,
            self.token,
            Path(self.folder),
            self.nodes,
            self.name,
            gone=lambda: not self.is_running(),
        )


def state_folder() -> Path:
    """The folder of state files: below XDG_RUNTIME_DIR, else in /tmp.

    XDG_RUNTIME_DIR does not count if it belongs to another user (as after `su` or `sudo`) or is
    read-only (as in containers).
    """
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or "-")
    if base.is_absolute() and _is_ours(base) and os.access(base, os.W_OK | os.X_OK):
        return base / "raykit"
    return Path(f"/tmp/raykit-{os.getuid()}")


def up(name: str, nodes: int, progress: Progress) -> tuple[WarmHead, bool]:
    """Start a warm head, or find the running one of this name; return whether this call started it.

    nodes: number of Ray nodes.
    Errors: UsageError (2) for a bad name, ConflictError (8) if it runs with another number of
    nodes or another process takes over 180 s to start it, MissingError (4) if Ray is not installed
    or does not start.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a local head",
            next="lower-case letters, digits and '-', beginning with a letter",
        )
    version = installed_ray()
    folder = _private_folder()
    head, is_new = find(name), False
    if head is None:
        with progress.step("ray-start", f"Ray head {name} on this machine"):
            head, is_new = _start(folder, name, nodes, version)
    if head.nodes != nodes:
        raise ConflictError(
            f"the local head {name} runs with {head.nodes} Ray nodes, not {nodes}",
            next=f"raykit down {name} --on local, then up again",
        )
    return head, is_new


def _start(folder: Path, name: str, nodes: int, version: str) -> tuple[WarmHead, bool]:
    """Start the head, or wait for another process that is starting it; whether this call did."""
    from raykit import locks

    doing = f"it starts the local head {name}"
    with locks.held(name, doing, within=folder, wait=heads.START_TIMEOUT_SECONDS):
        is_new = find(name) is None
        if is_new:
            heads.keep(nodes, heads.State(folder / f"{name}.json", name, version))
        head = find(name)
    if head is None:
        raise MissingError(
            f"the local head {name} ended as soon as it was up",
            next=f"raykit up --on local --name {name}",
        )
    return head, is_new


def find(name: str) -> WarmHead | None:
    """The running warm head of a name; None if there is none."""
    return next((head for head in running() if head.name == name), None)


def running() -> list[WarmHead]:
    """All running warm heads of this user."""
    folder = state_folder()
    if not _is_ours(folder):
        return []
    alive = []
    for path in sorted(folder.glob("*.json")):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            head = _read(path)
            if head.is_running():
                alive.append(head)
    return alive


def down(head: WarmHead) -> None:
    """End a warm head and all processes that it started: by SIGTERM, after 20 s by SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + heads.END_TIMEOUT_SECONDS
        # A running supervisor holds the lock, so this process id is not another program's.
        if head.is_running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(head.supervisor, number)
        while head.is_running() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    folders.sweep()


def _read(path: Path) -> WarmHead:
    fields = json.loads(path.read_text("utf-8"))
    return WarmHead(**{name: fields[name] for name in WarmHead.__dataclass_fields__})


def _private_folder() -> Path:
    """The folder of state files, made if it does not exist.

    Errors: MissingError (4) if it cannot be made or another user owns it.
    """
    folder = state_folder()
    advice = "export XDG_RUNTIME_DIR=FOLDER   (a folder of your own that you can write to)"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if _is_ours(folder):
            folder.chmod(0o700)
            return folder
    except OSError as error:
        raise MissingError(
            f"{folder}, which names local heads, cannot be used", evidence=[str(error)], next=advice
        ) from error
    raise MissingError(f"{folder} belongs to somebody else: no token is written there", next=advice)


def _is_ours(folder: Path) -> bool:
    """Whether this is a folder (no link to one) that belongs to this user."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
