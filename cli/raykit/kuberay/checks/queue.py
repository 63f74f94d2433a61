"""Whether Kueue would admit what names a queue: Kueue itself, the LocalQueue, its ClusterQueue."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from raykit import checks
from raykit.checks import Check, Question, State
from raykit.errors import RaykitError
from raykit.kube.connection import EVERYWHERE, Kubernetes
from raykit.kube.contexts import kubectl
from raykit.kube.errors import ForbiddenError
from raykit.kube.kinds import KINDS
from raykit.kuberay import operator
from raykit.kuberay.checks import configuration
from raykit.objects import Object, condition, holds
from raykit.spec.names import QUEUE_LABEL

NAME = "queue"
API = KINDS["LocalQueue"].api_version
OLD_API = "kueue.x-k8s.io/v1beta1"
"""What Kueue served alone before 0.15."""
LABELS = {"app.kubernetes.io/name": "kueue", "control-plane": "controller-manager"}
FRAMEWORKS = {"RayCluster": "ray.io/raycluster", "RayJob": "ray.io/rayjob"}
"""What Kueue's configuration calls the kinds that it may admit."""
MANUAL = "https://kueue.sigs.k8s.io/docs/installation/"


def named(items: Sequence[Object]) -> dict[str, set[str]]:
    """The queues that RayClusters and RayJobs name, with the kinds that name them."""
    queues: dict[str, set[str]] = {}
    for item in items:
        name = (item["metadata"].get("labels") or {}).get(QUEUE_LABEL)
        if name and item["kind"] in FRAMEWORKS:
            queues.setdefault(name, set()).add(item["kind"])
    return queues


def of_namespace(connection: Kubernetes, namespace: str) -> Check:
    """The queues that the RayClusters and RayJobs of a namespace name."""
    if not operator.is_served(connection):
        return checks.skipped(NAME, "KubeRay is not installed")
    try:
        # The items of a list come without their kind.
        items = [
            {**item, "kind": kind}
            for kind in FRAMEWORKS
            for item in connection.objects(kind, namespace)
        ]
    except ForbiddenError as forbidden:
        return checks.skipped(NAME, "what names a queue cannot be read", forbidden.evidence)
    queues = named(items)
    if not queues:
        return checks.ok(NAME, f"nothing in namespace {namespace} names a Kueue queue")
    return check(connection, namespace, queues)


def check(connection: Kubernetes, namespace: str, queues: Mapping[str, Collection[str]]) -> Check:
    """Whether Kueue would admit these kinds from these LocalQueues, as far as it may be read."""
    names = ", ".join(queues)
    if not connection.serves(API, "localqueues"):
        if connection.serves(OLD_API, "localqueues"):
            what = f"a queue is named ({names}), of a Kueue older than raykit can check"
            return checks.skipped(NAME, what, [f"it serves {OLD_API}, not {API}"])
        what = f"a queue is named ({names}), and the API server knows no Kueue"
        evidence = [f"it knows no localqueues in {API}; without Kueue the label does nothing"]
        return checks.missing(NAME, what, evidence, f"install Kueue: {MANUAL}")
    kinds = {kind for of_queue in queues.values() for kind in of_queue}
    asked = [
        partial(_controller, connection, kinds),
        *(partial(_local_queue, connection, namespace, name) for name in queues),
    ]
    parts = [checks.answer(Question(NAME, examine)) for examine in asked]
    return _joined(parts) or checks.ok(NAME, f"Kueue runs and admits from {names}")


def _joined(parts: Sequence[Check]) -> Check | None:
    """The worst part, with what the others of its state say; None if all are well."""
    for state in (State.fail, State.warn, State.skipped):
        same = [part for part in parts if part.state is state]
        if same:
            evidence = (*same[0].evidence, *(part.what for part in same[1:]))
            return replace(same[0], evidence=evidence)
    return None


