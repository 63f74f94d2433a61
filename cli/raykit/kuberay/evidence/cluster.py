"""Gather what Kubernetes knows of a RayCluster: manifests, pods, events, nodes and pods' logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from raykit.errors import RaykitError
from raykit.kube.errors import ForbiddenError
from raykit.kuberay import observed, operator, raycluster
from raykit.kuberay.evidence import containers
from raykit.kuberay.raycluster import Cluster
from raykit.measure.keeping.evidence import Collection
from raykit.objects import Object
from raykit.progress import Attempt, attempt_all
from raykit.spec.names import CLUSTER_LABEL

BESIDE = ("NetworkPolicy", "PodDisruptionBudget")
MOST_EVENTS, MOST_NODES = 2_000, 50

STEP_SECONDS = 20.0
"""How long one step may last; some ask several times."""


def gather(cluster: Cluster, into: Collection) -> None:
    """Gather what the user may read; what Kubernetes refuses is noted in the collection.

    A RayCluster without a uid is one that the API server refused: it is kept as it was sent.
    """
    if "uid" not in cluster.item["metadata"]:
        into.add_json("kubernetes/refused.json", cluster.item)
    reads: dict[str, Callable[[], object]] = {
        "raycluster": lambda: _plain(raycluster.refresh(cluster).item),
        "observed": lambda: observed.observe(cluster),
        **{kind.lower(): partial(_beside, cluster, kind) for kind in BESIDE},
        "resourcequota": partial(_quotas, cluster),
    }
    steps = [
        Attempt("pods", partial(_from_pods_on, cluster, into)),
        *_files(reads, into),
        Attempt("KubeRay's operator", partial(_add_operator, cluster, into)),
    ]
    attempt_all(steps, into.deadline, into.miss, STEP_SECONDS)


def _from_pods_on(cluster: Cluster, into: Collection) -> list[Attempt]:
    """Add the pods; return the steps that need them."""
    try:
        pods = raycluster.pods(cluster)
    except RaykitError as error:
        into.miss(f"pods: {error.what}")
        pods = []
    into.add_json("kubernetes/pods.json", [_plain(pod) for pod in pods])
    reads: dict[str, Callable[[], object]] = {
        "events": partial(_events, cluster, pods, into),
        "nodes": partial(_nodes, cluster, pods),
    }
    return [*_files(reads, into), *containers.steps(cluster.connection, pods, into)]


def _files(reads: Mapping[str, Callable[[], object]], into: Collection) -> Iterator[Attempt]:
    """A step for each file, by the name of what is read."""
    for name, read in reads.items():
        yield Attempt(name, partial(_add, into, f"kubernetes/{name}.json", read))


def _add(into: Collection, name: str, read: Callable[[], object]) -> None:
    """Add what is read as a file, if it is anything."""
    if found := read():
        into.add_json(name, found)


def _plain(item: Object) -> Object:
    """An object without the list of who set which field."""
    metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    return {**item, "metadata": metadata}


def _events(cluster: Cluster, pods: Sequence[Object], into: Collection) -> list[Object]:
    """The events of the RayCluster, of its pods, and of pods of it that are gone."""
    uids = {item["metadata"].get("uid") for item in (cluster.item, *pods)}

    def concerns(event: Object) -> bool:
        about = event.get("involvedObject") or {}
        name = str(about.get("name", ""))
        return about.get("uid") in uids or name.startswith(f"{cluster.name}-")

    pages = cluster.connection.pages("Event", cluster.namespace)
    found = [_plain(event) for page in pages for event in page if concerns(event)]
    if len(found) > MOST_EVENTS:
        into.note_cut("kubernetes/events.json", f"the last {MOST_EVENTS:,} of {len(found):,}")
    return found[-MOST_EVENTS:]


def _nodes(cluster: Cluster, pods: Sequence[Object]) -> list[Object]:
    """The Kubernetes nodes of the pods: their conditions say why a Ray node was lost."""
    names = sorted({pod["spec"].get("nodeName", "") for pod in pods} - {""})[:MOST_NODES]
    found = (cluster.connection.get("Node", name) for name in names)
    return [_plain(node) for node in found if node is not None]


def _beside(cluster: Cluster, kind: str) -> list[Object]:
    """The objects of a kind that raykit applied with the RayCluster."""
    labels = {CLUSTER_LABEL: cluster.name}
    items = cluster.connection.objects(kind, cluster.namespace, labels=labels)
    return [_plain(item) for item in items]


def _quotas(cluster: Cluster) -> list[Object]:
    items = cluster.connection.objects("ResourceQuota", cluster.namespace)
    return [_plain(item) for item in items]


def _add_operator(cluster: Cluster, into: Collection) -> None:
    """The operator's Deployment, and the lines of its log that name the cluster."""
    connection = cluster.connection
    try:
        deployment = operator.find(connection, cluster.namespace)
    except ForbiddenError:
        # Few users may read all namespaces.
        into.miss("KubeRay's operator: you may not list Deployments in all namespaces")
        return
    if deployment is None:
        into.miss("KubeRay's operator: there is none")
        return
    into.add_json("kubernetes/operator.json", _plain(deployment))
    namespace = deployment["metadata"]["namespace"]
    for pod in connection.objects("Pod", namespace, labels=operator.LABELS):
        containers.add_lines(connection, pod, cluster.name, into)
