"""Read a RayCluster's pods: the head, the Ray container, which are ready. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from raykit.objects import Object, condition, holds, seconds

CLUSTER_LABEL, TYPE_LABEL, GROUP_LABEL = "ray.io/cluster", "ray.io/node-type", "ray.io/group"
OPERATOR_VERSION_ANNOTATION = "ray.io/kuberay-version"
AUTOSCALER_CONTAINER = "autoscaler"
RAY_CONTAINERS = ("ray-head", "ray-worker")


def is_head(pod: Object) -> bool:
    return (pod["metadata"].get("labels") or {}).get(TYPE_LABEL) == "head"


def is_worker(pod: Object) -> bool:
    return (pod["metadata"].get("labels") or {}).get(TYPE_LABEL) == "worker"


def ray_container(cluster: Object, pod: Object) -> Object:
    """The container that runs Ray; empty if the pod has none.

    KubeRay uses the first container of the template. A service mesh may put its own container
    first in the pod, so the Ray container is looked up by its name in the template.
    """
    wanted = [*_template_names(cluster, pod), *RAY_CONTAINERS]
    containers = pod["spec"]["containers"]
    by_name = {container["name"]: container for container in reversed(containers)}
    named = next((by_name[name] for name in wanted if name in by_name), None)
    return named or (containers[0] if containers else {})


def ray_image(cluster: Object) -> str:
    """The head's image in the RayCluster's spec; empty if it names none."""
    containers = cluster["spec"]["headGroupSpec"]["template"]["spec"]["containers"]
    return str(containers[0].get("image", "")) if containers else ""


def wanted_workers(cluster: Object) -> int:
    """The number of worker pods that a RayCluster asks for now."""
    spec = cluster["spec"]
    return 0 if spec.get("suspend") else sum(map(wanted, spec.get("workerGroupSpecs", [])))


def wanted(group: Object) -> int:
    """The number of pods that a worker group of a RayCluster asks for now."""
    if group.get("suspend"):
        return 0
    return int(group.get("replicas", group.get("minReplicas", 0)) * group.get("numOfHosts", 1))


def is_observed(item: Object) -> bool:
    """Whether the controller of an object, such as KubeRay of a RayCluster, has acted on its
    current spec; outdated pods are then ending."""
    seen = (item.get("status") or {}).get("observedGeneration", 0)
    return bool(seen >= item["metadata"].get("generation", 0))


def head_is_ready(cluster: Object, pods: Sequence[Object]) -> bool:
    """Whether the head of the current spec is ready; one that is about to be replaced is not."""
    agreed = condition(cluster, "HeadPodReady") is None or holds(cluster, "HeadPodReady")
    heads = [pod for pod in pods if is_head(pod) and serves(pod)]
    return is_observed(cluster) and agreed and len(heads) == 1


def ready_workers(cluster: Object, pods: Sequence[Object]) -> int:
    """The number of ready worker pods that belong to groups of the current spec."""
    groups = {group["groupName"] for group in cluster["spec"].get("workerGroupSpecs", [])}
    return sum(
        serves(pod)
        for pod in pods
        if not is_head(pod) and (pod["metadata"].get("labels") or {}).get(GROUP_LABEL) in groups
    )


def serves(pod: Object) -> bool:
    """Whether a pod is ready and not ending."""
    return holds(pod, "Ready") and not pod["metadata"].get("deletionTimestamp")


def is_frozen(pod: Object, began: float) -> bool:
    """Whether a pod's status is from before its Kubernetes node was started. began: Unix seconds.

    Until the kubelet reports, containers that went down with the node are said to run, and ready.
    """
    status = pod.get("status") or {}
    states = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    running = [(item.get("state") or {}).get("running") or {} for item in states]
    # Times of containers are whole seconds.
    return any(seconds(each["startedAt"]) < int(began) for each in running if "startedAt" in each)


def is_of_lost_node(pod: Object) -> bool:
    """Whether Kubernetes took a pod's readiness because its node does not answer.

    Only then a pod is not ready whose containers all are, unless it has readiness gates.
    """
    ready = condition(pod, "Ready") or {}
    has_gates = bool(pod["spec"].get("readinessGates"))
    return ready.get("status") == "False" and holds(pod, "ContainersReady") and not has_gates


def has_ended(pod: Object) -> bool:
    """Whether a pod is over, such as one that was evicted."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def may_be_held_by_autoscaler(pod: Object) -> bool:
    """Whether an ending pod has the autoscaler's container."""
    names = [container["name"] for container in pod["spec"]["containers"]]
    return bool(pod["metadata"].get("deletionTimestamp")) and AUTOSCALER_CONTAINER in names


def _template_names(cluster: Object, pod: Object) -> list[str]:
    """The name of the Ray container in the template of the pod; empty if there is no template."""
    label = (pod["metadata"].get("labels") or {}).get(GROUP_LABEL)
    spec = cluster.get("spec") or {}
    groups = [group for group in spec.get("workerGroupSpecs", []) if group["groupName"] == label]
    if is_head(pod) and "headGroupSpec" in spec:
        groups = [spec["headGroupSpec"]]
    return [
        group["template"]["spec"]["containers"][0]["name"]
        for group in groups
        if group["template"]["spec"]["containers"]
    ]
