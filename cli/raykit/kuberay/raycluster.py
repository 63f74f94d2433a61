"""Read one RayCluster, wait until it is ready, and delete it."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from raykit.errors import ConflictError, KubernetesError, MissingError, RaykitError
from raykit.kube.connection import FIELD_MANAGER, Kubernetes
from raykit.kube.contexts import kubectl
from raykit.kube.errors import ForbiddenError
from raykit.kube.reference import Reference
from raykit.kuberay import diagnosis, operator, waiting
from raykit.kuberay import pods as ray_pods
from raykit.kuberay.explaining import creation, groups, kueue
from raykit.kuberay.explaining.scene import NOT_READ, SOON, Scene
from raykit.kuberay.finding import Finding
from raykit.kuberay.machines import MachinesReader
from raykit.kuberay.pods import head_is_ready, is_head, ready_workers, wanted_workers
from raykit.kuberay.waiting import Look, Watched
from raykit.objects import Object, holds, last_changed
from raykit.progress import Progress, Waiting

END_SECONDS = 120.0
LOG_SECONDS = 2.0
"""How long to wait for the end of a log."""
MOST_NAMED = 10

LOOKED_AGAIN = "raykit.io/looked-again"
"""An annotation whose change makes KubeRay try again at once; its value is a time."""


@dataclass(frozen=True)
class Wait:
    """What the looks of one wait share. began: Unix seconds."""

    machines: MachinesReader
    began: float


@dataclass(frozen=True)
class Cluster:
    """A RayCluster. item: the object at the time it was read; `refresh` reads it again."""

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
        """Its full name, such as `kind-raykit:raykit/single-node`; every command accepts it."""
        return str(Reference(self.name, self.namespace, self.connection.context))

    @property
    def target(self) -> dict[str, object]:
        """How records name it."""
        return {
            "kind": "kubernetes",
            "context": self.connection.context,
            "namespace": self.namespace,
            "cluster": self.name,
        }


def refresh(cluster: Cluster) -> Cluster:
    """Read the cluster again. Errors: MissingError (4) if it no longer exists."""
    item = cluster.connection.get("RayCluster", cluster.name, cluster.namespace)
    if item is None:
        raise MissingError(f"the cluster {cluster.where} is gone", next="raykit status")
    return Cluster(cluster.connection, cluster.name, cluster.namespace, item)


def pods(cluster: Cluster) -> list[Object]:
    """The pods that KubeRay made for a cluster, the head's first.

    Errors: ForbiddenError (4) if the user may not list pods.
    """
    labels = {ray_pods.CLUSTER_LABEL: cluster.name}
    items = cluster.connection.objects("Pod", cluster.namespace, labels=labels)
    return sorted(items, key=lambda pod: (not is_head(pod), pod["metadata"]["name"]))


def findings(
    cluster: Cluster,
    of_cluster: Sequence[Object],
    machines: MachinesReader | None = None,
    since: float = 0.0,
) -> list[Finding]:
    """Why a cluster is not ready, the most serious reason first.

    of_cluster: its pods. machines: reads the Kubernetes nodes for unschedulable pods; None: only
    the scheduler's message is used, which is part of the pod and needs no request. since: when
    the wait for it began, in Unix seconds; 0: nobody waits.
    """
    return _explained(cluster, of_cluster, machines, since)[0]


def _explained(
    cluster: Cluster,
    of_cluster: Sequence[Object],
    machines: MachinesReader | None,
    since: float = 0.0,
) -> tuple[list[Finding], Scene]:
    """Why a cluster is not ready, and the objects that show it."""
    connection = cluster.connection
    unready = [pod for pod in of_cluster if not holds(pod, "Ready")]
    scene = Scene(
        context=connection.context,
        pods=of_cluster,
        events=waiting.events(connection, cluster.namespace, [cluster.item, *unready]),
        machines=machines.read(unready) if machines else NOT_READ,
        now=time.time(),
        since=since,
        queued=kueue.waits(connection, cluster.item)
        if diagnosis.is_suspended(cluster.item)
        else None,
    )
    reasons = [*creation.findings(cluster.item, scene), *diagnosis.of_cluster(cluster.item, scene)]
    if all(reason.past for reason in reasons) and _is_idle(cluster.item, of_cluster):
        changed = last_changed(cluster.item, FIELD_MANAGER)
        made = len(of_cluster)
        idle = operator.diagnose(connection, cluster.namespace, cluster.name, changed, made)
        reasons = [*idle, *reasons]
    return reasons, scene


def _look(cluster: Cluster, of_cluster: Sequence[Object], wait: Wait, missing: str) -> Look:
    reasons, scene = _explained(cluster, of_cluster, wait.machines, wait.began)
    queued = [reason.what for reason in reasons if reason.queued]
    return Look(False, reasons, missing, queued or groups.lines(cluster.item, scene, reasons))


def wait_ready(cluster: Cluster, progress: Progress, timeout: float) -> Cluster:
    """Wait for the head, then for the workers; return the ready cluster.

    timeout: seconds for both together; the time in a queue does not count.
    Errors: KubernetesError (5) with the reason; within 20 s if waiting longer is useless.
    """
    _look_again(cluster)
    with _patience(cluster, progress, timeout) as wait:
        with progress.step("head-ready", "Ray head"):
            wait("the head", _look_at_head)
        wanted = wanted_workers(refresh(cluster).item)
        if wanted:
            with progress.step("workers-ready", f"{wanted} Ray worker{'s' if wanted > 1 else ''}"):
                wait("the workers", _look_at_workers)
    return refresh(cluster)


def wait_for_head(cluster: Cluster, progress: Progress, timeout: float) -> Cluster:
    """Wait until anyone's cluster has a head, also one of an earlier spec; return the cluster.

    Nothing is changed. Without the right to list pods nothing is waited for.
    timeout: seconds; the time in a queue does not count.
    Errors: as `wait_ready`; a cluster that somebody suspended has 8 s.
    """
    if holds(cluster.item, "HeadPodReady"):
        return cluster
    try:
        if _has_head(pods(cluster)):
            return cluster
    except ForbiddenError:
        return cluster
    with _patience(cluster, progress, timeout) as wait:
        wait("the head", _look_for_head)
    return refresh(cluster)


@contextlib.contextmanager
def _patience(
    cluster: Cluster, progress: Progress, timeout: float
) -> Iterator[Callable[[str, Callable[[Cluster, Wait], Look]], None]]:
    """`wait(part, look)`: waits until a look finds a part ready. timeout: seconds for all parts."""
    deadline = time.monotonic() + timeout
    watches = (
        Watched("RayCluster", fields={"metadata.name": cluster.name}),
        Watched("Pod", labels={ray_pods.CLUSTER_LABEL: cluster.name}),
    )
    own = Wait(MachinesReader(cluster.connection), time.time())
    with waiting.watched(cluster.connection, cluster.namespace, *watches) as wake:

        def wait(part: str, look: Callable[[Cluster, Wait], Look]) -> None:
            nonlocal deadline
            deadline += waiting.until(
                lambda: look(refresh(cluster), own),
                what=f"{part} of {cluster.name}",
                timeout=max(deadline - time.monotonic(), 1.0),
                progress=progress,
                next=shlex.join(["raykit", "status", "--context", cluster.connection.context]),
                wake=wake,
                log=lambda finding: waiting.last_lines(cluster.connection, finding),
            )

        yield wait


def _look_again(cluster: Cluster) -> None:
    """Make KubeRay try again what it failed to create for the present spec.

    After many failures it waits up to 17 minutes. What hindered it may have been mended since.
    """
    with contextlib.suppress(RaykitError):
        item = refresh(cluster).item
        is_stuck = holds(item, creation.REFUSED) or _is_idle(item, pods(cluster))
        if is_stuck and ray_pods.is_observed(item) and not diagnosis.is_suspended(item):
            moment = datetime.now(UTC).isoformat(timespec="milliseconds")
            cluster.connection.annotate(
                "RayCluster", cluster.name, cluster.namespace, {LOOKED_AGAIN: moment}
            )


def end(cluster: Cluster, progress: Progress) -> None:
    """Delete a cluster and wait until its pods and the RayCluster itself are gone.

    The autoscaler's container ignores SIGTERM. When all others of its pod have ended, the pod is no
    longer waited for: it is deleted without a grace period, if the user has the rights. A shorter
    period would change nothing: kubelets do not read it once they end a pod.
    Errors: KubernetesError (5) if pods are left, ConflictError (8) if another cluster has its name.
    """
    connection, uid = cluster.connection, cluster.item["metadata"].get("uid")
    connection.delete("RayCluster", cluster.name, cluster.namespace, uid=uid)
    deadline = time.monotonic() + END_SECONDS
    waits = Waiting(progress)
    while (left := pods(cluster)) or _is_still_there(cluster):
        if time.monotonic() > deadline:
            names = [pod["metadata"]["name"] for pod in left[:MOST_NAMED]]
            raise KubernetesError(
                f"{'pods of ' if left else ''}{cluster.where} still there after {END_SECONDS:g} s",
                evidence=names or [f"RayCluster {cluster.name}: a finalizer holds it"],
                next=f"{kubectl(cluster.connection.context, cluster.namespace)} describe "
                f"{'pods' if left else f'raycluster {cluster.name}'}",
            )
        waits.show(f"{len(left)} pods are ending" if left else "the RayCluster is ending")
        for pod in filter(ray_pods.may_be_held_by_autoscaler, left):
            with contextlib.suppress(MissingError, ConflictError):
                _end_after_ray(cluster, pod)
        time.sleep(0.5)


def _is_still_there(cluster: Cluster) -> bool:
    """Whether the very RayCluster is there; one that was made again under its name is another."""
    item = cluster.connection.get("RayCluster", cluster.name, cluster.namespace)
    return item is not None and item["metadata"].get("uid") == cluster.item["metadata"].get("uid")


def _end_after_ray(cluster: Cluster, pod: Object) -> None:
    """Delete an ending pod at once if all containers but the autoscaler's have ended."""
    name, uid = pod["metadata"]["name"], pod["metadata"].get("uid")
    names = [container["name"] for container in pod["spec"]["containers"]]
    others = [each for each in names if each != ray_pods.AUTOSCALER_CONTAINER]
    if others and all(
        cluster.connection.log_ends(name, cluster.namespace, each, LOG_SECONDS) for each in others
    ):
        cluster.connection.delete("Pod", name, cluster.namespace, uid=uid, grace_seconds=0)


