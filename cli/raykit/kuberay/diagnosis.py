"""Why pods and a RayCluster are not ready: from what Kubernetes says to one line and a command.

Pure: objects as the API server gives them go in, findings come out, the gravest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from raykit.kube import contexts
from raykit.kuberay import scheduling
from raykit.kuberay.finding import Finding
from raykit.objects import Object
from raykit.spec.names import CLUSTER_LABEL

NO_SUCH_IMAGE = {"ErrImageNeverPull", "InvalidImageName"}
NO_PULL = {"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"}
BAD_CONTAINER = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
AT_ONCE, SOON, LATER = 0.0, 8.0, 12.0
SLOW_INIT_SECONDS = 60.0
GROWS = ("TriggeredScaleUp", "Nominated")


@dataclass(frozen=True)
class Scene:
    """What is looked at together. nodes, others: all that is seen of the cluster's machines.

    own_image: how raykit's own image begins, which no registry has. now: Unix seconds.
    """

    context: str
    pods: Sequence[Object] = ()
    events: Sequence[Object] = ()
    nodes: Sequence[Object] = ()
    others: Sequence[Object] = ()
    now: float = 0.0
    own_image: str = "raykit:"


def of_cluster(cluster: Object, scene: Scene) -> list[Finding]:
    """What keeps a RayCluster from being ready."""
    return [*_conditions(cluster, scene), *_refused_spec(cluster, scene), *of_pods(scene)]


def of_pods(scene: Scene) -> list[Finding]:
    """What keeps pods from being ready; those with an end to the wait come first."""
    found = [finding for pod in scene.pods if not _is_ready(pod) for finding in _of_pod(pod, scene)]
    return sorted(found, key=lambda each: each.patience is None)


def _conditions(cluster: Object, scene: Scene) -> Iterator[Finding]:
    where = f"{cluster['metadata']['namespace']}/{cluster['metadata']['name']}"
    for each in (cluster.get("status") or {}).get("conditions", []):
        if each["status"] != "True":
            continue
        if each["type"] == "ReplicaFailure":
            lines = tuple(each["message"].splitlines()) or (each["reason"],)
            yield Finding(
                "replica-failure",
                f"its pods are refused: {_why_refused(each['message'])}",
                lines,
                _mend_refusal(each["message"], scene.context, cluster["metadata"]["namespace"]),
                SOON,
            )
        elif each["type"] == "RayClusterSuspended":
            yield Finding(
                "suspended",
                f"{where} is suspended",
                ("a queue such as Kueue has not admitted it yet, or someone set spec.suspend",),
                f"kubectl --context {scene.context} get workloads -A",
            )


def _why_refused(message: str) -> str:
    if "violates PodSecurity" in message:
        return "they violate the namespace's Pod Security level"
    if "exceeded quota" in message:
        return "the namespace's quota is exceeded"
    if "forbidden" in message:
        return "admission forbids them"
    return "Kubernetes does not create them"


def _mend_refusal(message: str, context: str, namespace: str) -> str:
    kubectl = f"kubectl --context {context} -n {namespace}"
    if "exceeded quota" in message:
        return f"ask for less, or: {kubectl} describe resourcequota"
    if "LimitRange" in message or "per Container" in message or "per Pod" in message:
        return f"{kubectl} describe limitrange"
    return "raykit render -f SPEC shows what is applied; change the spec, then raykit up again"


def _refused_spec(cluster: Object, scene: Scene) -> Iterator[Finding]:
    """KubeRay has no admission webhook: it refuses a spec in an event, and then does nothing."""
    if (cluster.get("status") or {}).get("state") == "ready":
        return
    for event in _events_of(cluster["metadata"]["uid"], scene.events):
        if event["type"] == "Warning" and event["reason"].startswith("Invalid"):
            yield Finding(
                "invalid",
                "KubeRay refuses it",
                (event["message"],),
                "change the spec, then raykit up again",
                SOON,
            )


def _of_pod(pod: Object, scene: Scene) -> Iterator[Finding]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        yield Finding(f"ending:{name}", f"pod {name} is still ending")
        return
    if status.get("reason") == "Evicted":
        yield Finding(f"evicted:{name}", f"pod {name} was evicted", (status.get("message", ""),))
    stuck = list(_unschedulable(pod, scene))
    for container in [
        *status.get("initContainerStatuses", []),
        *status.get("containerStatuses", []),
    ]:
        stuck += _of_container(pod, container, scene)
    yield from stuck or _warnings(pod, scene)


def _unschedulable(pod: Object, scene: Scene) -> Iterator[Finding]:
    for each in pod.get("status", {}).get("conditions", []):
        if each["type"] != "PodScheduled" or each.get("reason") != "Unschedulable":
            continue
        events = _events_of(pod["metadata"]["uid"], scene.events)
        grows = any(event["reason"] in GROWS for event in events)
        ending = any(other["metadata"].get("deletionTimestamp") for other in scene.others)
        room_comes = grows or (ending and not scheduling.never_fits(pod, scene.nodes))
        yield Finding(
            f"unschedulable:{pod['metadata']['name']}",
            f"no Kubernetes node takes pod {pod['metadata']['name']}",
            (
                *scheduling.reasons(pod, scene.nodes, scene.others),
                f"Kubernetes says: {each.get('message', '')}",
            ),
            _mend_shape(pod, scene),
            None if room_comes else LATER,
        )


def _mend_shape(pod: Object, scene: Scene) -> str:
    if not scene.nodes or scheduling.never_fits(pod, scene.nodes):
        return "choose a smaller shape: cpu, memory, nodeSelector or tolerations in the spec"
    taken = sorted(
        {
            label
            for other in scene.others
            if (label := other["metadata"].get("labels", {}).get(CLUSTER_LABEL))
            and label != pod["metadata"].get("labels", {}).get(CLUSTER_LABEL)
        }
    )
    if taken:
        return f"make room: raykit down {taken[0]} --context {scene.context}   (then up again)"
    return f"make room: kubectl --context {scene.context} get pods -A -o wide"


def _of_container(pod: Object, container: Object, scene: Scene) -> list[Finding]:
    state = container.get("state") or {}
    waiting, running = state.get("waiting") or {}, state.get("running") or {}
    reason = waiting.get("reason", "")
    if reason in NO_SUCH_IMAGE | NO_PULL:
        return [_no_image(pod, container, waiting, scene)]
    if reason in BAD_CONTAINER:
        return [
            Finding(
                f"container:{pod['metadata']['name']}",
                f"container {container['name']} cannot be started: {reason}",
                (waiting.get("message", ""),),
                _describe(pod, scene),
                SOON,
            )
        ]
    if _ended_badly(container):
        return [_crash(pod, container, scene)]
    if container["name"] == "wait-gcs-ready" and running:
        return _slow_init(pod, running, scene)
    return []


def _no_image(pod: Object, container: Object, waiting: Object, scene: Scene) -> Finding:
    wanted = str(_spec_of(pod, container["name"]).get("image", container.get("image", "")))
    own = wanted.removeprefix("docker.io/library/").startswith(scene.own_image)
    cluster = contexts.kind_cluster(scene.context)
    if own and cluster:
        mend = f"raykit image load --name {cluster}"
    elif own:
        mend = "give the spec an `image` that this cluster's registry has"
    else:
        mend = "check `image` in the spec: its name, its tag, and whether the nodes may pull it"
    messages = [
        event["message"]
        for event in _events_of(pod["metadata"]["uid"], scene.events)
        if event["reason"] == "Failed" and "ailed to pull" in event["message"]
    ]
    return Finding(
        f"image:{wanted}",
        f"image {wanted} cannot be had ({waiting['reason']})",
        tuple(messages[-1:]) or (waiting.get("message", ""),),
        mend,
        AT_ONCE if waiting["reason"] in NO_SUCH_IMAGE else SOON,
    )


def _ended_badly(container: Object) -> bool:
    ended = _last_end(container)
    back_off = ((container.get("state") or {}).get("waiting") or {}).get("reason")
    return (
        bool(ended)
        and ended.get("exitCode") != 0
        and (
            back_off == "CrashLoopBackOff"
            or ended.get("reason") == "OOMKilled"
            or container.get("restartCount", 0) >= 2
        )
    )


def _crash(pod: Object, container: Object, scene: Scene) -> Finding:
    ended = _last_end(container)
    name = container["name"]
    limit = _spec_of(pod, name).get("resources", {}).get("limits", {}).get("memory", "none")
    previous = "terminated" not in (container.get("state") or {})
    log = (pod["metadata"]["namespace"], pod["metadata"]["name"], name, previous)
    if ended.get("reason") == "OOMKilled":
        return Finding(
            f"crash:{pod['metadata']['name']}",
            f"container {name} ran out of memory: its limit is {limit}",
            (f"pod {pod['metadata']['name']}: OOMKilled, exit code {ended.get('exitCode')}",),
            "give it more: `memory` in the spec",
            AT_ONCE,
            log,
        )
    return Finding(
        f"crash:{pod['metadata']['name']}",
        f"container {name} ends again and again (exit code {ended.get('exitCode')}, "
        f"{container.get('restartCount', 0)} restarts)",
        tuple(text for text in (ended.get("message", ""),) if text),
        _describe(pod, scene),
        AT_ONCE,
        log,
    )


def _slow_init(pod: Object, running: Object, scene: Scene) -> list[Finding]:
    seconds = scene.now - _seconds(running["startedAt"])
    if seconds < SLOW_INIT_SECONDS:
        return []
    return [
        Finding(
            f"init:{pod['metadata']['name']}",
            f"pod {pod['metadata']['name']} has not reached the head for {seconds:.0f} s",
            ("its init container wait-gcs-ready asks the head's service by its DNS name",),
            "does a NetworkPolicy close DNS (UDP and TCP 53) or port 6379?",
        )
    ]


def _warnings(pod: Object, scene: Scene) -> list[Finding]:
    warnings = [
        event
        for event in _events_of(pod["metadata"]["uid"], scene.events)
        if event["type"] == "Warning" and event["reason"] not in ("Unhealthy", "FailedScheduling")
    ]
    return [
        Finding(
            f"{event['reason']}:{pod['metadata']['name']}",
            f"pod {pod['metadata']['name']}: {event['reason']}",
            (event["message"],),
            _describe(pod, scene),
        )
        for event in warnings[-1:]
    ]


def _last_end(container: Object) -> Object:
    for state in ("state", "lastState"):
        ended: Object | None = (container.get(state) or {}).get("terminated")
        if ended:
            return ended
    return {}


def _spec_of(pod: Object, container: str) -> Object:
    spec = pod["spec"]
    for each in [*spec.get("containers", []), *spec.get("initContainers", [])]:
        if each["name"] == container:
            return dict(each)
    return {}


def _events_of(uid: str, events: Sequence[Object]) -> list[Object]:
    return [event for event in events if (event.get("involvedObject") or {}).get("uid") == uid]


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _describe(pod: Object, scene: Scene) -> str:
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    return f"kubectl --context {scene.context} -n {namespace} describe pod {name}"


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
