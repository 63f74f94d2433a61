"""A RayCluster's pods: which is the head, which container runs Ray, which count as ready. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from raykit.objects import Object, condition, holds

CLUSTER_LABEL, TYPE_LABEL, GROUP_LABEL = "ray.io/cluster", "ray.io/node-type", "ray.io/group"
OPERATOR_VERSION_ANNOTATION = "ray.io/kuberay-version"
AUTOSCALER_CONTAINER = "autoscaler"
RAY_CONTAINERS = ("ray-head", "ray-worker")


def is_head(pod: Object) -> bool:
    return (pod["metadata"].get("labels") or {}).get(TYPE_LABEL) == "head"


def ray_container(cluster: Object, pod: Object) -> Object:
    """The container that runs Ray; empty where the pod has none.

    KubeRay takes the first of the template. In the pod a service mesh may have put its own first,
    so it is found by the template's name for it.
    """
    wanted = [*_template_names(cluster, pod), *RAY_CONTAINERS]
    containers = pod["spec"]["containers"]
    by_name = {each["name"]: each for each in reversed(containers)}
    named = next((by_name[name] for name in wanted if name in by_name), None)
    return named or (containers[0] if containers else {})


def ray_image(cluster: Object) -> str:
    """The image of the head by the RayCluster's spec; empty where it names none."""
    containers = cluster["spec"]["headGroupSpec"]["template"]["spec"]["containers"]
    return str(containers[0].get("image", "")) if containers else ""


def wanted_workers(cluster: Object) -> int:
    """Worker pods that a RayCluster asks for now."""
    spec = cluster["spec"]
    if spec.get("suspend"):
        return 0
    return sum(
        group.get("replicas", group.get("minReplicas", 0)) * group.get("numOfHosts", 1)
        for group in spec.get("workerGroupSpecs", [])
        if not group.get("suspend")
    )


def is_observed(cluster: Object) -> bool:
    """Whether KubeRay has acted on the spec as it is now: outdated pods are then ending."""
    seen = (cluster.get("status") or {}).get("observedGeneration", 0)
    return bool(seen >= cluster["metadata"].get("generation", 0))


def head_is_ready(cluster: Object, pods: Sequence[Object]) -> bool:
    """Whether the head of the spec as it is now is ready: not one that is about to be replaced."""
    agreed = condition(cluster, "HeadPodReady") is None or holds(cluster, "HeadPodReady")
    heads = [pod for pod in pods if is_head(pod) and serves(pod)]
    return is_observed(cluster) and agreed and len(heads) == 1


def ready_workers(cluster: Object, pods: Sequence[Object]) -> int:
    """Worker pods of the spec as it is now that are ready."""
    groups = {group["groupName"] for group in cluster["spec"].get("workerGroupSpecs", [])}
    return sum(
        serves(pod)
        for pod in pods
        if not is_head(pod) and (pod["metadata"].get("labels") or {}).get(GROUP_LABEL) in groups
    )


def serves(pod: Object) -> bool:
    """Whether a pod is ready and not ending."""
    return holds(pod, "Ready") and not pod["metadata"].get("deletionTimestamp")


def is_held_by_autoscaler(pod: Object) -> bool:
    """Whether a pod that is to end waits for the autoscaler's container alone."""
    states = (pod.get("status") or {}).get("containerStatuses", [])
    running = [each["name"] for each in states if "terminated" not in (each.get("state") or {})]
    return bool(pod["metadata"].get("deletionTimestamp")) and running == [AUTOSCALER_CONTAINER]


def _template_names(cluster: Object, pod: Object) -> list[str]:
    """The name of the Ray container in the template from which the pod was made."""
    label = (pod["metadata"].get("labels") or {}).get(GROUP_LABEL)
    spec = cluster.get("spec") or {}
    groups = [each for each in spec.get("workerGroupSpecs", []) if each["groupName"] == label]
    if is_head(pod) and "headGroupSpec" in spec:
        groups = [spec["headGroupSpec"]]
    return [
        group["template"]["spec"]["containers"][0]["name"]
        for group in groups
        if group["template"]["spec"]["containers"]
    ]
