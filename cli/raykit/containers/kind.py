"""Create, recognise, start and delete raykit's own kind clusters."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from raykit import kit, processes
from raykit.containers import docker
from raykit.errors import ConflictError, KubernetesError, MissingError
from raykit.progress import Progress

OLDEST, TOO_NEW = (0, 27), (1, 0)
INSTALL = "install kind 0.27 or newer: https://kind.sigs.k8s.io/docs/user/quick-start/#installation"
MARK = "/etc/raykit.io/owned"
FINISHED = "/etc/raykit.io/finished"
"""A file on the control plane; raykit writes it when the cluster is complete."""
HERE = ("127.0.0.1", "localhost", "::1", "0.0.0.0")
API_SERVER_PORT = "6443/tcp"
CLUSTER_LABEL = "io.x-k8s.kind.cluster"
ROLE_LABEL = "io.x-k8s.kind.role"
NODE_IMAGE = "RAYKIT_KIND_NODE_IMAGE"
CREATE_TIMEOUT_SECONDS = 600.0
CAUSE_LINES = 12
WATCHERS = Path("/proc/sys/fs/inotify/max_user_instances")
FEWEST_WATCHERS = 512
INOTIFY_COMMAND = f"sudo sysctl fs.inotify.max_user_instances={FEWEST_WATCHERS}"
GIB = 1024**3
SYSTEM_MEMORY = 2 * GIB
"""Bytes of memory left for the control plane, the engine and the machine itself."""


class State(StrEnum):
    """The state of a kind cluster.

    running, stopped: raykit's own and complete, with all nodes running or not. partial: raykit's
    own, but its creation was interrupted. foreign: raykit did not make it.
    """

    absent = "absent"
    running = "running"
    stopped = "stopped"
    partial = "partial"
    foreign = "foreign"


@dataclass(frozen=True)
class Node:
    """A container that is a Kubernetes node.

    ours: raykit made its cluster. finished: it is the control plane of a complete cluster.
    port: the port of this machine that leads to its API server. began: when it was last started.
    """

    name: str
    role: str
    running: bool
    ours: bool
    finished: bool = False
    port: str | None = None
    began: str = ""


def check_version() -> str:
    """The version of kind on PATH.

    Errors: MissingError (4) if there is none, or if raykit does not support its version.
    """
    processes.find("kind", install_hint=INSTALL)
    output = processes.run(["kind", "version"], timeout=15, error=MissingError).stdout
    version = re.search(r"v(\d+)\.(\d+)\S*", output)
    if not version:
        raise MissingError("cannot read kind's version", evidence=[output.strip()], next=INSTALL)
    if not OLDEST <= (int(version[1]), int(version[2])) < TOO_NEW:
        raise MissingError(
            f"kind {version[0]} does not fit: raykit needs {_dotted(OLDEST)} or newer, "
            f"below {_dotted(TOO_NEW)}",
            next=INSTALL,
        )
    return version[0]


def nodes(name: str) -> list[Node]:
    """The nodes of a kind cluster, running or not, sorted by name.

    Errors: MissingError (4) if the docker engine does not answer.
    """
    listed = docker.docker(
        "ps", "--all", "--quiet", "--filter", f"label={CLUSTER_LABEL}={name}", error=MissingError
    )
    members = [_node(item) for item in docker.inspect("container", *listed.stdout.split())]
    return sorted(members, key=lambda node: node.name)


def state(members: Sequence[Node]) -> State:
    """The state of the kind cluster with these nodes."""
    if not members:
        return State.absent
    if not any(node.ours for node in members):
        return State.foreign
    if not any(node.finished for node in members):
        return State.partial
    return State.running if all(node.running for node in members) else State.stopped


def answers_at(name: str, server: str) -> bool:
    """Whether the address `server` leads to raykit's own kind cluster `name`.

    The name of a context proves nothing. The address must have the port that the docker engine
    forwards to the cluster's control plane.
    Errors: MissingError (4) if the docker engine does not answer.
    """
    address = urlsplit(server)
    if address.hostname not in HERE:
        return False
    ours = [node for node in nodes(name) if node.ours and node.port is not None]
    return any(node.port == str(address.port) for node in ours)


def workers(members: Sequence[Node]) -> list[str]:
    """Names of the worker nodes, which run the Ray pods."""
    return [node.name for node in members if node.role == "worker"]


def refuse_foreign(name: str, members: Sequence[Node]) -> None:
    """Errors: ConflictError (8) if raykit did not make the cluster with these nodes."""
    if state(members) is State.foreign:
        raise ConflictError(
            f"the kind cluster {name} was not made by raykit",
            evidence=[f"node {node.name} lacks the mark {MARK}" for node in members],
            next="choose another name: raykit kind up --name raykit-2",
        )


def create(name: str, progress: Progress) -> None:
    """Create the cluster of `deploy/kind.yaml`; its kubeconfig context becomes the current one.

    Errors: KubernetesError (5) with kind's own error lines.
    """
    progress.detail("kind create cluster")
    image = os.environ.get(NODE_IMAGE)
    words = ["kind", "create", "cluster", "--name", name, "--config", "-"]
    done = processes.run(
        [*words, "--image", image] if image else words,
        stdin=config(docker.engine()),
        timeout=CREATE_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise KubernetesError(
            f"kind cannot make the cluster {name}",
            evidence=_cause(done),
            next=_repair_hint(),
        )
    docker.docker("exec", f"{name}-control-plane", "touch", FINISHED)


def start(members: Sequence[Node]) -> None:
    """Start stopped nodes, such as after a restart of the machine."""
    docker.docker("start", *(node.name for node in members if not node.running), timeout=120)


def delete(name: str) -> None:
    """Delete a cluster and its kubeconfig entries."""
    processes.run(["kind", "delete", "cluster", "--name", name], timeout=120)


def export_kubeconfig(name: str) -> None:
    """Write the cluster's context into the user's kubeconfig and make it the current one.

    Errors: KubernetesError (5) if the cluster was never completed.
    """
    processes.run(["kind", "export", "kubeconfig", "--name", name], timeout=60)


def config(engine: docker.Engine) -> str:
    """The text of `deploy/kind.yaml` for a machine, with kubelet settings.

    Every kubelet sees the whole machine. Each one reserves so much that the worker nodes together
    offer the machine's CPUs, and its memory less 2 GiB, only once.
    """
    shape = _shape()
    count = sum(node["role"] == "worker" for node in shape["nodes"])
    cpu = engine.cpus * 1000 - engine.cpus * 1000 // count
    memory = engine.memory - max(engine.memory - SYSTEM_MEMORY, 0) // count
    kubelet = {
        "kind": "KubeletConfiguration",
        "systemReserved": {"cpu": f"{cpu}m", "memory": f"{memory // 1024}Ki"},
    }
    shape["kubeadmConfigPatches"] = [
        *shape.get("kubeadmConfigPatches", []),
        yaml.safe_dump(kubelet),
    ]
    return yaml.safe_dump(shape, sort_keys=False)


def inotify_instances() -> int | None:
    """How many inotify instances a user of this machine may have; None if it has no such limit."""
    try:
        return int(WATCHERS.read_text("ascii"))
    except (OSError, ValueError):
        return None


def _repair_hint() -> str:
    instances = inotify_instances()
    if instances is not None and instances < FEWEST_WATCHERS:
        return (
            f"{INOTIFY_COMMAND}   (it is {instances}: too few for several clusters), "
            "or delete another kind cluster"
        )
    return "https://kind.sigs.k8s.io/docs/user/known-issues/ names the usual causes"


def _cause(done: processes.Completed) -> list[str]:
    """The command and its first error lines: kind's output ends with pages of stack traces."""
    command, *last = done.evidence()
    errors = [line for line in done.stderr.splitlines() if re.search(r"(?i)\berror\b|fail", line)]
    return [command, *(errors[:CAUSE_LINES] or last)]


