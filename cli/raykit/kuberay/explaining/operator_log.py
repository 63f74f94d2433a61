"""What KubeRay's operator says about a cluster, or about anything, in the errors of its log."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from weakref import WeakKeyDictionary

from raykit.errors import RaykitError
from raykit.kube.connection import Kubernetes
from raykit.objects import Object, holds

LINES, MOST_BYTES, MOST_SHOWN, LONGEST = 400, 2**22, 3, 300
FRESH_SECONDS = 3.0
"""How long the answer to a question counts: a wait asks several times a second."""

_LAST: WeakKeyDictionary[Kubernetes, dict[tuple[str, ...], tuple[float, list[str]]]] = (
    WeakKeyDictionary()
)
"""For each connection the last answers, with their monotonic times."""


def errors(
    connection: Kubernetes,
    pods: Sequence[Object],
    namespace: str = "",
    name: str = "",
    since: str = "",
) -> list[str]:
    """The last errors in the operator's log, the newest last, each once.

    pods: the operator's. namespace, name: of an object that they must be about; empty: any. since:
    when that object was last applied: older errors may be mended. The log is read again only after
    3 s. None are returned if the log may not be read.
    """
    answers = _LAST.setdefault(connection, {})
    question = (*(pod["metadata"]["name"] for pod in pods), namespace, name, since)
    known = answers.get(question)
    if known is None or time.monotonic() - known[0] > FRESH_SECONDS:
        found = _read(connection, pods, namespace, name, since)
        known = answers[question] = (time.monotonic(), found)
    return known[1]


def _read(
    connection: Kubernetes, pods: Sequence[Object], namespace: str, name: str, since: str
) -> list[str]:
    found: dict[str, None] = {}
    for pod in pods:
        container = pod["spec"]["containers"][0]["name"] if pod["spec"]["containers"] else ""
        if not holds(pod, "Ready") or not container:
            continue
        place = (pod["metadata"]["name"], pod["metadata"]["namespace"], container)
        try:
            log = connection.log(*place, lines=LINES, previous=False, most=MOST_BYTES, since=since)
        except RaykitError:
            continue
        found |= dict.fromkeys(of_lines(log, namespace, name))
    return list(found)[-MOST_SHOWN:]


def of_lines(log: Sequence[str], namespace: str = "", name: str = "") -> Iterator[str]:
    """The errors among the lines of a log. Their stack traces are left out."""
    for line in log:
        entry = _parsed(line)
        if entry.get("level") != "error" or not _is_about(entry, namespace, name):
            continue
        words = (str(entry.get(key) or "") for key in ("msg", "error"))
        yield ": ".join(" ".join(text.split()) for text in words if text)[:LONGEST]


def _parsed(line: str) -> Object:
    """The operator writes JSON lines unless it was told otherwise; other lines have no level."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}


def _is_about(entry: Object, namespace: str, name: str) -> bool:
    if not name:
        return True
    about = entry.get("RayCluster")
    if not isinstance(about, dict):
        about = entry
    return (about.get("namespace"), about.get("name")) == (namespace, name)
