"""Warm local heads: they stay between submissions, found by name.

Each is named by one file of mode 0600 in the user's runtime folder, which holds its address and
token, and is the only place where a token is written. The supervisor removes it at the head's
end; one that a crash left behind is recognised and removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from raykit.errors import ConflictError, MissingError, UsageError
from raykit.local.heads import END_TIMEOUT_SECONDS, LocalHead, installed_ray, start
from raykit.progress import Progress

DEFAULT_NAME = "local"
NAME_PATTERN = re.compile(r"[a-z]([a-z0-9-]{0,51}[a-z0-9])?")


@dataclass(frozen=True)
class WarmHead:
    """What the file holds. `started` is in Unix seconds.

    `born`, when the supervisor process started, tells it from another that got its pid.
    """

    name: str
    url: str
    token: str
    folder: str
    supervisor: int
    nodes: int
    ray: str
    started: float
    born: float

    def head(self) -> LocalHead:
        return LocalHead(
            self.url,
            self.token,
            Path(self.folder),
            self.supervisor,
            self.nodes,
            self.name,
            gone=lambda: _born(self.supervisor) is None,
        )


def runtime_folder() -> Path:
    """The user's own folder for state files, mode 0700: below XDG_RUNTIME_DIR, else /tmp.

    Errors: MissingError (4) where somebody else owns it.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(base) / "raykit" if base else Path(f"/tmp/raykit-{os.getuid()}")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        raise MissingError(
            f"{folder} belongs to somebody else: no token is written there",
            next="set XDG_RUNTIME_DIR to a folder of your own",
        )
    folder.chmod(0o700)
    return folder


def up(name: str, nodes: int, progress: Progress) -> WarmHead:
    """Start a warm head, or return the one of this name that runs.

    Errors: UsageError (2) for a bad name, ConflictError (8) where it runs with another number of
    nodes, MissingError (4) where Ray is absent or does not start.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a local head",
            next="lower-case letters, digits and '-', beginning with a letter",
        )
    running = find(name)
    if running:
        if running.nodes != nodes:
            raise ConflictError(
                f"the local head {name} runs with {running.nodes} Ray nodes, not {nodes}",
                next=f"raykit down {name} --on local, then up again",
            )
        return running
    version = installed_ray()
    path = runtime_folder() / f"{name}.json"
    with progress.step("ray-start", f"Ray head {name} on this machine"):
        head, _ = start(name=name, nodes=nodes, state=path)
    warm = WarmHead(
        name,
        head.url,
        head.token,
        str(head.folder),
        head.supervisor,
        nodes,
        version,
        time.time(),
        _born(head.supervisor) or 0.0,
    )
    _write(path, warm)
    return warm


def find(name: str) -> WarmHead | None:
    """The running warm head of a name."""
    return next((head for head in running() if head.name == name), None)


def running() -> list[WarmHead]:
    """All warm heads of this user that run; what dead ones left is removed."""
    found = []
    for path in sorted(runtime_folder().glob("*.json")):
        try:
            head = WarmHead(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            continue
        born = _born(head.supervisor)
        if born is not None and abs(born - head.born) < 1.0:
            found.append(head)
        else:
            path.unlink(missing_ok=True)
        if born is None:
            # Its supervisor was killed, and what it held ended with it but for the folder.
            shutil.rmtree(head.folder, ignore_errors=True)
    return found


def down(head: WarmHead) -> None:
    """End a warm head and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(head.supervisor, signal.SIGTERM)
    deadline = time.monotonic() + END_TIMEOUT_SECONDS
    while _born(head.supervisor) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    (runtime_folder() / f"{head.name}.json").unlink(missing_ok=True)


def _write(path: Path, head: WarmHead) -> None:
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(asdict(head), out)
    temporary.replace(path)


def _born(pid: int) -> float | None:
    """When a living process started, Unix seconds."""
    try:
        import psutil
    except ImportError:
        return None
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None
