"""The metadata of rendered objects: labels that show raykit and the cluster, and hashes."""

from __future__ import annotations

from raykit.objects import Object
from raykit.spec import names
from raykit.spec.model import ClusterSpec

ELASTIC_ANNOTATION = "kueue.x-k8s.io/elastic-job"


def labels(spec: ClusterSpec) -> dict[str, str]:
    """The labels of every object of a cluster.

    They do not include `app.kubernetes.io/name` and `created-by`: KubeRay's head service selects
    pods by these.
    """
    return {
        names.INSTANCE_LABEL: spec.name,
        names.MANAGED_BY_LABEL: names.MANAGED_BY,
        names.CLUSTER_LABEL: spec.name,
    }


def metadata(spec: ClusterSpec, name: str, *, queued: bool = False) -> Object:
    """The metadata of an object of a cluster. queued: add the label of the spec's queue, if any."""
    common: Object = {"name": name}
    if spec.namespace is not None:
        common["namespace"] = spec.namespace
    queue = {names.QUEUE_LABEL: spec.queue} if queued and spec.queue is not None else {}
    return {**common, "labels": {**labels(spec), **queue}}


def queue_annotations(spec: ClusterSpec) -> dict[str, str]:
    """The annotation by which Kueue lets the number of workers change while they run."""
    is_elastic = spec.queue is not None and spec.autoscaling.enabled
    return {ELASTIC_ANNOTATION: "true"} if is_elastic else {}
