"""A cluster from a spec, on a Kubernetes context: up, status, down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raykit import locks
from raykit.containers import docker, image, kind
from raykit.errors import ConflictError, MissingError, UsageError
from raykit.kube import contexts
from raykit.kube.connection import Kubernetes, connect
from raykit.kuberay import operator, raycluster
from raykit.kuberay.finding import Finding
from raykit.kuberay.pods import head_is_ready, ray_image, ready_workers, wanted_workers
from raykit.kuberay.raycluster import Cluster
from raykit.manifests.render import render
from raykit.progress import Progress
from raykit.spec import load
from raykit.spec.model import ClusterSpec
from raykit.spec.names import CLUSTER_LABEL

TIMEOUT_SECONDS = 300.0
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def _never(_: str) -> bool:
    return False


@dataclass(frozen=True)
class Request:
    """What `raykit up` was asked for.

    confirm: asked with one line before anything is changed in a context that is not kind's.
    timeout: seconds for head and workers together.
    """

    spec: ClusterSpec
    context: str | None = None
    create_namespace: bool = False
    timeout: float = TIMEOUT_SECONDS
    confirm: Callable[[str], bool] = field(default=_never)


def up(request: Request, progress: Progress) -> Cluster:
    """Bring a cluster up and wait until it is ready; nothing changes where it is already so.

    Errors: MissingError (4), KubernetesError (5), ConflictError (8), UsageError (2) when not
    confirmed.
    """
    with progress.step("preflight", "Kubernetes and KubeRay"):
        connection = connect(request.context)
        operator.require(connection)
        spec = in_namespace(request.spec, connection)
        _refuse_foreign(connection, spec)
    _agree(connection, f"bring up {spec.name} in namespace {spec.namespace}", request.confirm)
    with locks.held(_lock(connection, spec), f"bringing up {spec.name}"):
        _namespace(connection, spec, request.create_namespace)
        with progress.step("image", "image"):
            reference = _image(connection, spec, progress)
        cluster = apply(connection, spec, reference, progress)
        return raycluster.wait_ready(cluster, progress, request.timeout)


def read_spec(
    path: Path,
    *,
    name: str | None = None,
    namespace: str | None = None,
    replicas: int | None = None,
) -> ClusterSpec:
    """A spec file with what the command line gave in place of its own. Errors: SpecError (3)."""
    return load.overridden(load.load_file(path), name=name, namespace=namespace, replicas=replicas)


def in_namespace(spec: ClusterSpec, connection: Kubernetes) -> ClusterSpec:
    """The spec with a namespace: its own, else the context's, else raykit."""
    return spec if spec.namespace else load.overridden(spec, namespace=connection.namespace)


def apply(connection: Kubernetes, spec: ClusterSpec, reference: str, progress: Progress) -> Cluster:
    """Apply what the spec renders to. reference: the image where the spec names none."""
    assert spec.namespace is not None
    with progress.step("apply", f"RayCluster {spec.name} applied"):
        items = [connection.apply(item) for item in render(spec, image=reference)]
    item = next(each for each in items if each["kind"] == "RayCluster")
    return Cluster(connection, spec.name, spec.namespace, item)


def create_namespace(connection: Kubernetes, name: str) -> None:
    """Make a namespace that enforces Pod Security `restricted`, unless it is there."""
    if connection.get("Namespace", name) is None:
        connection.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": RESTRICTED},
            }
        )


def status(context: str | None, namespace: str | None) -> list[dict[str, Any]]:
    """One row for each of raykit's clusters in a context."""
    connection = connect(context)
    operator.require(connection)
    return [_row(cluster) for cluster in raycluster.find(connection, namespace=namespace)]


def down(
    name: str,
    context: str | None,
    namespace: str | None,
    confirm: Callable[[str], bool],
    progress: Progress,
) -> Cluster:
    """Delete one of raykit's clusters and wait until its pods are gone.

    Errors: MissingError (4) for none of that name, UsageError (2) for several.
    """
    with progress.step("preflight", "Kubernetes and KubeRay"):
        connection = connect(context)
        operator.require(connection)
        cluster = raycluster.the_one(connection, name, namespace)
    _agree(connection, f"delete {cluster.name} in namespace {cluster.namespace}", confirm)
    with progress.step("down", f"{cluster.name} ended"):
        raycluster.end(cluster, progress)
    return cluster


def _agree(connection: Kubernetes, doing: str, confirm: Callable[[str], bool]) -> None:
    context = connection.context
    if contexts.kind_cluster(context) or confirm(f"{doing}, in context {context}?"):
        return
    raise UsageError(
        f"not confirmed: {doing}, in context {context}",
        evidence=["it is not a kind cluster, so raykit asks first"],
        next="run it again with --yes",
    )


def _refuse_foreign(connection: Kubernetes, spec: ClusterSpec) -> None:
    there = connection.get("RayCluster", spec.name, spec.namespace)
    if there and CLUSTER_LABEL not in (there["metadata"].get("labels") or {}):
        raise ConflictError(
            f"there is a RayCluster {spec.name} in namespace {spec.namespace} that raykit "
            "did not make",
            evidence=[f"it lacks the label {CLUSTER_LABEL}"],
            next="choose another name: --name NAME",
        )


def _namespace(connection: Kubernetes, spec: ClusterSpec, create: bool) -> None:
    assert spec.namespace is not None
    if connection.get("Namespace", spec.namespace) is not None:
        return
    if not create:
        raise MissingError(
            f"there is no namespace {spec.namespace} in context {connection.context}",
            next="run it again with --create-namespace, or name another: --namespace NAME",
        )
    create_namespace(connection, spec.namespace)


def _image(connection: Kubernetes, spec: ClusterSpec, progress: Progress) -> str:
    """The image, in the nodes where only we can bring it there."""
    reference = spec.image or image.reference()
    if not image.is_own(reference):
        return reference
    cluster = contexts.kind_cluster(connection.context)
    if cluster is None:
        raise MissingError(
            f"the image {reference} is in no registry, and {connection.context} is no kind cluster",
            next="push it and name it: `image: REGISTRY/raykit:TAG` in the spec",
        )
    docker.engine()
    nodes = kind.workers(kind.nodes(cluster))
    if reference == image.reference() and image.missing(nodes, reference):
        image.build(reference, progress)
    image.load(cluster, nodes, reference, progress)
    return reference


def _lock(connection: Kubernetes, spec: ClusterSpec) -> str:
    return f"up-{connection.context}-{spec.namespace}-{spec.name}"


def _row(cluster: Cluster) -> dict[str, Any]:
    pods = raycluster.pods(cluster)
    head = head_is_ready(cluster.item, pods)
    ready = ready_workers(cluster.item, pods)
    wanted = wanted_workers(cluster.item)
    whole = head and ready == wanted
    found = [] if whole else raycluster.findings(cluster, pods)
    return {
        "name": cluster.name,
        "namespace": cluster.namespace,
        "context": cluster.connection.context,
        "state": "ready" if whole else "suspended" if _is_suspended(found) else "not ready",
        "head": "ready" if head else "not ready",
        "workers_ready": ready,
        "workers_wanted": wanted,
        "ray_version": cluster.item["spec"].get("rayVersion"),
        "image": ray_image(cluster.item),
        "created": cluster.item["metadata"].get("creationTimestamp"),
        "reasons": [{"what": each.what, "evidence": list(each.evidence)} for each in found],
        "next": next((each.next for each in found if each.next), ""),
    }


def _is_suspended(found: list[Finding]) -> bool:
    return any(each.key == "suspended" for each in found)
