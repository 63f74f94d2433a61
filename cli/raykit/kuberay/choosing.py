"""Find RayClusters: by name or label, in one namespace or in all.

Commands that change or delete a RayCluster search one namespace only (`find_one`). All namespaces
are searched to list clusters, to give advice, and to run jobs on a named cluster.
"""

from __future__ import annotations

from raykit.errors import ConflictError, MissingError
from raykit.kube.connection import EVERYWHERE, Kubernetes
from raykit.kube.errors import ForbiddenError
from raykit.kube.reference import Reference
from raykit.kuberay.raycluster import Cluster
from raykit.objects import Object, owners
from raykit.spec.names import CLUSTER_LABEL, HASH_ANNOTATION, MANAGED_BY_LABEL

MADE_BY_RAYKIT = "raykit"
APPLIERS = {
    "argocd-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "helm": "Helm",
}
"""Field managers of the tools that apply RayClusters from elsewhere, such as from git."""


def find(
    connection: Kubernetes,
    namespace: str | None = None,
    *,
    name: str | None = None,
    labelled: bool = False,
) -> list[Cluster]:
    """RayClusters, sorted by namespace and name, from one request.

    namespace: None: all that the user may read. name: None: any.
    labelled: only clusters whose raykit label equals their name.
    """
    labels = {CLUSTER_LABEL: ""} if labelled else None
    fields = {"metadata.name": name} if name else None
    try:
        items = connection.objects(
            "RayCluster", namespace or EVERYWHERE, labels=labels, fields=fields
        )
    except ForbiddenError:
        if namespace:
            raise
        # A user may have the right to read one namespace but not all of them.
        items = connection.objects("RayCluster", connection.namespace, labels=labels, fields=fields)
    if labelled:
        # KubeRay copies a RayJob's label to the cluster that it makes for the job.
        items = [item for item in items if _label(item) == item["metadata"]["name"]]
    clusters = [_cluster(connection, item) for item in items]
    return sorted(clusters, key=lambda cluster: (cluster.namespace, cluster.name))


def named(connection: Kubernetes, reference: Reference) -> list[Cluster]:
    """The RayClusters that a reference names, also those that raykit did not make.

    It searches the reference's namespace. Without one it searches the context's namespace, and
    then all others if that has no such cluster.
    """
    namespace = reference.namespace or connection.namespace
    try:
        item = connection.get("RayCluster", reference.name, namespace)
    except ForbiddenError:
        if reference.namespace:
            raise
        item = None
    if item is not None:
        return [_cluster(connection, item)]
    return [] if reference.namespace else find(connection, name=reference.name)


def find_one(connection: Kubernetes, name: str, namespace: str) -> Cluster:
    """The RayCluster of a name in one namespace, to change or delete it.

    Errors: MissingError (4) if there is none, with the clusters of that name elsewhere;
    ConflictError (8) if raykit did not make it.
    """
    item = connection.get("RayCluster", name, namespace)
    if item is None:
        raise _absent(connection, name, namespace)
    refuse_foreign(item)
    return _cluster(connection, item)


def refuse_foreign(item: Object) -> None:
    """Errors: ConflictError (8) if raykit did not make a RayCluster: it changes only its own."""
    maker = made_by(item)
    if maker == MADE_BY_RAYKIT:
        return
    metadata = item["metadata"]
    raise ConflictError(
        f"there is a RayCluster {metadata['name']} in namespace {metadata['namespace']} that "
        "raykit did not make",
        evidence=[
            f"made by: {maker or 'unknown'}",
            f"raykit's own have the label {CLUSTER_LABEL} and the annotation {HASH_ANNOTATION}",
        ],
        next="choose another name with --name, or change this one with kubectl",
    )


def refuse_applied_from_elsewhere(cluster: Cluster) -> None:
    """Errors: ConflictError (8) if Argo CD, Flux or Helm applies a RayCluster."""
    tool = applied_from_elsewhere(cluster.item)
    if tool is None:
        return
    raise ConflictError(
        f"{tool} applies {cluster.where}, and would undo what raykit changes",
        evidence=[f"field manager of its spec: {', '.join(sorted(owners(cluster.item, 'spec')))}"],
        next=f"change it where {tool} reads it: in git, or in the chart's values",
    )


def made_by(item: Object) -> str | None:
    """Who made a RayCluster; None if unknown.

    `raykit` if it was rendered by raykit, even if kubectl or Argo CD applied it. Otherwise its
    owner as `KIND/NAME`, or its label `app.kubernetes.io/managed-by`.
    """
    metadata = item["metadata"]
    annotations = metadata.get("annotations") or {}
    if _label(item) == metadata["name"] and HASH_ANNOTATION in annotations:
        return MADE_BY_RAYKIT
    for owner in metadata.get("ownerReferences") or []:
        return f"{owner['kind']}/{owner['name']}"
    manager: str | None = (metadata.get("labels") or {}).get(MANAGED_BY_LABEL)
    return None if manager == MADE_BY_RAYKIT else manager


def applied_from_elsewhere(item: Object) -> str | None:
    """The tool that applies a RayCluster from git or a chart, such as `Argo CD`; None if none does.

    It undoes what others change, and makes a cluster again that others delete.
    """
    tools = {APPLIERS[name] for name in owners(item, "spec") if name in APPLIERS}
    return " and ".join(sorted(tools)) or None


def _label(item: Object) -> str | None:
    label: str | None = (item["metadata"].get("labels") or {}).get(CLUSTER_LABEL)
    return label


def _cluster(connection: Kubernetes, item: Object) -> Cluster:
    metadata = item["metadata"]
    return Cluster(connection, metadata["name"], metadata["namespace"], item)


def _absent(connection: Kubernetes, name: str, namespace: str) -> MissingError:
    same, others = find(connection, name=name), find(connection, namespace)
    advice = [f"there is {cluster.where}" for cluster in same or others]
    return MissingError(
        f"there is no cluster {name} in namespace {namespace} of context {connection.context}",
        evidence=advice,
        next="raykit status lists all clusters"
        + (f"; one elsewhere is named as {same[0].where}" if same else ""),
    )
