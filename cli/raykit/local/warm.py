"""Warm local heads: they stay between submissions, and are known by name.

Each is named by one file of mode 0600 in a folder of mode 0700. The file holds the head's address
and token, and is the only place where a token is written. The supervisor writes it when the head
is ready and removes it when the head ends. Whether a head lives is known by the lock on its folder
alone (see folders.py): readers delete nothing.
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

from raykit import locks
from raykit.errors import ConflictError, MissingError, UsageError
from raykit.local import folders, heads
from raykit.local.heads import LocalHead
from raykit.local.ray_start import installed_ray
from raykit.progress import Progress

DEFAULT_NAME = "local"
NAME_PATTERN = re.compile(r"[a-z]([a-z0-9-]{0,51}[a-z0-9])?")
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class WarmHead:
    """What the file holds. `started` is in Unix seconds, `supervisor` a process id."""

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
    """Where state files lie: below XDG_RUNTIME_DIR, else in /tmp.

    `su` and `sudo` often leave XDG_RUNTIME_DIR of another user, and containers one that is
    read-only: then it counts as unset.
    """
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or "-")
    if base.is_absolute() and _is_ours(base) and os.access(base, os.W_OK | os.X_OK):
        return base / "raykit"
    return Path(f"/tmp/raykit-{os.getuid()}")


def up(name: str, nodes: int, progress: Progress) -> WarmHead:
    """Start a warm head, or return the one of this name that runs.

    Errors: UsageError (2) for a bad name, ConflictError (8) where it runs with another number of
    nodes or another process starts it for too long, MissingError (4) where Ray is absent or does
    not start.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a local head",
            next="lower-case letters, digits and '-', beginning with a letter",
        )
    version = installed_ray()
    folder = _private_folder()
    head = find(name)
    if head is None:
        with progress.step("ray-start", f"Ray head {name} on this machine"):
            head = _start(folder, name, nodes, version)
    if head.nodes != nodes:
        raise ConflictError(
            f"the local head {name} runs with {head.nodes} Ray nodes, not {nodes}",
            next=f"raykit down {name} --on local, then up again",
        )
    return head


def _start(folder: Path, name: str, nodes: int, version: str) -> WarmHead:
    """Start the head of a name, or wait for another process that is just starting it."""
    doing = f"it starts the local head {name}"
    with locks.held(name, doing, within=folder, wait=heads.START_TIMEOUT_SECONDS):
        if find(name) is None:
            heads.keep(nodes, heads.State(folder / f"{name}.json", name, version))
        head = find(name)
    if head is None:
        raise MissingError(
            f"the local head {name} ended as soon as it was up",
            next=f"raykit up --on local --name {name}",
        )
    return head


def find(name: str) -> WarmHead | None:
    """The running warm head of a name."""
    return next((head for head in running() if head.name == name), None)


def running() -> list[WarmHead]:
    """All warm heads of this user that run."""
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
    """End a warm head and all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + heads.END_TIMEOUT_SECONDS
        # A supervisor that lives holds the lock, so the process id is still its own.
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
    """The folder of state files, made where it is absent.

    Errors: MissingError (4) where it cannot be made or somebody else owns it.
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
    """Whether this is a folder, not a link to one, and belongs to this user."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
