"""Gather the ends of containers' logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from raykit.kube.connection import Kubernetes
from raykit.measure.keeping.evidence import Collection
from raykit.measure.keeping.tails import MOST_LINES, MOST_LOG, Tail, whole_lines
from raykit.objects import Object
from raykit.progress import Attempt

MOST_PODS = 100
MOST_BYTES = 8 * MOST_LOG


@dataclass(frozen=True)
class Log:
    """The log of one container. previous: that of its run before the last restart."""

    pod: str
    namespace: str
    container: str
    previous: bool = False

    @property
    def place(self) -> str:
        return f"pods/{self.pod}/{self.container}{'.previous' if self.previous else ''}.log"


def steps(connection: Kubernetes, pods: Sequence[Object], into: Collection) -> Iterator[Attempt]:
    """A step for the log of each container that has one."""
    for pod in pods[:MOST_PODS]:
        for log in logs_of(pod):
            yield Attempt(log.place, partial(_add, connection, log, into))
    for pod in pods[MOST_PODS:]:
        into.note_cut(f"pods/{pod['metadata']['name']}", "left out: there are too many pods")


def logs_of(pod: Object) -> list[Log]:
    """The logs that a pod's containers have: a container that never ran has none."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    status = pod.get("status") or {}
    states = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    found = []
    for state in states:
        if "waiting" not in (state.get("state") or {}):
            found.append(Log(name, namespace, state["name"]))
        if state.get("restartCount", 0):
            found.append(Log(name, namespace, state["name"], previous=True))
    return found


def add_lines(connection: Kubernetes, pod: Object, word: str, into: Collection) -> None:
    """Add those of the last lines of a pod's first container that hold a word."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    container = pod["spec"]["containers"][0]["name"]
    found = connection.end_of_log(name, namespace, container, MOST_LINES, MOST_BYTES)
    kept = _of_limit(found or b"")
    lines = [line for line in kept.splitlines(keepends=True) if word.encode() in line]
    place = f"kubernetes/operator-{name}.log"
    _add_end(place, b"".join(lines), into)
    into.note_cut(place, f"only lines that name {word}")


def _add(connection: Kubernetes, log: Log, into: Collection) -> None:
    found = connection.end_of_log(
        log.pod, log.namespace, log.container, MOST_LINES, MOST_BYTES, previous=log.previous
    )
    if found is None:
        into.miss(f"{log.place}: the kubelet has no such log")
        return
    _add_end(log.place, _of_limit(found), into)


def _of_limit(data: bytes) -> bytes:
    """What the kubelet gave; at its limit, it cuts inside a line."""
    return whole_lines(data) if len(data) >= MOST_BYTES else data


def _add_end(place: str, data: bytes, into: Collection) -> None:
    tail = Tail(MOST_LOG)
    tail.add(data)
    kept = tail.data()
    into.add_log(place, kept, f"the last {len(kept):,} bytes" if tail.is_cut else "")
