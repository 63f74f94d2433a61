"""One RayCluster: read, waited for, deleted."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from raykit.errors import KubernetesError, MissingError
from raykit.kube.connection import Kubernetes
from raykit.kube.kubectl import kubectl
from raykit.kube.reference import Reference
from raykit.kuberay import diagnosis, operator, waiting
from raykit.kuberay import pods as ray_pods
from raykit.kuberay.finding import Finding
from raykit.kuberay.machines import MachinesReader
from raykit.kuberay.pods import head_is_ready, is_head, ready_workers, wanted_workers
from raykit.kuberay.waiting import Look, Watched
from raykit.objects import Object, holds
from raykit.progress import Progress

END_SECONDS, HURRIED_SECONDS = 120.0, 1
MOST_NAMED = 10


@dataclass(frozen=True)
class Cluster:
    """A RayCluster: its connection, name, namespace and the object when it was read."""

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
        """Such as `kind-raykit:raykit/single-node`; every command takes it."""
        return str(Reference(self.name, self.namespace, self.connection.context))


def refresh(cluster: Cluster) -> Cluster:
    """The cluster as it is now. Errors: MissingError (4) where it is gone."""
    item = cluster.connection.get("RayCluster", cluster.name, cluster.namespace)
    if item is None:
        raise MissingError(f"the cluster {cluster.where} is gone", next="raykit status")
    return Cluster(cluster.connection, cluster.name, cluster.namespace, item)


def pods(cluster: Cluster) -> list[Object]:
    """The pods that KubeRay made of a cluster, the head's first.

    Errors: ForbiddenError (4) where we may not list pods.
    """
    labels = {ray_pods.CLUSTER_LABEL: cluster.name}
    found = cluster.connection.objects("Pod", cluster.namespace, labels=labels)
    return sorted(found, key=lambda pod: (not is_head(pod), pod["metadata"]["name"]))


def findings(
    cluster: Cluster, of_cluster: Sequence[Object], machines: MachinesReader | None = None
) -> list[Finding]:
    """Why a cluster is not ready, the gravest reason first.

    machines: reads the Kubernetes nodes where a pod cannot be scheduled. Without it the scheduler
    alone says why, which costs nothing: its words are in the pod.
    """
    connection = cluster.connection
    unready = [pod for pod in of_cluster if not holds(pod, "Ready")]
    scene = diagnosis.Scene(
        context=connection.context,
        pods=of_cluster,
        events=waiting.events(connection, cluster.namespace, [cluster.item, *unready]),
        machines=machines.read(unready) if machines else diagnosis.NOT_READ,
        now=time.time(),
    )
    found = diagnosis.of_cluster(cluster.item, scene)
    return found or (operator.diagnose(connection) if _is_idle(cluster.item, of_cluster) else [])


def wait_ready(cluster: Cluster, progress: Progress, timeout: float) -> Cluster:
    """Wait for the head, then for the workers; each is a step. timeout: seconds for both.

    Errors: KubernetesError (5) with the reason, within 20 s where waiting makes no sense.
    """
    deadline = time.monotonic() + timeout
    watches = (
        Watched("RayCluster", fields={"metadata.name": cluster.name}),
        Watched("Pod", labels={ray_pods.CLUSTER_LABEL: cluster.name}),
    )
    machines = MachinesReader(cluster.connection)
    with waiting.watched(cluster.connection, cluster.namespace, *watches) as wake:

        def wait(part: str, look: Callable[[Cluster, MachinesReader], Look]) -> None:
            waiting.until(
                lambda: look(refresh(cluster), machines),
                what=f"{part} of {cluster.name}",
                timeout=max(deadline - time.monotonic(), 1.0),
                progress=progress,
                next=shlex.join(["raykit", "status", "--context", cluster.connection.context]),
                wake=wake,
                log=lambda finding: waiting.last_lines(cluster.connection, finding),
            )

        with progress.step("head-ready", "Ray head"):
            wait("the head", _look_at_head)
        wanted = wanted_workers(refresh(cluster).item)
        if wanted:
            with progress.step("workers-ready", f"{wanted} Ray worker{'s' if wanted > 1 else ''}"):
                wait("the workers", _look_at_workers)
    return refresh(cluster)


def end(cluster: Cluster, progress: Progress) -> None:
    """Delete a cluster and wait until its pods and the RayCluster itself are gone.

    The autoscaler's container does not end when it is asked to: once Ray has ended beside it, its
    pod is asked again with a short grace period, where we may.
    """
    cluster.connection.delete("RayCluster", cluster.name, cluster.namespace)
    deadline = time.monotonic() + END_SECONDS
    while (left := pods(cluster)) or _is_still_there(cluster):
        if time.monotonic() > deadline:
            names = [pod["metadata"]["name"] for pod in left[:MOST_NAMED]]
            raise KubernetesError(
                f"{'pods of ' if left else ''}{cluster.where} still there after {END_SECONDS:g} s",
                evidence=names or [f"RayCluster {cluster.name}: a finalizer holds it"],
                next=f"{kubectl(cluster.connection.context, cluster.namespace)} describe "
                f"{'pods' if left else f'raycluster {cluster.name}'}",
            )
        progress.detail(f"{len(left)} pods are ending" if left else "the RayCluster is ending")
        for pod in filter(ray_pods.is_held_by_autoscaler, left):
            with contextlib.suppress(MissingError):
                _end_soon(cluster, pod)
        time.sleep(0.5)


def _is_still_there(cluster: Cluster) -> bool:
    """Whether the very RayCluster is there; one that was made again under its name is another."""
    item = cluster.connection.get("RayCluster", cluster.name, cluster.namespace)
    return item is not None and item["metadata"].get("uid") == cluster.item["metadata"].get("uid")


def _end_soon(cluster: Cluster, pod: Object) -> None:
    if pod["metadata"].get("deletionGracePeriodSeconds", 0) > HURRIED_SECONDS:
        name = pod["metadata"]["name"]
        cluster.connection.delete("Pod", name, cluster.namespace, grace_seconds=HURRIED_SECONDS)


def _look_at_head(cluster: Cluster, machines: MachinesReader) -> Look:
    of_cluster = pods(cluster)
    if head_is_ready(cluster.item, of_cluster):
        return Look(True)
    return Look(False, findings(cluster, of_cluster, machines), "its pod")


def _look_at_workers(cluster: Cluster, machines: MachinesReader) -> Look:
    of_cluster = pods(cluster)
    ready, wanted = ready_workers(cluster.item, of_cluster), wanted_workers(cluster.item)
    if ready == wanted and head_is_ready(cluster.item, of_cluster):
        return Look(True)
    missing = f"{ready} of {wanted} are ready"
    return Look(False, findings(cluster, of_cluster, machines), missing)


def _is_idle(item: Object, of_cluster: Sequence[Object]) -> bool:
    """Whether KubeRay has something to do here: a spec it has not seen, or pods to make.

    While pods are ending it waits for them, as after an edit: up to their grace period.
    """
    if any(pod["metadata"].get("deletionTimestamp") for pod in of_cluster):
        return False
    complete = any(map(is_head, of_cluster)) and len(of_cluster) > wanted_workers(item)
    return not (ray_pods.is_observed(item) and complete)
