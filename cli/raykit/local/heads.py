"""Ray heads of our own on this machine: token on, niceness 0, taken down with all they started.

Ray binds every socket to 127.0.0.1 when it takes a machine for one that cannot join others, which
`RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0` says on Linux too (ray/_private/services.py, Ray 2.60). Only
a head with more nodes needs the machine's own address, on which GCS, raylets and agents then
listen; dashboard and Jobs API keep to loopback, and the token guards the rest.
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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import metadata, util
from pathlib import Path

from raykit import kit, processes
from raykit.endpoint import Endpoint
from raykit.errors import MissingError
from raykit.manifests.ray_environment import RAY_ENVIRONMENT
from raykit.progress import Progress

LOOPBACK = "127.0.0.1"
START_TIMEOUT_SECONDS = 90.0
END_TIMEOUT_SECONDS = 20.0
NODE_PORTS = (
    "dashboard-agent-listen-port",
    "dashboard-agent-grpc-port",
    "metrics-export-port",
    "runtime-env-agent-port",
    "object-manager-port",
    "node-manager-port",
)
HEAD_PORTS = ("port", "dashboard-port", "ray-client-server-port", *NODE_PORTS)


@dataclass(frozen=True)
class LocalHead:
    """A running head: its dashboard address, token, temporary folder and supervisor's pid."""

    url: str
    token: str
    folder: Path
    supervisor: int
    nodes: int = 1
    name: str | None = None
    gone: Callable[[], bool] | None = None

    def endpoint(self) -> Endpoint:
        target = {"kind": "local", "url": self.url}
        if self.name:
            target["cluster"] = self.name
        return Endpoint(
            url=self.url,
            headers={"Authorization": f"Bearer {self.token}"},
            secrets=(self.token,),
            target=target,
            gone=self.gone,
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
        started, supervisor = start()
    try:
        yield replace(started, gone=lambda: supervisor.poll() is not None)
    finally:
        _release(supervisor)
        # A supervisor whose head died under way leaves the folder, with Ray's last words, to us.
        shutil.rmtree(started.folder, ignore_errors=True)


def start(
    *, name: str | None = None, nodes: int = 1, state: Path | None = None
) -> tuple[LocalHead, subprocess.Popen[bytes]]:
    """Start a head of `nodes` Ray nodes and wait until it takes jobs.

    With a `state` file, which the supervisor removes at its end, the head outlives this process;
    without one it ends when this process does.

    Errors: MissingError (4) with Ray's own last lines.
    """
    folder = _short_folder()
    token = secrets.token_hex(32)
    host = LOOPBACK if nodes == 1 else own_address()
    ports = dict(zip(HEAD_PORTS, free_ports(len(HEAD_PORTS)), strict=True))
    supervisor = processes.spawn(
        [sys.executable, "-m", "raykit.local.supervisor"],
        stdin=subprocess.PIPE,
        new_session=True,
    )
    cpus = None if nodes == 1 else max((os.cpu_count() or 1) // nodes, 1)
    config = {
        "argvs": [
            _head_words(host, ports, folder, cpus),
            *(_node_words(host, ports["port"], cpus) for _ in range(nodes - 1)),
        ],
        "env": environment(os.environ, token, loopback=nodes == 1),
        "folder": str(folder),
        "head": [host, ports["port"]],
        "tether": state is None,
        "state": str(state) if state else None,
    }
    try:
        _configure(supervisor, config)
        _wait(ports, folder, supervisor)
    except BaseException:
        supervisor.terminate()
        _release(supervisor)
        shutil.rmtree(folder, ignore_errors=True)
        raise
    url = f"http://{LOOPBACK}:{ports['dashboard-port']}"
    return LocalHead(url, token, folder, supervisor.pid, nodes, name), supervisor


def environment(caller: Mapping[str, str], token: str, *, loopback: bool = True) -> dict[str, str]:
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
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0" if loopback else "1",
        **RAY_ENVIRONMENT,
    }


def free_ports(count: int) -> list[int]:
    """Distinct ports that nobody listens on now."""
    with contextlib.ExitStack() as open_sockets:
        ports = []
        for _ in range(count):
            probe = open_sockets.enter_context(socket.socket())
            probe.bind(("", 0))
            ports.append(int(probe.getsockname()[1]))
        return ports


def own_address() -> str:
    """The address by which this machine's own processes reach it; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return LOOPBACK
        return str(probe.getsockname()[0])


def _head_words(host: str, ports: Mapping[str, int], folder: Path, cpus: int | None) -> list[str]:
    return [
        *_ray_start(cpus),
        "--head",
        f"--node-ip-address={host}",
        f"--dashboard-host={LOOPBACK}",
        f"--temp-dir={folder}",
        *(f"--{name}={port}" for name, port in ports.items()),
    ]


def _node_words(host: str, port: int, cpus: int | None) -> list[str]:
    ports = zip(NODE_PORTS, free_ports(len(NODE_PORTS)), strict=True)
    return [
        *_ray_start(cpus),
        f"--address={host}:{port}",
        f"--node-ip-address={host}",
        *(f"--{name}={port}" for name, port in ports),
    ]


def _ray_start(cpus: int | None) -> list[str]:
    return [
        sys.executable,
        *("-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"),
        # Zero lets every worker take any free port, so that two heads never collide.
        *("--min-worker-port=0", "--max-worker-port=0"),
        *([] if cpus is None else [f"--num-cpus={cpus}"]),
    ]


def _configure(supervisor: subprocess.Popen[bytes], config: Mapping[str, object]) -> None:
    assert supervisor.stdin is not None
    supervisor.stdin.write(json.dumps(config).encode() + b"\n")
    supervisor.stdin.flush()


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
    """Whether the port answers, on loopback or on the machine's own address."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 0.5):
        return True
    return False


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