def _shape() -> dict[str, Any]:
    path = kit.root() / "deploy" / "kind.yaml"
    shape = yaml.safe_load(path.read_text("utf-8"))
    if not isinstance(shape, dict) or not shape.get("nodes"):
        raise KubernetesError(f"{path} describes no nodes")
    return shape


def _node(item: dict[str, object]) -> Node:
    labels = _at(item, "Config", "Labels")
    mounts = item.get("Mounts") or []
    assert isinstance(mounts, list)
    name, role = str(item["Name"]).lstrip("/"), str(labels.get(ROLE_LABEL, ""))
    ours = any(mount.get("Destination") == MARK for mount in mounts)
    return Node(
        name=name,
        role=role,
        running=bool(_at(item, "State").get("Running")),
        ours=ours,
        finished=ours and role == "control-plane" and _has(name, FINISHED),
        port=_port(item),
        began=str(_at(item, "State").get("StartedAt") or ""),
    )


def _port(item: dict[str, object]) -> str | None:
    bindings = _at(item, "NetworkSettings", "Ports").get(API_SERVER_PORT)
    return str(bindings[0].get("HostPort")) if isinstance(bindings, list) and bindings else None


def _has(container: str, path: str) -> bool:
    """Whether a container has a file. Unlike `docker exec`, this works on a stopped container."""
    return docker.docker("cp", f"{container}:{path}", "-", check=False).returncode == 0


def _at(item: dict[str, object], *keys: str) -> dict[str, object]:
    for key in keys:
        value = item.get(key)
        item = value if isinstance(value, dict) else {}
    return item


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
