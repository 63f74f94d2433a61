"""Render a spec to the manifests for `kubectl apply`. The same spec gives the same bytes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import yaml

from raykit.manifests import pods
from raykit.manifests.addons import addons
from raykit.manifests.metadata import metadata, queue_annotations
from raykit.manifests.rayjob import ray_job
from raykit.objects import Object, hash_of
from raykit.spec import names
from raykit.spec.model import ClusterSpec, WorkerGroup, head_task_cpus, most, wanted

WITHOUT_PRIORITY = frozenset({"1.6.2"})
"""Versions of KubeRay whose groups have no `priority`; later versions add it if it is absent."""


def render(
    spec: ClusterSpec, *, image: str, image_pull_policy: str = "IfNotPresent"
) -> list[Object]:
    """The objects of a valid spec, in the order to apply them.

    image, image_pull_policy: used if the spec does not set them.
    """
    pull_policy = spec.image_pull_policy or image_pull_policy
    body = _cluster(spec, image, pull_policy)
    cluster: Object = {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": metadata(spec, spec.name, queued=True),
        "spec": body,
    }
    cluster["metadata"]["annotations"] = {
        names.HASH_ANNOTATION: spec_hash(body),
        **queue_annotations(spec),
    }
    objects = [
        *addons(spec),
        cluster,
        *(ray_job(spec, job, body, image, pull_policy) for job in spec.jobs),
    ]
    # The round trip copies shared parts: no anchors in YAML, and no change of one changes another.
    return [json.loads(json.dumps(item)) for item in objects]


def to_yaml(objects: Sequence[Object]) -> str:
    """The objects as one YAML text, each after a line `---`."""
    # Use the Python dumper, which is always available: the C dumper folds and quotes differently.
    # Keep its ASCII output: unescaped, it would garble next-line characters.
    return yaml.dump_all(
        objects, Dumper=yaml.SafeDumper, sort_keys=False, explicit_start=True, width=sys.maxsize
    )


def spec_hash(cluster_spec: Object) -> str:
    """A hash of a RayCluster's rendered `spec`: twelve hexadecimal digits."""
    return hash_of(cluster_spec, 12)


def _cluster(spec: ClusterSpec, image: str, pull_policy: str) -> Object:
    cluster: Object = {
        "rayVersion": spec.ray_version,
        "authOptions": _auth(spec),
        # Without Recreate running pods stay as they are, even if the image changes.
        "upgradeStrategy": {"type": spec.upgrade},
        **({"suspend": True} if spec.suspend else {}),
        "headGroupSpec": {
            "rayStartParams": pods.head_start_params(spec),
            **pods.ray_offers(spec.head, head_task_cpus(spec)),
            "template": pods.head_template(spec, image, pull_policy),
        },
    }
    if spec.autoscaling.enabled:
        cluster["enableInTreeAutoscaling"] = True
        cluster["autoscalerOptions"] = pods.autoscaler_options(spec, pull_policy)
    if spec.workers:
        cluster["workerGroupSpecs"] = [
            _group(spec, group, image, pull_policy) for group in spec.workers
        ]
    return cluster


def _auth(spec: ClusterSpec) -> Object:
    # KubeRay runs without authentication if the mode is left out.
    secret = {} if spec.auth.secret_name is None else {"secretName": spec.auth.secret_name}
    return {"mode": spec.auth.mode, **secret}


def _group(spec: ClusterSpec, group: WorkerGroup, image: str, pull_policy: str) -> Object:
    # To server-side apply all groups are one value: an absent `replicas` would become 0. And Flux
    # can keep the number of the autoscaler only in a field that is there.
    replicas = group.min_replicas if spec.autoscaling.enabled else wanted(group)
    timeout = group.idle_timeout_seconds
    idle = {} if timeout is None else {"idleTimeoutSeconds": timeout}
    return {
        "groupName": group.name,
        "replicas": replicas,
        "minReplicas": group.min_replicas,
        "maxReplicas": most(group),
        # KubeRay's CRD would add it; written here, a comparison shows no difference.
        "numOfHosts": 1,
        **({"priority": 0} if spec.kuberay not in WITHOUT_PRIORITY else {}),
        **idle,
        "rayStartParams": pods.worker_start_params(group),
        **pods.ray_offers(group, group.task_cpus),
        "template": pods.worker_template(spec, group, image, pull_policy),
    }
