"""A job of the fake head: prepared by a test, or run as a child process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raykit import processes
from raykit.testing import recorded

KNOWN = frozenset({"working_dir", "py_modules", "env_vars"})
"""The fields of a runtime environment that the fake head follows."""

PIECE_BYTES = 65_536
LOOK_MILLISECONDS, LAST_SECONDS = 100, 1.0
"""How often to look whether a silent command has ended, and how long to read on if it has."""
STOP_SECONDS = 3.0
"""Ray waits as long before it kills a job that it asked to stop."""


@dataclass
class FakeJob:
    """One job of the fake head.

    stops: whether asking for a stop ends it. node: the id of its Ray node; None while it waits for
    one. steps: run one at each question after its status, but for the first: only then does
    somebody read the log. asked: questions so far. streamed: bytes of the log that some connection
    has carried. submitted: whether a submission made it, so that its id is taken. process: its
    command, if it is run for real; stopping: whether that was asked to end.
    """

    id: str
    log: bytes = b""
    status: str = "RUNNING"
    node: str | None = recorded.NODE
    message: str = ""
    exit_code: int | None = None
    error_type: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    steps: list[Callable[[], None]] = field(default_factory=list)
    stops: bool = True
    streamed: int = 0
    asked: int = 0
    submitted: bool = False
    stopping: bool = False
    process: subprocess.Popen[bytes] | None = None

    @property
    def ended(self) -> bool:
        return self.status in {"SUCCEEDED", "FAILED", "STOPPED"}

    def details(self) -> dict[str, Any]:
        """The job as Ray's JSON."""
        return recorded.JOB | {
            "submission_id": self.id,
            "status": self.status,
            "message": self.message,
            "error_type": self.error_type,
            "end_time": 1_700_000_001_500 if self.ended else None,
            "metadata": self.metadata or None,
            "driver_node_id": self.node,
            "driver_exit_code": self.exit_code,
        }

    def end(self, exit_code: int) -> None:
        """End as a command with this exit code does."""
        self.exit_code = exit_code
        if exit_code == 0:
            self.message = "Job finished successfully."
        else:
            last = self.log.decode("utf-8", "replace")[-20_000:]
            self.message = recorded.FAILED.format(code=exit_code, log=last)
        self.status = "FAILED" if exit_code else "SUCCEEDED"

    def stop(self) -> bool:
        """Stop it, as a request to Ray does; return whether it was still running."""
        going = not self.ended
        if going and self.process:
            self.stopping = True
            self.kill(signal.SIGTERM)
            killing = threading.Timer(STOP_SECONDS, self.kill)
            killing.daemon = True
            killing.start()
        elif going and self.stops:
            self.status = "STOPPED"
        return going

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the job's command and everything that it started."""
        if self.process and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


def start(
    job: FakeJob,
    request: Mapping[str, Any],
    packages: Mapping[str, bytes],
    folder: Path,
    write: Callable[[bytes], None],
) -> threading.Thread | None:
    """Start a submission's command as Ray does: by a shell, in the unpacked working directory.

    packages: the uploads by their names. folder: where they are unpacked. write: gets the output.
    A job whose runtime environment the fake head does not follow fails at once, by name.
    """
    environment = request.get("runtime_env") or {}
    unknown = sorted(set(environment) - KNOWN)
    if unknown:
        job.status, job.error_type = "FAILED", "RUNTIME_ENV_SETUP_FAILURE"
        job.message = f"runtime_env setup failed: the fake head does not know {', '.join(unknown)}"
        return None
    where = _unpacked(environment.get("working_dir"), packages, folder / "working_dir")
    modules = [
        _unpacked(uri, packages, folder / f"module_{number}")
        for number, uri in enumerate(environment.get("py_modules") or ())
    ]
    job.process = processes.spawn(
        ["/bin/sh", "-c", request["entrypoint"]],
        env=_environment(request, environment, [where, *modules]),
        cwd=where,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        new_session=True,
    )
    thread = threading.Thread(target=_follow, args=(job, job.process, write), daemon=True)
    thread.start()
    return thread


def _unpacked(uri: str | None, packages: Mapping[str, bytes], folder: Path) -> Path:
    folder.mkdir(parents=True)
    if uri:
        with zipfile.ZipFile(io.BytesIO(packages[uri.removeprefix("gcs://")])) as package:
            package.extractall(folder)
    return folder


def _environment(
    request: Mapping[str, Any], environment: Mapping[str, Any], path: list[Path]
) -> dict[str, str]:
    variables = {name: text for name, text in os.environ.items() if name != "RAY_ADDRESS"}
    # `python` in a command is the Python that runs the tests.
    variables["PATH"] = f"{Path(sys.executable).parent}:{variables.get('PATH', '')}"
    variables["PYTHONPATH"] = ":".join(map(str, path))
    variables["PYTHONUNBUFFERED"] = "1"
    config = {"runtime_env": {}, "metadata": request.get("metadata") or {}}
    variables["RAY_JOB_CONFIG_JSON_ENV_VAR"] = json.dumps(config)
    return variables | dict(environment.get("env_vars") or {})


def _follow(job: FakeJob, process: subprocess.Popen[bytes], write: Callable[[bytes], None]) -> None:
    """Pass the output on until the command ends, and end the job and what it left running."""
    assert process.stdout
    with process.stdout as output:
        for piece in _pieces(output.fileno(), process, job.kill):
            write(piece)
    # Until the command's status is taken, its process group can be no other's.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    job.kill()
    code = process.wait()
    if job.stopping:
        job.status = "STOPPED"
    else:
        job.end(code)


def _pieces(
    output: int, process: subprocess.Popen[bytes], end_others: Callable[[], None]
) -> Iterator[bytes]:
    """The output as it comes. A process that the command left behind may hold it open for ever.

    end_others: called when the command has ended; what it started in a session of its own goes on.
    """
    ready = select.poll()
    ready.register(output, select.POLLIN)
    last: float | None = None
    while last is None or time.monotonic() < last:
        if last is None and _has_ended(process):
            end_others()
            last = time.monotonic() + LAST_SECONDS
        if ready.poll(LOOK_MILLISECONDS):
            piece = os.read(output, PIECE_BYTES)
            if not piece:
                return
            yield piece
        elif last is not None:
            return


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a command has ended; its status stays to be taken."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
