"""Explain why pods and a RayCluster are not ready: each reason in one line, with a command.

Pure functions: they take objects that `kube` has checked and return findings, the most serious
first.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from raykit.kube import contexts
from raykit.kube.contexts import kubectl
from raykit.kuberay.explaining import ends
from raykit.kuberay.explaining.scene import (
    AT_ONCE,
    LATER,
    SOON,
    UNREPEATED,
    Scene,
    events_of,
    is_said_now,
    is_warning,
)
from raykit.kuberay.finding import Finding, grouped
from raykit.kuberay.pods import is_head, is_observed, is_of_lost_node, is_worker, serves
from raykit.kuberay.scheduling import is_growing, is_unschedulable, of_autoscaler
from raykit.objects import Object, condition, holds, last_seen, seconds
from raykit.spec.names import CLUSTER_LABEL

SUSPENDED = "suspended"
BAD_NAME = "InvalidImageName"
NO_SUCH_IMAGE = {"ErrImageNeverPull", BAD_NAME}
NO_PULL = {"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"}
BAD_CONTAINER = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
KUBELETS_FAILURES = ("Failed", "BackOff", "ErrImageNeverPull", "InspectFailed")
"""Reasons of events that a kubelet writes each time it cannot start a container."""
SLOW_INIT_SECONDS, HOPELESS_INIT_SECONDS = 20.0, 100.0
GROWTH_SECONDS = 60.0
"""How long a cloud's node autoscaler may take to say what it does about a pod, and a Kubernetes
node to become ready."""
PASSING_WARNINGS = ("Unhealthy", "FailedScheduling")


def of_cluster(cluster: Object, scene: Scene) -> list[Finding]:
    """Why a RayCluster is not ready: it is suspended, or its pods say why.

    Until KubeRay has seen the spec its pods may be those of an earlier one, which end no wait.
    """
    own = of_pods(scene)
    if not is_observed(cluster):
        own = [replace(finding, patience=None, past=True) for finding in own]
    return [*_suspended(cluster, scene), *own]


def of_pods(scene: Scene) -> list[Finding]:
    """Why pods are not ready; the findings that can end the wait come first."""
    unready = [pod for pod in scene.pods if not holds(pod, "Ready")]
    findings = grouped(finding for pod in unready for finding in _of_pod(pod, scene))
    return sorted(findings, key=lambda finding: finding.patience is None)


def _suspended(cluster: Object, scene: Scene) -> Iterator[Finding]:
    where = f"{cluster['metadata']['namespace']}/{cluster['metadata']['name']}"
    if is_suspended(cluster):
        yield scene.queued or Finding(
            SUSPENDED,
            f"{where} is suspended",
            ("someone set spec.suspend",),
            "raykit up -f SPEC, without suspend, starts its pods",
        )


def is_suspended(cluster: Object) -> bool:
    """Whether a RayCluster has no pods because somebody, such as Kueue, suspended it.

    The condition stays until KubeRay has seen that it no longer is.
    """
    asked = (cluster.get("spec") or {}).get("suspend") is True
    return asked or (is_observed(cluster) and holds(cluster, "RayClusterSuspended"))


def _of_pod(pod: Object, scene: Scene) -> Iterator[Finding]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    lost = [_lost_node(pod, scene)] if is_of_lost_node(pod) else []
    if pod["metadata"].get("deletionTimestamp"):
        evidence = tuple(finding.what for finding in lost)
        yield Finding(f"ending:{name}", f"pod {name} is still ending", evidence, pod=name)
        return
    if lost:
        # No kubelet reports: all else that its status says is of before.
        yield from lost
        return
    if status.get("reason") == "Evicted":
        message = status.get("message", "")
        yield Finding(f"evicted:{name}", f"pod {name} was evicted", (message,), pod=name, past=True)
    stuck = [_unschedulable(pod, scene)] if is_unschedulable(pod) else []
    for container in [
        *status.get("initContainerStatuses", []),
        *status.get("containerStatuses", []),
    ]:
        stuck += _of_container(pod, container, scene)
    yield from stuck or _warnings(pod, scene)


def _lost_node(pod: Object, scene: Scene) -> Finding:
    name, node = pod["metadata"]["name"], pod["spec"].get("nodeName", "")
    return Finding(
        f"lost-node:{name}",
        f"the Kubernetes node {node} of pod {name} does not answer",
        ("after 5 minutes Kubernetes ends the pod, unless told otherwise",),
        f"{kubectl(scene.context)} describe node {node}",
        pod=name,
    )


def _unschedulable(pod: Object, scene: Scene) -> Finding:
    name = pod["metadata"]["name"]
    survey = scene.machines.survey(pod)
    growth = of_autoscaler(events_of(pod, scene.events))
    grows = growth is not None and is_growing(growth, scene.now)
    patience = LATER if is_said_now(pod, [growth or {}], scene) else UNREPEATED
    fits_later = scene.machines.ending and bool(survey and survey.large_enough)
    unanswered = growth is None and scene.machines.in_cloud
    slow = unanswered or bool(survey and survey.starting)
    scheduler = (condition(pod, "PodScheduled") or {}).get("message", "")
    autoscaler = f"the node autoscaler says: {growth.get('message', '')}" if growth else ""
    lines = [*scene.machines.lines(pod), f"Kubernetes says: {scheduler}", autoscaler]
    return Finding(
        f"unschedulable:{name}",
        f"no Kubernetes node takes pod {name}",
        tuple(filter(None, lines)),
        _repair_of_shape(pod, scene),
        None if grows or fits_later else GROWTH_SECONDS if slow else patience,
        pod=name,
    )


def _repair_of_shape(pod: Object, scene: Scene) -> str:
    survey = scene.machines.survey(pod)
    if survey is None:
        return "ask for less in the spec, or make room; raykit up -f SPEC then says what nodes lack"
    if survey.starting:
        return f"{kubectl(scene.context)} get nodes"
    if not survey.large_enough:
        return "choose a smaller shape: cpu, memory, nodeSelector or tolerations in the spec"
    own = pod["metadata"].get("labels", {}).get(CLUSTER_LABEL)
    others = [name for name in scene.machines.clusters if name != own]
    if others:
        down = ["raykit", "down", others[0], "--context", scene.context]
        return f"make room: {shlex.join(down)}   (then up again)"
    return f"make room: {kubectl(scene.context)} get pods -A -o wide"


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
                _kubelets_patience(pod, scene, SOON),
                pod=pod["metadata"]["name"],
            )
        ]
    if ends.again_and_again(container, scene.now):
        return [_crash(pod, container, scene)]
    if container["name"] == "wait-gcs-ready" and running:
        return _slow_init(pod, running, scene)
    return []


def _no_image(pod: Object, container: Object, waiting: Object, scene: Scene) -> Finding:
    wanted = str(_spec_of(pod, container["name"]).get("image", container.get("image", "")))
    own = wanted.removeprefix("docker.io/library/").startswith(scene.own_image)
    cluster = contexts.kind_cluster(scene.context)
    if own and cluster:
        repair = f"raykit image load --name {cluster}"
    elif own:
        repair = "give the spec an `image` that this cluster's registry has"
    else:
        repair = "check `image` in the spec: its name, its tag, and whether the nodes may pull it"
    limit = AT_ONCE if waiting["reason"] in NO_SUCH_IMAGE else SOON
    own_events = events_of(pod, scene.events)
    messages = [
        event["message"]
        for event in own_events
        if event.get("reason") == "Failed" and "ailed to pull" in event.get("message", "")
    ]
    return Finding(
        f"image:{wanted}",
        f"image {wanted} cannot be had ({waiting['reason']})",
        (*(messages[-1:] or [waiting.get("message", "")]), *_untried(own_events, pod, scene)),
        repair,
        AT_ONCE if waiting["reason"] == BAD_NAME else _kubelets_patience(pod, scene, limit),
        pod=pod["metadata"]["name"],
    )


def _untried(events: Sequence[Object], pod: Object, scene: Scene) -> list[str]:
    """A line that says so if the kubelet has tried no pull since the wait began."""
    pulls = [event for event in events if event.get("reason") == "Pulling"]
    if not pulls or is_said_now(pod, pulls[-1:], scene):
        return []
    delete = f"{_kubectl(pod, scene)} delete pod {pod['metadata']['name']}"
    return [f"it was tried before this wait; tried at once by a new pod: {delete}"]


def _kubelets_patience(pod: Object, scene: Scene, limit: float) -> float:
    """Seconds that a container may fail to start: `limit` once it did since the wait began."""
    failures = [
        event for event in events_of(pod, scene.events) if event.get("reason") in KUBELETS_FAILURES
    ]
    return limit if is_said_now(pod, failures[-1:], scene) else UNREPEATED


def _crash(pod: Object, container: Object, scene: Scene) -> Finding:
    ended, state = ends.last(container), container.get("state") or {}
    name, in_pod = container["name"], pod["metadata"]["name"]
    limits = (_spec_of(pod, name).get("resources") or {}).get("limits") or {}
    what = (
        f"container {name} ends again and again (exit code {ended.get('exitCode')}, "
        f"{container.get('restartCount', 0)} restarts)"
    )
    evidence, repair = ended.get("message", ""), _describe(pod, scene)
    limit = UNREPEATED if ends.before(container, scene.since) else AT_ONCE
    patience = limit if ends.is_down(container) else None
    if is_worker(pod) and not _had_head(container, scene):
        patience, evidence = None, "it ended while its head was not ready, and is started again"
    elif ended.get("reason") == ends.OUT_OF_MEMORY:
        what = f"container {name} ran out of memory: its limit is {limits.get('memory', 'none')}"
        evidence = f"pod {in_pod}: OOMKilled, exit code {ended.get('exitCode')}"
        repair = "give it more: `memory` in the spec"
    return Finding(
        f"crash:{in_pod}",
        what,
        tuple(filter(None, [evidence])),
        repair,
        patience,
        (pod["metadata"]["namespace"], in_pod, name, "terminated" not in state),
        in_pod,
    )


def _had_head(container: Object, scene: Scene) -> bool:
    """Whether the head was ready when a worker's container ended: Ray ends where it has no head."""
    since = _head_ready_since(scene)
    return since is not None and not ends.before(container, since)


