"""Kueue's queues: why a RayCluster or RayJob is not admitted yet, and its place in the queue."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Container

from raykit.errors import RaykitError
from raykit.kube.connection import Kubernetes
from raykit.kube.contexts import kubectl
from raykit.kuberay.finding import Finding
from raykit.objects import Object, condition, holds
from raykit.spec.names import QUEUE_LABEL

QUEUED = "QUEUED"
NO_SUCH_QUEUE_SECONDS = 12.0
"""How long a queue may be absent: it may be created together with the cluster."""

REPLACES = "kueue.x-k8s.io/workload-slice-replacement-for"
"""Its value is the namespace and name of the Workload that this one replaces."""

ABSENT = re.compile(r"(LocalQueue|ClusterQueue) (\S*) ?doesn't exist")

UNANSWERED = "Kueue has not looked at it yet"


def waits(connection: Kubernetes, item: Object) -> Finding | None:
    """Why a suspended RayCluster or RayJob waits in its queue; None if it has no queue.

    Without the right to read Workloads, or with another version of Kueue, it names the queue alone.
    """
    metadata = item["metadata"]
    name = (metadata.get("labels") or {}).get(QUEUE_LABEL)
    if not name:
        return None
    namespace = metadata["namespace"]
    workload = _workload(connection, item)
    place = _place(connection, name, namespace, workload) if workload else ""
    made = _is_there(connection, namespace, _reason(workload))
    return finding(name, namespace, connection.context, workload, place, made=made)


def finding(
    queue: str,
    namespace: str,
    context: str,
    workload: Object | None,
    place: str,
    *,
    made: bool = False,
) -> Finding:
    """What a Workload says of the wait. place: in the queue, in words; empty: unknown.

    made: the queue that Kueue did not find is there by now; it says so until the Workload's turn.
    """
    reason = f"Kueue has not looked again since: {_reason(workload)}" if made else _reason(workload)
    absent = not made and ABSENT.search(reason) is not None
    state = f"{QUEUED} in {queue}{f', {place}' if place else ''}"
    return Finding(
        "queued",
        f"{state}: {reason}",
        (f"Kueue's Workload {workload['metadata']['name']}",) if workload else (),
        f"{kubectl(context, namespace)} get {'localqueues' if absent else 'workloads'}",
        NO_SUCH_QUEUE_SECONDS if absent else None,
        queued=True,
    )


def _reason(workload: Object | None) -> str:
    """Kueue's reason, with that of an eviction: a preempted workload waits again."""
    if workload is None:
        return UNANSWERED
    reserved = condition(workload, "QuotaReserved") or {}
    evicted = condition(workload, "Evicted") or {}
    if reserved.get("status") == "True":
        return "it has its quota and waits for Kueue's admission checks"
    reasons = [reserved.get("message")]
    if evicted.get("status") == "True":
        reasons.insert(0, f"{evicted.get('reason')}: {evicted.get('message')}")
    return "; ".join(_one_line(text) for text in reasons if text) or UNANSWERED


def _is_there(connection: Kubernetes, namespace: str, reason: str) -> bool:
    """Whether there is a queue of which Kueue said that it does not exist."""
    named = ABSENT.search(reason)
    if named is None:
        return False
    kind, name = named.groups()
    place = namespace if kind == "LocalQueue" else None
    with contextlib.suppress(RaykitError):
        return connection.get(kind, name, place) is not None
    return False


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _workload(connection: Kubernetes, item: Object) -> Object | None:
    """The newest Workload that Kueue made for an object and that has not finished.

    An object that grows has two for a moment, perhaps of one second: then the one that
    replaces the other counts.
    """
    uid = item["metadata"].get("uid")
    with contextlib.suppress(RaykitError):
        workloads = connection.objects("Workload", item["metadata"]["namespace"])
        owned = [
            workload
            for workload in workloads
            if not holds(workload, "Finished")
            and any(
                owner.get("uid") == uid
                for owner in workload["metadata"].get("ownerReferences") or []
            )
        ]
        replaced = {_annotations(workload).get(REPLACES) for workload in owned}
        return max(owned, key=lambda workload: _newness(workload, replaced), default=None)
    return None


def _newness(workload: Object, replaced: Container[str | None]) -> tuple[str, bool]:
    metadata = workload["metadata"]
    name = f"{metadata.get('namespace')}/{metadata['name']}"
    return str(metadata.get("creationTimestamp")), name not in replaced


def _annotations(item: Object) -> Object:
    return item["metadata"].get("annotations") or {}


def _place(connection: Kubernetes, queue: str, namespace: str, workload: Object) -> str:
    """`place 2 of 5`, counted over all that wait for the same ClusterQueue from this queue."""
    with contextlib.suppress(RaykitError):
        pending = connection.get("PendingWorkloads", queue, namespace, part="pendingworkloads")
        rows = (pending or {}).get("items") or []
        for row in rows:
            if row["metadata"]["name"] == workload["metadata"]["name"]:
                return f"place {row.get('positionInLocalQueue', 0) + 1} of {len(rows)}"
    return ""
