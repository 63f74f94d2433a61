"""RayClusters that raykit knows: found by label, looked at, waited for, ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from raykit.errors import KubernetesError, MissingError, UsageError
from raykit.kube.connection import EVERYWHERE, Kubernetes
from raykit.kuberay import diagnosis, operator, waiting
from raykit.kuberay.finding import Finding
from raykit.kuberay.waiting import Look
from raykit.objects import Object, holds
from raykit.progress import Progress
from raykit.spec.names import CLUSTER_LABEL

RAY_CLUSTER_LABEL, RAY_TYPE_LABEL = "ray.io/cluster", "ray.io/node-type"
END_SECONDS = 120.0


@dataclass(frozen=True)
class Cluster:
    """A RayCluster: its connection, name, namespace and the object at the time of looking."""

    connection: Kubernetes
    name: str
    namespace: str
    item: Object = field(repr=False)

    @property
    def head_service(self) -> str:
        head = (self.item.get("status") or {}).get("head") or {}
        return str(head.get("serviceName") or f"{self.name}-head-svc")

    @property
    def where(self) -> str:
        """Such as `kind-raykit:raykit/single-node`."""
        return f"{self.connection.context}:{self.namespace}/{self.name}"


def find(
    connection: Kubernetes, name: str | None = None, namespace: str | None = None
) -> list[Cluster]:
    """The RayClusters that carry raykit's label, in one namespace or in all that can be read."""
    try:
        items = connection.objects("RayCluster", namespace or EVERYWHERE)
    except MissingError:
        if namespace:
            raise
        items = connection.objects("RayCluster", connection.namespace)
    found = [
        Cluster(connection, item["metadata"]["name"], item["metadata"]["namespace"], item)
        for item in items
        if CLUSTER_LABEL in (item["metadata"].get("labels") or {})
    ]
    chosen = [each for each in found if name in (None, each.name)]
    return sorted(chosen, key=lambda each: (each.namespace, each.name))


def the_one(
    connection: Kubernetes, name: str | None = None, namespace: str | None = None
) -> Cluster:
    """The RayCluster that is meant.

    Errors: MissingError (4) for none, UsageError (2) for several, which it lists.
    """
    found = find(connection, name, namespace) if operator.is_served(connection) else []
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{len(found)} clusters match",
            evidence=[each.where for each in found],
            next="say which: --on NAME, or --namespace",
        )
    known = find(connection) if operator.is_served(connection) else []
    raise MissingError(
        f"there is no cluster{f' {name}' if name else ''} in context {connection.context}",
        evidence=[f"there is {each.where}" for each in known],
        next=f"raykit up -f SPEC --context {connection.context}",
    )


def again(cluster: Cluster) -> Cluster:
    """The cluster as it is now. Errors: MissingError (4) where it is gone."""
    item = cluster.connection.get("RayCluster", cluster.name, cluster.namespace)
    if item is None:
        raise MissingError(f"the cluster {cluster.where} is gone", next="raykit status")
    return Cluster(cluster.connection, cluster.name, cluster.namespace, item)


def pods(cluster: Cluster) -> list[Object]:
    """The pods that KubeRay made of a cluster, the head's first."""
    labels = {RAY_CLUSTER_LABEL: cluster.name}
    found = cluster.connection.objects("Pod", cluster.namespace, labels=labels)
    return sorted(found, key=lambda pod: (not is_head(pod), pod["metadata"]["name"]))


def is_head(pod: Object) -> bool:
    return (pod["metadata"].get("labels") or {}).get(RAY_TYPE_LABEL) == "head"


def wanted_workers(item: Object) -> int:
    """Worker pods that a RayCluster asks for now."""
    spec = item["spec"]
    if spec.get("suspend"):
        return 0
    groups = spec.get("workerGroupSpecs") or []
    return sum(
        (group.get("replicas", group.get("minReplicas", 0)) or 0) * (group.get("numOfHosts") or 1)
        for group in groups
        if not group.get("suspend")
    )


def head_is_ready(item: Object, of_cluster: Sequence[Object]) -> bool:
    """Whether the head of the spec as it is now is ready: not one that is about to be replaced."""
    status = item.get("status") or {}
    seen = status.get("observedGeneration", 0) >= item["metadata"].get("generation", 0)
    image = _image(item["spec"]["headGroupSpec"])
    heads = [pod for pod in of_cluster if is_head(pod) and _serves(pod, image)]
    return seen and holds(item, "HeadPodReady") and len(heads) == 1


