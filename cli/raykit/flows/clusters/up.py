"""`raykit up -f`: bring up the cluster of a spec on Kubernetes, or apply a changed spec."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from raykit.containers import docker, image, kind, registry
from raykit.errors import ConflictError, KubernetesError, MissingError, RaykitError
from raykit.flows.clusters import applying, consent
from raykit.flows.clusters.applying import Plan
from raykit.flows.examining import advice
from raykit.flows.examining.advice import advised
from raykit.flows.ranges import BRING_UP_SECONDS
from raykit.flows.targets.kinds import OnKubernetes, Target
from raykit.kube import kubeconfig
from raykit.kube.connection import Kubernetes, connect
from raykit.kube.contexts import Context
from raykit.kube.errors import ForbiddenError, got_no_answer, no_namespace
from raykit.kuberay import bring_up, choosing, operator, raycluster
from raykit.kuberay.raycluster import Cluster
from raykit.local import warm
from raykit.manifests.render import render
from raykit.objects import ray_cluster_of
from raykit.progress import Progress
from raykit.spec import load
from raykit.spec.model import ClusterSpec

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}

Keep = Callable[[Target, RaykitError], None]
"""Keeps evidence of a cluster that was refused or did not become ready, for this reason."""


def _never(_: str) -> bool:
    return False


def nothing(_target: Target, _error: RaykitError) -> None:
    """Keep no evidence."""


@dataclass(frozen=True)
class Request:
    """The arguments of `raykit up -f`.

    context: None: the current one. create_namespace: make the namespace if it does not exist.
    timeout: seconds until head and workers are ready.
    recreate: delete a cluster that exists and make it again, so that all pods restart.
    file: where the spec comes from, for messages.
    confirm: asks the user before raykit changes a context whose Kubernetes cluster it did not
    make, and before running jobs are lost. keep: called if the API server refuses the cluster, or
    if it does not become ready.
    """

    spec: ClusterSpec
    context: str | None = None
    create_namespace: bool = False
    timeout: float = BRING_UP_SECONDS
    recreate: bool = False
    file: Path | None = None
    confirm: consent.Confirm = field(default=_never)
    keep: Keep = field(default=nothing)


def up(request: Request, progress: Progress) -> Cluster:
    """Bring a cluster up and wait until it is ready; change nothing if it equals the spec.

    Errors: UsageError (2) if the user does not confirm, MissingError (4) for KubeRay, the namespace
    or the image, KubernetesError (5) if the cluster does not become ready, ConflictError (8) if
    raykit did not make it or somebody else changes it. Those with 4 or 5 hold doctor's advice.
    """
    with advised(partial(advice.of_up, request.spec, request.context)):
        return _up(request, progress)


def _up(request: Request, progress: Progress) -> Cluster:
    with progress.step("preflight", "Kubernetes and KubeRay"):
        connection = connect(request.context)
        operator.require(connection)
        spec = in_namespace(request.spec, connection)
        context = consent.describe(connection)
        reference = spec.image or image.reference()
        refuse_absent_image(context, spec, request.file)
    with consent.one_at_a_time(connection, spec.name, spec.namespace, request.timeout, progress):
        to_do = Plan(render(spec, image=reference))
        existing = _existing(connection, spec)
        if existing is None:
            doing = f"bring up {spec.name} in namespace {spec.namespace}"
            consent.require(context, doing, request.confirm)
            _namespace(connection, spec, request.create_namespace)
        else:
            with _kept_if_refused(connection, to_do, request.keep):
                to_do = _plan(connection, to_do, existing, request.recreate)
            if not to_do.change:
                progress.note(f"{existing.where} is as the spec says: nothing to change")
                if not context.asks_first:
                    bring_image(context, reference, progress)
                return _ready(existing, progress, request.timeout, request.keep)
            consent.agree_to(to_do.change, existing, context, request.confirm, progress)
        with progress.step("image", "image"):
            bring_image(context, reference, progress)
        # The question and the image may have taken minutes.
        if existing is None:
            _refuse_made_meanwhile(connection, spec)
        else:
            now = consent.unchanged(existing)
            if request.recreate:
                _end(existing, progress)
            else:
                to_do = applying.renewed(to_do, now)
        return come_up(connection, to_do, progress, request.timeout, request.keep)


def read_spec(
    path: Path,
    *,
    name: str | None = None,
    namespace: str | None = None,
    replicas: int | None = None,
) -> ClusterSpec:
    """The spec of a file, with the given options in place of its own values.

    Errors: SpecError (3); UsageError (2) if the file cannot be read.
    """
    return load.overridden(load.load_file(path), name=name, namespace=namespace, replicas=replicas)


def in_namespace(spec: ClusterSpec, connection: Kubernetes) -> ClusterSpec:
    """The spec with a namespace: its own, else the context's, else `raykit`."""
    return spec if spec.namespace else load.overridden(spec, namespace=connection.namespace)


def come_up(
    connection: Kubernetes,
    to_do: Plan,
    progress: Progress,
    timeout: float,
    keep: Keep = nothing,
) -> Cluster:
    """Apply a plan, wait until the cluster is ready, and record how it came up.

    timeout: seconds. keep: called if it is refused or does not become ready.
    Errors: MissingError (4), KubernetesError (5) with the reason, ConflictError (8).
    """
    name = ray_cluster_of(to_do.items)["metadata"]["name"]
    step = progress.step("apply", f"RayCluster {name} applied")
    with _kept_if_refused(connection, to_do, keep), step:
        applied = applying.apply(connection, to_do)
    ready = _ready(applied, progress, timeout, keep)
    bring_up.record(ready, applied.item)
    return ready


