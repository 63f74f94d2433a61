"""Commands and environment of `ray start`, and checks of what it needs on this machine.

With `RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0` Ray binds every socket to 127.0.0.1, on Linux too
(ray/_private/services.py, Ray 2.60). A head with more nodes needs the machine's own address: GCS,
raylets and agents then listen on it and require the token. The dashboard and the Jobs API always
stay on loopback.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from raykit import versions
from raykit.errors import MissingError
from raykit.manifests.ray_environment import FIXED_SIZE, RAY_ENVIRONMENT

LOOPBACK = "127.0.0.1"
OPEN_FILES = 1024
# With 0 the listening process chooses its port itself, so that no other process can take it first.
OWN_CHOICE = (
    "dashboard-agent-listen-port",
    "dashboard-agent-grpc-port",
    "metrics-export-port",
    "runtime-env-agent-port",
    "object-manager-port",
    "node-manager-port",
    "min-worker-port",
    "max-worker-port",
)
# Below the ports that Linux gives to connections and to listeners on port 0, above Ray's own.
QUIET_PORTS = range(20_000, 30_000)
TRIES = 100
# Ray fails if warnings become errors, and hangs if its processes end with a prompt.
DROPPED = ("PYTHONWARNINGS", "PYTHONINSPECT")


def installed_ray() -> str:
    """Version of the installed Ray, read without importing it.

    Errors: MissingError (4) with the command that installs it.
    """
    from importlib import metadata

    try:
        metadata.version("psutil")
        return metadata.version("ray")
    except metadata.PackageNotFoundError as missing:
        raise MissingError(
            f"a local Ray head needs the extra 'local': {missing.name} is not installed here",
            evidence=[f"Python {sys.version.split()[0]} at {sys.executable}"],
            next=f"{versions.INSTALL_RAY}   (in a clone: make install)",
        ) from missing


def check_limits() -> None:
    """Raise the limit of open files to 1024 if it is lower.

    Errors: MissingError (4) if this user may not: Ray would hang without a message.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= OPEN_FILES:
        return
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < OPEN_FILES:
        raise MissingError(
            f"Ray needs {OPEN_FILES} open files, and this shell allows {hard}",
            evidence=[f"ulimit -Hn says {hard}"],
            next=f"open a new shell, and allow more there: ulimit -n {4 * OPEN_FILES}",
        )


def environment(caller: Mapping[str, str], token: str, *, loopback: bool = True) -> dict[str, str]:
    """The head's environment: the caller's without any `RAY_*`, with ours.

    Jobs find the Python that raykit runs on. The kit is not on their path: a user's own `jobs`
    must not meet ours (see submission.entrypoints.Entrypoint.from_kit).
    """
    env = plain_python(caller)
    env = {key: value for key, value in env.items() if not key.upper().startswith("RAY_")}
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)])
    for name in ("NO_PROXY", "no_proxy"):
        env[name] = ",".join(filter(None, [env.get(name, ""), LOOPBACK, "localhost"]))
    return env | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0" if loopback else "1",
        **RAY_ENVIRONMENT,
        **FIXED_SIZE,
        # After Ray's 30 s a raylet ends whose agents still start, as they may on a busy machine.
        "RAY_agent_register_timeout_ms": "120000",
    }


def plain_python(caller: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment without the variables that change how Python behaves."""
    return {key: value for key, value in caller.items() if key not in DROPPED}


def own_address() -> str:
    """This machine's own IP address; loopback if it has no other. Sends no packet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return LOOPBACK
        return str(probe.getsockname()[0])


def head_words(host: str, temp_dir: Path, cpus: int | None) -> list[str]:
    """The command that starts a head. All ports but one are chosen by the listening process.

    cpus: the CPUs that it offers to tasks; None: all of the machine.
    """
    return [
        *_ray_start(cpus),
        "--head",
        f"--node-ip-address={host}",
        f"--dashboard-host={LOOPBACK}",
        f"--temp-dir={temp_dir}",
        *("--port=0", "--dashboard-port=0"),
        # The Ray Client server accepts no 0; raykit does not use it.
        f"--ray-client-server-port={_free_port()}",
    ]


def node_words(host: str, cpus: int | None) -> list[str]:
    """The command that starts another Ray node. `{gcs}` stands for the head's address."""
    return [*_ray_start(cpus), "--address={gcs}", f"--node-ip-address={host}"]


def _ray_start(cpus: int | None) -> list[str]:
    return [
        *(sys.executable, "-P", "-m", "ray.scripts.scripts", "start"),
        *("--block", "--disable-usage-stats", "--log-color=false"),
        *(f"--{name}=0" for name in OWN_CHOICE),
        *([] if cpus is None else [f"--num-cpus={cpus}"]),
    ]


def _free_port() -> int:
    """A free port outside the range from which the kernel chooses ports, if there is one.

    Ray binds it seconds later; a head whose port is taken by then does not start.
    """
    for port in (*random.sample(QUIET_PORTS, TRIES), 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("", port))
            return int(probe.getsockname()[1])
    return QUIET_PORTS[0]