def ready_workers(item: Object, of_cluster: Sequence[Object]) -> int:
    """Worker pods that are ready and run what the spec asks for now."""
    images = {
        group["groupName"]: _image(group) for group in item["spec"].get("workerGroupSpecs") or []
    }
    return sum(
        _serves(pod, images.get(pod["metadata"]["labels"].get("ray.io/group", ""), ""))
        for pod in of_cluster
        if not is_head(pod)
    )


def findings(cluster: Cluster, of_cluster: Sequence[Object]) -> list[Finding]:
    """Why a cluster is not ready, the gravest reason first."""
    connection = cluster.connection
    nodes, others = _machines(connection, of_cluster)
    scene = diagnosis.Scene(
        context=connection.context,
        pods=of_cluster,
        events=waiting.events(connection, cluster.namespace),
        nodes=nodes,
        others=others,
        now=time.time(),
    )
    found = diagnosis.of_cluster(cluster.item, scene)
    if not found and not cluster.item.get("status") and not of_cluster:
        return operator.diagnose(connection)
    return found


def wait_ready(cluster: Cluster, progress: Progress, timeout: float) -> Cluster:
    """Wait for the head, then for the workers; each is a step. timeout: seconds for both.

    Errors: KubernetesError (5) with the reason, within 20 s where waiting makes no sense.
    """
    deadline = time.monotonic() + timeout
    kinds = {
        "RayCluster": None,
        "Pod": {RAY_CLUSTER_LABEL: cluster.name},
        "Event": None,
    }
    with waiting.watched(cluster.connection, cluster.namespace, kinds) as wake:

        def wait(look: str) -> None:
            waiting.until(
                lambda: _look(cluster, look),
                what=f"{look} of {cluster.name}",
                timeout=max(deadline - time.monotonic(), 1.0),
                progress=progress,
                next=f"raykit status --context {cluster.connection.context}",
                wake=wake,
                log=lambda finding: waiting.last_lines(cluster.connection, finding),
            )

        with progress.step("head-ready", "Ray head"):
            wait("the head")
        wanted = wanted_workers(again(cluster).item)
        if wanted:
            with progress.step("workers-ready", f"{wanted} Ray worker{'s' if wanted > 1 else ''}"):
                wait("the workers")
    return again(cluster)


def end(cluster: Cluster, progress: Progress) -> None:
    """Delete a cluster and wait until its pods are gone."""
    cluster.connection.delete("RayCluster", cluster.name, cluster.namespace)
    deadline = time.monotonic() + END_SECONDS
    while left := pods(cluster):
        if time.monotonic() > deadline:
            raise KubernetesError(
                f"pods of {cluster.where} are still there after {END_SECONDS:g} s",
                evidence=[pod["metadata"]["name"] for pod in left],
                next=f"kubectl --context {cluster.connection.context} -n {cluster.namespace} "
                f"describe pods",
            )
        progress.detail(f"{len(left)} pods are ending")
        time.sleep(0.5)


def _look(cluster: Cluster, what: str) -> Look:
    now = again(cluster)
    of_cluster = pods(now)
    if not head_is_ready(now.item, of_cluster):
        return Look(False, findings(now, of_cluster), "its pod")
    if what == "the head":
        return Look(True)
    ready, wanted = ready_workers(now.item, of_cluster), wanted_workers(now.item)
    if ready == wanted:
        return Look(True)
    return Look(False, findings(now, of_cluster), f"{ready} of {wanted} are ready")


def _serves(pod: Object, image: str) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    return holds(pod, "Ready") and pod["spec"]["containers"][0]["image"] == image


def _image(group: Object) -> str:
    return str(group["template"]["spec"]["containers"][0]["image"])


def _machines(
    connection: Kubernetes, of_cluster: Sequence[Object]
) -> tuple[list[Object], list[Object]]:
    """Nodes and everybody's pods, where a pod has no node and we may read them."""
    if all(pod["spec"].get("nodeName") for pod in of_cluster):
        return [], []
    try:
        return connection.objects("Node"), connection.objects("Pod", EVERYWHERE)
    except MissingError:
        return [], list(of_cluster)
