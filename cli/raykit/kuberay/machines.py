"""Kubernetes nodes as far as pods need them that none takes: by pages, and few pods of others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice

from raykit.kube.connection import EVERYWHERE, PAGE, Kubernetes
from raykit.kube.errors import ForbiddenError
from raykit.kuberay.scheduling import Machines, Survey, is_unschedulable, needs
from raykit.objects import Object
from raykit.spec.names import CLUSTER_LABEL

FRESH_SECONDS = 15.0
MOST_PAGES = 20
"""Of 500 nodes each. What the scheduler says holds for all of them, however many."""


class MachinesReader:
    """Reads the nodes for pods that cannot be scheduled, again after 15 s at the earliest."""

    def __init__(self, connection: Kubernetes) -> None:
        self.connection = connection
        self.read_at = 0.0
        self.last = Machines()

    def read(self, pods: Sequence[Object]) -> Machines:
        """What the nodes say to those of the pods that Kubernetes calls unschedulable."""
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
    read = 0
    try:
        for page in islice(connection.pages("Node"), MOST_PAGES):
            read += len(page)
            for node in page:
                for survey in surveys.values():
                    survey.add(node)
    except ForbiddenError:
        # Reading nodes needs a right over the whole cluster, which a user of one may not have.
        return Machines({key: Survey(pod) for key, pod in wanted.items()})
    try:
        _count_pods(connection, surveys)
        clusters, ending = _own_pods(connection)
    except ForbiddenError:
        clusters, ending = (), False
    return Machines(surveys, clusters, ending, read if read == MOST_PAGES * PAGE else None)


def _count_pods(connection: Kubernetes, surveys: dict[str, Survey]) -> None:
    for node in {name for survey in surveys.values() for name in survey.candidates}:
        pods = connection.objects("Pod", EVERYWHERE, fields={"spec.nodeName": node})
        for survey in surveys.values():
            if node in survey.candidates:
                survey.count_pods(node, pods)


def _own_pods(connection: Kubernetes) -> tuple[tuple[str, ...], bool]:
    """raykit's clusters that hold pods, and whether some of those are ending."""
    pages = connection.pages("Pod", EVERYWHERE, labels={CLUSTER_LABEL: ""}, metadata_only=True)
    found = next(pages, [])
    names = {(pod["metadata"].get("labels") or {}).get(CLUSTER_LABEL, "") for pod in found}
    ending = any(pod["metadata"].get("deletionTimestamp") for pod in found)
    return tuple(sorted(names - {""})), ending