def _look_at_head(cluster: Cluster, wait: Wait) -> Look:
    of_cluster = pods(cluster)
    if head_is_ready(cluster.item, of_cluster):
        return Look(True)
    return _look(cluster, of_cluster, wait, "its pod")


def _look_for_head(cluster: Cluster, wait: Wait) -> Look:
    of_cluster = pods(cluster)
    if _has_head(of_cluster):
        return Look(True)
    seen = _look(cluster, of_cluster, wait, "its pod")
    # Who does not bring the cluster up does not start it again either.
    ending = [
        replace(finding, patience=SOON) if finding.key == diagnosis.SUSPENDED else finding
        for finding in seen.findings
    ]
    return replace(seen, findings=ending)


def _has_head(of_cluster: Sequence[Object]) -> bool:
    return any(is_head(pod) and ray_pods.serves(pod) for pod in of_cluster)


def _look_at_workers(cluster: Cluster, wait: Wait) -> Look:
    of_cluster = pods(cluster)
    ready, wanted = ready_workers(cluster.item, of_cluster), wanted_workers(cluster.item)
    if ready == wanted and head_is_ready(cluster.item, of_cluster):
        return Look(True)
    return _look(cluster, of_cluster, wait, f"{ready} of {wanted} are ready")


def _is_idle(item: Object, of_cluster: Sequence[Object]) -> bool:
    """Whether KubeRay does not do what it should: it has not seen the spec, or pods are missing.

    While pods are ending, such as after an edit, KubeRay rightly waits for them. A pod that has
    ended, such as one that was evicted, is to be replaced.
    """
    if any(pod["metadata"].get("deletionTimestamp") for pod in of_cluster):
        return False
    living = [pod for pod in of_cluster if not ray_pods.has_ended(pod)]
    complete = any(map(is_head, living)) and len(living) > wanted_workers(item)
    return not (ray_pods.is_observed(item) and complete)
