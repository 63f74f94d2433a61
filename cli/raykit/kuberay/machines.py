"""Read the Kubernetes nodes to explain why none takes a pod; reads few pods of other users."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice

from raykit.kube.connection import EVERYWHERE, PAGE, Kubernetes
from raykit.kube.errors import ForbiddenError
from raykit.kuberay.scheduling import Machines, Survey, is_of_cloud, is_unschedulable, needs
from raykit.objects import Object
from raykit.spec.names import CLUSTER_LABEL

FRESH_SECONDS = 6.0
"""A look is no older than this when it ends a wait, after 12 s: room may be made meanwhile."""
MOST_PAGES = 20
"""Pages of 500 nodes. In larger clusters the scheduler's own message still covers all nodes."""


class MachinesReader:
    """Reads the nodes for unschedulable pods, at most every 6 s."""

    def __init__(self, connection: Kubernetes) -> None:
        self.connection = connection
        self.read_at = 0.0
        self.last = Machines()

    def read(self, pods: Sequence[Object]) -> Machines:
        """Why the nodes do not take those of the pods that are unschedulable."""
        wanted = {needs(pod): pod for pod in pods if is_unschedulable(pod)}
        if not wanted:
            return Machines()
        fresh = time.monotonic() - self.read_at < FRESH_SECONDS
        if not (fresh and wanted.keys() <= self.last.surveys.keys()):
            self.last = _read(self.connection, wanted)
            self.read_at = time.monotonic()
        return self.last


def _read(connection: Kubernetes, wanted: dict[str, Object]) -> Machines:
    surveys = {key: Survey(pod) for key, pod in wanted.items()}
    read, in_cloud = 0, False
    try:
        for page in islice(connection.pages("Node"), MOST_PAGES):
            read += len(page)
            for node in page:
                in_cloud = in_cloud or is_of_cloud(node)
                for survey in surveys.values():
                    survey.add(node)
    except ForbiddenError:
        # Reading nodes needs a right for the whole cluster; users of one namespace may lack it.
        in_cloud = connection.about.kind_cluster is None
        return Machines({key: Survey(pod) for key, pod in wanted.items()}, in_cloud=in_cloud)
    try:
        _count_pods(connection, surveys)
        clusters, ending = _own_pods(connection)
    except ForbiddenError:
        clusters, ending = (), False
    only = read if read == MOST_PAGES * PAGE else None
    return Machines(surveys, clusters, ending, only, in_cloud)


def _count_pods(connection: Kubernetes, surveys: dict[str, Survey]) -> None:
    for node in {name for survey in surveys.values() for name in survey.candidates}:
        pods = connection.objects("Pod", EVERYWHERE, fields={"spec.nodeName": node})
        for survey in surveys.values():
            if node in survey.candidates:
                survey.count_pods(node, pods)


def _own_pods(connection: Kubernetes) -> tuple[tuple[str, ...], bool]:
    """Names of raykit's clusters that have pods, and whether some of these pods are ending."""
    pages = connection.pages("Pod", EVERYWHERE, labels={CLUSTER_LABEL: ""}, metadata_only=True)
    pods = next(pages, [])
    names = {(pod["metadata"].get("labels") or {}).get(CLUSTER_LABEL, "") for pod in pods}
    ending = any(pod["metadata"].get("deletionTimestamp") for pod in pods)
    return tuple(sorted(names - {""})), ending
