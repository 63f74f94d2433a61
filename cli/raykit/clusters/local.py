"""A Ray head of our own on this machine: loopback only, token on, niceness 0, always taken down.

Ray binds every socket to 127.0.0.1 when it takes a machine for one that cannot join others, which
`RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0` says on Linux too (ray/_private/services.py, Ray 2.60).
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from raykit import kit, processes
from raykit.endpoint import Endpoint
from raykit.errors import MissingError
from raykit.progress import Progress

LOOPBACK = "127.0.0.1"
START_TIMEOUT_SECONDS = 90.0
END_TIMEOUT_SECONDS = 20.0
PORTS = (
    "port",
    "dashboard-port",
    "dashboard-agent-listen-port",
    "dashboard-agent-grpc-port",
    "metrics-export-port",
    "runtime-env-agent-port",
    "ray-client-server-port",
    "object-manager-port",
    "node-manager-port",
)


@dataclass(frozen=True)
class LocalHead:
    """A running head: its dashboard address, token, temporary folder and supervisor."""

    url: str
    token: str
    folder: Path
    supervisor: int

    def endpoint(self) -> Endpoint:
        return Endpoint(
            url=self.url,
            headers={"Authorization": f"Bearer {self.token}"},
            secrets=(self.token,),
            target={"kind": "local", "url": self.url},
        )


def installed_ray() -> str:
    """Version of the Ray that is installed beside raykit, found without importing it.

    Errors: MissingError (4) with the command that installs it.
    """
    if util.find_spec("ray") is None or util.find_spec("psutil") is None:
        raise MissingError(
            "a local Ray head needs the extra 'local', and Ray is not installed here",
            evidence=[f"Python {sys.version.split()[0]} at {sys.executable}"],
            next="pip install 'raykit[local]'   (in a clone: make install)",
        )
    return metadata.version("ray")


@contextlib.contextmanager
def head(progress: Progress) -> Iterator[LocalHead]:
    """A head that lives as long as the block, also if this process is killed.

    Errors: MissingError (4) where Ray is absent or does not start.
    """
    installed_ray()
    with progress.step("ray-start", "Ray head on this machine"):
        started, supervisor = _start(tether=True)
    try:
        yield started
    finally:
        _release(supervisor)


def _start(*, tether: bool) -> tuple[LocalHead, subprocess.Popen[bytes]]:
    folder = _short_folder()
    token = secrets.token_hex(32)
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    supervisor = processes.spawn(
        [sys.executable, "-m", "raykit.clusters.supervisor"],
        stdin=subprocess.PIPE,
        new_session=True,
    )
    config = {
        "argvs": [_ray_start(ports, folder)],
        "env": environment(os.environ, token),
        "folder": str(folder),
        "tether": tether,
    }
    pipe = supervisor.stdin
    assert pipe is not None
    try:
        pipe.write(json.dumps(config).encode() + b"\n")
        pipe.flush()
        started = LocalHead(
            f"http://{LOOPBACK}:{ports['dashboard-port']}", token, folder, supervisor.pid
        )
        _wait(ports, folder, supervisor)
    except BaseException:
        _release(supervisor)
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return started, supervisor


def environment(caller: Mapping[str, str], token: str) -> dict[str, str]:
    """The head's environment: the caller's without any `RAY_*`, with ours.

    Jobs find the kit's `jobs` package and the Python that raykit runs on.
    """
    env = {key: value for key, value in caller.items() if not key.upper().startswith("RAY_")}
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)])
    paths = [str(kit.root()), env.get("PYTHONPATH", "")]
    env["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    for name in ("NO_PROXY", "no_proxy"):
        env[name] = ",".join(filter(None, [env.get(name, ""), LOOPBACK, "localhost"]))
    return env | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_worker_niceness": "0",
        "RAY_task_events_report_interval_ms": "200",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_COLOR_PREFIX": "0",
        "RAY_TQDM": "0",
    }


def free_ports(count: int) -> list[int]:
    """Distinct loopback ports that nobody listens on now."""
    with contextlib.ExitStack() as open_sockets:
        ports = []
        for _ in range(count):
            probe = open_sockets.enter_context(socket.socket())
            probe.bind((LOOPBACK, 0))
            ports.append(int(probe.getsockname()[1]))
        return ports


def _ray_start(ports: Mapping[str, int], folder: Path) -> list[str]:
    return [
        sys.executable,
        *("-m", "ray.scripts.scripts", "start", "--head", "--block"),
        f"--node-ip-address={LOOPBACK}",
        f"--dashboard-host={LOOPBACK}",
        f"--temp-dir={folder}",
        "--disable-usage-stats",
        # Zero lets every worker take any free port, so that two heads never collide.
        *("--min-worker-port=0", "--max-worker-port=0"),
        *(f"--{name}={port}" for name, port in ports.items()),
    ]


def _short_folder() -> Path:
    """Ray puts sockets below it, whose names may not exceed about 100 characters."""
    short = Path("/tmp")
    parent = short if os.access(short, os.W_OK) else Path(tempfile.gettempdir())
    return Path(tempfile.mkdtemp(prefix="rk-", dir=parent))


def _wait(ports: Mapping[str, int], folder: Path, supervisor: subprocess.Popen[bytes]) -> None:
    """Until dashboard and agent answer: a job can be submitted from then on."""
    waited_for = [ports["dashboard-port"], ports["dashboard-agent-listen-port"]]
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not all(_listens(port) for port in waited_for):
        if supervisor.poll() is not None or time.monotonic() > deadline:
            raise MissingError(
                "the local Ray head did not start",
                evidence=_last_lines(folder),
                next="raykit submit fib --on URL runs on a cluster instead",
            )
        time.sleep(0.05)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _last_lines(folder: Path) -> list[str]:
    with contextlib.suppress(OSError):
        log = (folder / "ray-start.log").read_text("utf-8", "replace")
        return [line for line in log.splitlines() if line.strip()][-10:]
    return []


def _release(supervisor: subprocess.Popen[bytes]) -> None:
    """Cut the tether and wait until the supervisor has taken everything down."""
    with contextlib.suppress(OSError):
        if supervisor.stdin:
            supervisor.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        supervisor.wait(END_TIMEOUT_SECONDS)