def shortest(cluster: Cluster) -> str:
    """The shortest text for `--on` that names this cluster, with the current kubeconfig."""
    config = kubeconfig.load()
    if config is None or config.current != cluster.connection.context:
        return cluster.where
    taken = cluster.name == warm.DEFAULT_NAME or warm.find(cluster.name)
    if taken or cluster.namespace != cluster.connection.namespace:
        return f"{cluster.namespace}/{cluster.name}"
    return cluster.name


def create_namespace(connection: Kubernetes, name: str) -> None:
    """Make a namespace that enforces Pod Security `restricted`, unless it exists."""
    if not _is_there(connection, name):
        connection.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": RESTRICTED},
            }
        )


def _ready(cluster: Cluster, progress: Progress, timeout: float, keep: Keep) -> Cluster:
    """The cluster once it is ready. Errors: as `raycluster.wait_ready`, after evidence was kept."""
    try:
        return raycluster.wait_ready(cluster, progress, timeout)
    except KubernetesError as error:
        keep(OnKubernetes(cluster, ""), error)
        raise


@contextlib.contextmanager
def _kept_if_refused(connection: Kubernetes, to_do: Plan, keep: Keep) -> Iterator[None]:
    """Keep evidence if the API server refuses what is to be applied: a right, admission, quota."""
    try:
        yield
    except (MissingError, KubernetesError) as error:
        if not got_no_answer(error):
            wanted = ray_cluster_of(to_do.items)
            name, namespace = wanted["metadata"]["name"], wanted["metadata"]["namespace"]
            keep(OnKubernetes(Cluster(connection, name, namespace, wanted), ""), error)
        raise


def _existing(connection: Kubernetes, spec: ClusterSpec) -> Cluster | None:
    """The RayCluster of the spec's name. Errors: ConflictError (8) if raykit did not make it."""
    assert spec.namespace is not None
    item = connection.get("RayCluster", spec.name, spec.namespace)
    if item is None:
        return None
    choosing.refuse_foreign(item)
    return Cluster(connection, spec.name, spec.namespace, item)


def _refuse_made_meanwhile(connection: Kubernetes, spec: ClusterSpec) -> None:
    """Errors: ConflictError (8) if there is a RayCluster of the spec's name by now."""
    existing = _existing(connection, spec)
    if existing is not None:
        raise ConflictError(
            f"{existing.where} was made meanwhile by somebody else",
            next="run the same command again: it shows what it would change",
        )


def _plan(connection: Kubernetes, to_do: Plan, existing: Cluster, recreate: bool) -> Plan:
    """The plan for a cluster that exists.

    Errors: ConflictError (8) if it is to be made again, and Argo CD, Flux or Helm would interfere.
    """
    if not recreate:
        return applying.plan(connection, to_do.items, existing)
    choosing.refuse_applied_from_elsewhere(existing)
    changed = applying.plan(connection, to_do.items, existing, force=True).change
    return replace(to_do, change=changed.recreated())


def _end(existing: Cluster, progress: Progress) -> None:
    with progress.step("down", f"{existing.name} ended"):
        raycluster.end(existing, progress)
        applying.remove_beside(existing.connection, existing)


def _namespace(connection: Kubernetes, spec: ClusterSpec, create: bool) -> None:
    assert spec.namespace is not None
    if _is_there(connection, spec.namespace):
        return
    if not create:
        raise no_namespace(connection.about, spec.namespace)
    create_namespace(connection, spec.namespace)


def _is_there(connection: Kubernetes, namespace: str) -> bool:
    """Whether a namespace exists. Who may not read it works in one that was made for them."""
    try:
        return connection.get("Namespace", namespace) is not None
    except ForbiddenError:
        return True


def refuse_absent_image(context: Context, spec: ClusterSpec, file: Path | None = None) -> None:
    """Refuse a spec whose image no node of the context can pull.

    file: where the spec comes from, for the command that mends it.
    Errors: MissingError (4) if the image is in no registry, kubelets are to pull it, and the
    context takes no loaded images.
    """
    if context.takes_loaded_images or spec.image_pull_policy == "Never":
        return
    reference = spec.image or image.reference()
    what = f"the image {reference} is in no registry, and {context} is no kind cluster"
    if image.is_own(reference):
        name = shlex.quote(str(file)) if file else "SPEC"
        push = f"raykit image push REGISTRY/raykit -f {name}   (writes its digest into the spec)"
        raise MissingError(what, next=push)
    if not context.may_share_images and registry.only_here(reference):
        raise MissingError(
            what,
            evidence=["the docker engine of this machine has it, built here and never pushed"],
            next=f"{registry.push_command(reference)}; "
            "if every node has it already: imagePullPolicy: Never",
        )


def bring_image(context: Context, reference: str, progress: Progress) -> None:
    """Load raykit's own image into the nodes; other images come from a registry."""
    cluster = context.kind_cluster
    if cluster is None or not image.is_own(reference):
        return
    docker.engine()
    nodes = kind.workers(kind.nodes(cluster))
    if reference == image.reference() and image.missing(nodes, reference):
        image.build(reference, progress)
    image.load(cluster, nodes, reference, progress)
