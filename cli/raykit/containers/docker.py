"""Use the docker engine through its command line."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from raykit import processes
from raykit.errors import KubernetesError, MissingError, RaykitError

INSTALL = "install Docker Engine or Docker Desktop: https://docs.docker.com/engine/install/"
TIMEOUT_SECONDS = 30.0
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Engine:
    """The engine and its machine.

    memory: bytes. architecture: such as `amd64`. root: the folder of its images. cgroup_version:
    `1` or `2`; empty if it does not say.
    """

    version: str
    cpus: int
    memory: int
    architecture: str
    root: str = ""
    cgroup_version: str = ""


def docker(
    *words: str,
    check: bool = True,
    timeout: float | None = TIMEOUT_SECONDS,
    error: type[RaykitError] = KubernetesError,
) -> processes.Completed:
    """Run one docker command: `docker WORDS…`.

    check: whether an exit status other than 0 is an error. timeout: seconds; None: no limit.
    Errors: `error` if it fails or takes too long, MissingError (4) if there is no docker.
    """
    return processes.run(["docker", *words], check=check, timeout=timeout, error=error)


def engine() -> Engine:
    """The engine that `docker` uses.

    Errors: MissingError (4) if there is no docker, no running engine, or no right to use it.
    """
    processes.find("docker", install_hint=INSTALL)
    done = docker("info", "--format", "{{json .}}", check=False, error=MissingError)
    info = _parsed(done.stdout)
    if done.returncode != 0 or not info.get("NCPU"):
        raise _no_engine(done)
    architecture = str(info.get("Architecture", ""))
    return Engine(
        version=str(info.get("ServerVersion", "")),
        cpus=int(info["NCPU"]),
        memory=int(info.get("MemTotal", 0)),
        architecture=ARCHITECTURES.get(architecture, architecture),
        root=str(info.get("DockerRootDir", "")),
        cgroup_version=str(info.get("CgroupVersion", "")),
    )


def inspect(kind: str, *names: str) -> list[dict[str, Any]]:
    """The objects of `docker KIND inspect NAME…`; names that do not exist are left out."""
    if not names:
        return []
    done = docker(kind, "inspect", *names, check=False)
    try:
        items = json.loads(done.stdout or "[]")
    except ValueError:
        return []
    return [item for item in items if isinstance(item, dict)]


def _parsed(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _no_engine(done: processes.Completed) -> MissingError:
    output = f"{done.stdout}\n{done.stderr}".lower()
    server_errors = _parsed(done.stdout).get("ServerErrors") or []
    output += " ".join(server_errors).lower()
    evidence = [*done.evidence()[:1], *(server_errors or done.stderr.strip().splitlines()[-5:])]
    if "permission denied" in output:
        return MissingError(
            f"not allowed to use the docker engine at {socket()}",
            evidence=evidence,
            next="sudo usermod -aG docker $USER && newgrp docker   (or rootless docker: "
            "https://docs.docker.com/engine/security/rootless/)",
        )
    return MissingError(
        f"the docker engine does not answer at {socket()}",
        evidence=evidence,
        next="start it: sudo systemctl start docker   (or start Docker Desktop)",
    )


def socket() -> str:
    """The address at which the docker command looks for its engine."""
    if os.environ.get("DOCKER_HOST"):
        return os.environ["DOCKER_HOST"]
    done = docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}", check=False)
    return done.stdout.strip() or "unix:///var/run/docker.sock"