def _head_ready_since(scene: Scene) -> float | None:
    """Since when the head is ready, in Unix seconds; None if it is not. One that is ending is not,
    although it says so."""
    states = [condition(pod, "Ready") or {} for pod in scene.pods if is_head(pod) and serves(pod)]
    times = [state["lastTransitionTime"] for state in states if "lastTransitionTime" in state]
    return seconds(times[0]) if times else None


def _slow_init(pod: Object, running: Object, scene: Scene) -> list[Finding]:
    """A worker that does not reach a head which is ready."""
    ready = _head_ready_since(scene)
    if ready is None or "startedAt" not in running:
        return []
    if scene.now - max(ready, seconds(running["startedAt"])) < SLOW_INIT_SECONDS:
        return []
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    return [
        Finding(
            f"init:{name}",
            f"pod {name} does not reach the head, which is ready",
            ("its init container wait-gcs-ready asks the head's service by its DNS name",),
            "does a NetworkPolicy close DNS (UDP and TCP 53) or port 6379? Does DNS work? "
            f"{kubectl(scene.context, 'kube-system')} get pods -l k8s-app=kube-dns",
            HOPELESS_INIT_SECONDS,
            (namespace, name, "wait-gcs-ready", False),
            name,
        )
    ]


def _warnings(pod: Object, scene: Scene) -> list[Finding]:
    """The last warning about a pod, unless a container has started since: then it has passed."""
    started = _last_start(pod)
    warnings = [
        event
        for event in events_of(pod, scene.events)
        if is_warning(event)
        and event.get("reason") not in PASSING_WARNINGS
        and not 0 < last_seen(event) < started
    ]
    name = pod["metadata"]["name"]
    return [
        Finding(
            f"{event.get('reason')}:{name}",
            f"pod {name}: {event.get('reason')}",
            (event.get("message", ""),),
            _describe(pod, scene),
            pod=name,
        )
        for event in warnings[-1:]
    ]


def _last_start(pod: Object) -> float:
    """When the newest of a pod's running containers started, in Unix seconds; 0 if none runs."""
    status = pod.get("status") or {}
    states = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    running = [(item.get("state") or {}).get("running") or {} for item in states]
    return max([0.0, *(seconds(each["startedAt"]) for each in running if "startedAt" in each)])


def _spec_of(pod: Object, container: str) -> Object:
    spec = pod["spec"]
    for item in [*spec.get("containers", []), *spec.get("initContainers", [])]:
        if item["name"] == container:
            return dict(item)
    return {}


def _kubectl(pod: Object, scene: Scene) -> str:
    return kubectl(scene.context, pod["metadata"]["namespace"])


def _describe(pod: Object, scene: Scene) -> str:
    return f"{_kubectl(pod, scene)} describe pod {pod['metadata']['name']}"
