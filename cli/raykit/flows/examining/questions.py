"""The quick checks of one namespace of a context; `raykit doctor` asks these and others."""

from __future__ import annotations

from collections.abc import Sequence

from raykit.checks import Question
from raykit.kube.checks import namespace
from raykit.kube.connection import Kubernetes
from raykit.kuberay.checks import definitions, operator, queue, room
from raykit.objects import Object


def kuberay(connection: Kubernetes, where: str) -> list[Question]:
    """Whether KubeRay is there and serves the namespace `where`."""
    return [
        Question(definitions.NAME, lambda: definitions.served(connection)),
        Question(operator.NAME, lambda: operator.check(connection, where)),
    ]


def place(connection: Kubernetes, where: str, ray_cluster: Object | None) -> list[Question]:
    """Whether the namespace `where` takes a RayCluster that is to be made; None: none is."""
    exists = Question(namespace.NAME, lambda: namespace.check(connection, where))
    if ray_cluster is None:
        return [exists]
    return [
        exists,
        Question(room.ADMISSION, lambda: room.admission(connection, where, ray_cluster)),
        Question(room.QUOTA, lambda: room.quota(connection, where, ray_cluster)),
    ]


def queues(connection: Kubernetes, where: str, items: Sequence[Object]) -> list[Question]:
    """Whether Kueue would admit these RayClusters and RayJobs; no question if none is queued."""
    named = queue.named(items)
    return [Question(queue.NAME, lambda: queue.check(connection, where, named))] if named else []
