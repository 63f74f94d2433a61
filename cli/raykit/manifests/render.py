"""Manifests: what a spec comes to for `kubectl apply`. The same spec gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence

import yaml

from raykit.manifests import pods
from raykit.objects import Object
from raykit.spec import names
from raykit.spec.model import ClusterSpec, WorkerGroup, most, wanted


def render(
    spec: ClusterSpec, *, image: str, image_pull_policy: str = "IfNotPresent"
) -> list[Object]:
    """The objects of a valid spec, in the order in which they are to be applied.

    image: raykit's own, taken where the spec names none.
    """
    cluster: Object = {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": _metadata(spec),
        "spec": _cluster(spec, image, image_pull_policy),
    }
    cluster["metadata"]["annotations"] = {names.HASH_ANNOTATION: spec_hash(cluster["spec"])}
    # A round trip makes every part its own object: no anchors in YAML, nothing shared to change.
    return [json.loads(json.dumps(cluster))]


def to_yaml(objects: Sequence[Object]) -> str:
    """The objects as one YAML text, each after a line `---`."""
    # The Python dumper, which is always there: the C one folds and quotes otherwise. ASCII, since
    # it spoils next-line characters that it may write as they are.
    return yaml.dump_all(
        objects, Dumper=yaml.SafeDumper, sort_keys=False, explicit_start=True, width=sys.maxsize
    )


def spec_hash(cluster_spec: Object) -> str:
    """Twelve hexadecimal digits that change with anything in a RayCluster's rendered `spec`."""
    canonical = json.dumps(cluster_spec, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _metadata(spec: ClusterSpec) -> Object:
    metadata: Object = {"name": spec.name}
    if spec.namespace is not None:
        metadata["namespace"] = spec.namespace
    return {**metadata, "labels": pods.labels(spec)}


def _cluster(spec: ClusterSpec, image: str, pull_policy: str) -> Object:
    cluster: Object = {
        "rayVersion": spec.ray_version,
        # KubeRay runs without authentication where the mode is left out.
        "authOptions": {"mode": spec.auth.mode},
        # Without it pods keep what they ran before: a changed image would change nothing.
        "upgradeStrategy": {"type": "Recreate"},
        "headGroupSpec": {
            "rayStartParams": pods.head_start_params(spec),
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


def _group(spec: ClusterSpec, group: WorkerGroup, image: str, pull_policy: str) -> Object:
    # With the autoscaler `replicas` is its own: applying a number again would undo its work.
    replicas = {} if spec.autoscaling.enabled else {"replicas": wanted(group)}
    return {
        "groupName": group.name,
        **replicas,
        "minReplicas": group.min_replicas,
        "maxReplicas": most(group),
        "rayStartParams": pods.worker_start_params(group),
        "template": pods.worker_template(spec, group, image, pull_policy),
    }
