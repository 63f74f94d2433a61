"""What marks an object as raykit's and as one cluster's."""

from __future__ import annotations

import hashlib
import json

from raykit.objects import Object
from raykit.spec import names
from raykit.spec.model import ClusterSpec

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"


def labels(spec: ClusterSpec) -> dict[str, str]:
    """The labels of every object of a cluster.

    Not `app.kubernetes.io/name` nor `created-by`: KubeRay's head service selects pods by them.
    """
    return {
        names.INSTANCE_LABEL: spec.name,
        names.MANAGED_BY_LABEL: names.MANAGED_BY,
        names.CLUSTER_LABEL: spec.name,
    }


def metadata(spec: ClusterSpec, name: str, *, queued: bool = False) -> Object:
    """The metadata of an object of a cluster; queued: the spec's queue, if any, admits it."""
    made: Object = {"name": name}
    if spec.namespace is not None:
        made["namespace"] = spec.namespace
    queue = {QUEUE_LABEL: spec.queue} if queued and spec.queue is not None else {}
    return {**made, "labels": {**labels(spec), **queue}}


def canonical(content: Object) -> str:
    """An object as JSON in the one form that raykit and its chart both write: keys sorted, no
    space, text as it is."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def hash_of(content: Object, digits: int) -> str:
    """Hexadecimal digits that change with anything in the content."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()[:digits]