def _controller(connection: Kubernetes, kinds: Collection[str]) -> Check:
    """Whether Kueue's controller runs, and whether it is in charge of these kinds."""
    try:
        deployments = connection.objects("Deployment", EVERYWHERE, labels=LABELS)
    except ForbiddenError as forbidden:
        return checks.skipped(NAME, "whether Kueue runs cannot be read", forbidden.evidence)
    if not deployments:
        what = "no Kueue runs here by the name that its own manifests use"
        labels = ",".join(f"{key}={value}" for key, value in LABELS.items())
        return checks.warning(NAME, what, [f"no Deployment carries the labels {labels}"])
    deployment = deployments[0]
    where, home = operator.where(deployment), deployment["metadata"]["namespace"]
    kube = kubectl(connection.context, home)
    if (deployment.get("spec") or {}).get("replicas", 1) == 0:
        what = "Kueue has no replica: somebody scaled it to 0"
        repair = f"{kube} scale deployment/{deployment['metadata']['name']} --replicas=1"
        return checks.missing(NAME, what, [f"{where}: spec.replicas is 0"], repair)
    if not holds(deployment, "Available"):
        message = (condition(deployment, "Available") or {}).get("message", "not available yet")
        return checks.refused(
            NAME, "Kueue is not ready", [f"{where}: {message}"], f"{kube} describe pods"
        )
    off = sorted(left_out(configuration.read(connection, deployment), kinds))
    if off:
        what = f"Kueue is not in charge of {' and '.join(off)}: they start without their queue"
        evidence = [f"integrations.frameworks of its configuration ({where}) lacks them"]
        repair = "add it there, restart Kueue, and make them again"
        return checks.missing(NAME, what, evidence, repair)
    return checks.ok(NAME, f"Kueue runs ({where})")


def left_out(content: Object | None, kinds: Collection[str]) -> Iterator[str]:
    """The frameworks that Kueue's configuration leaves out. content: None: it cannot be read.

    Without a list Kueue takes Kubernetes' own Jobs alone.
    """
    if content is None:
        return
    integrations = content.get("integrations")
    listed = integrations.get("frameworks") if isinstance(integrations, dict) else None
    for kind in kinds:
        if FRAMEWORKS[kind] not in (listed if isinstance(listed, list) else []):
            yield FRAMEWORKS[kind]


def _local_queue(connection: Kubernetes, namespace: str, name: str) -> Check:
    try:
        item = connection.get("LocalQueue", name, namespace)
    except ForbiddenError as forbidden:
        return checks.skipped(NAME, f"the LocalQueue {name} cannot be read", forbidden.evidence)
    kube = kubectl(connection.context, namespace)
    if item is None:
        what = f"there is no LocalQueue {name} in namespace {namespace}"
        there = [f"there is {queue}" for queue in _others(connection, namespace)]
        return checks.missing(NAME, what, there, f"{kube} get localqueues")
    of_cluster = _cluster_queue(connection, name, (item.get("spec") or {}).get("clusterQueue", ""))
    if of_cluster.state in (State.fail, State.warn):
        return of_cluster
    look = f"{kube} describe localqueue {item['metadata']['name']}"
    return _active(item, f"the LocalQueue {name}", look)


def _cluster_queue(connection: Kubernetes, queue: str, name: str) -> Check:
    try:
        item = connection.get("ClusterQueue", name)
    except ForbiddenError as forbidden:
        return checks.skipped(NAME, f"the ClusterQueue {name} cannot be read", forbidden.evidence)
    kube = kubectl(connection.context)
    if item is None:
        what = f"the LocalQueue {queue} leads to the ClusterQueue {name}, which does not exist"
        return checks.missing(NAME, what, next=f"{kube} get clusterqueues")
    return _active(item, f"the ClusterQueue {name}", f"{kube} describe clusterqueue {name}")


def _active(item: Object, what: str, look: str) -> Check:
    active = condition(item, "Active")
    if active is None:
        return checks.warning(NAME, f"Kueue has not looked at {what} yet", next=look)
    if active["status"] == "True":
        return checks.ok(NAME, f"{what} is active")
    reason = f"{active.get('reason', 'no reason')}: {active.get('message', '')}"
    return checks.refused(NAME, f"{what} is not active", [reason.rstrip(": ")], look)


def _others(connection: Kubernetes, namespace: str) -> list[str]:
    try:
        return [item["metadata"]["name"] for item in connection.objects("LocalQueue", namespace)]
    except RaykitError:
        return []
