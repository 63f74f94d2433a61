"""Run a command in a pod of its own, and delete the pod whatever happens."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from raykit.errors import KubernetesError, MissingError
from raykit.kube.connection import Kubernetes
from raykit.kube.contexts import kubectl
from raykit.kuberay import diagnosis, waiting
from raykit.kuberay.explaining.scene import Scene
from raykit.kuberay.waiting import Look
from raykit.manifests.pods import CONTAINER_SECURITY, POD_SECURITY
from raykit.objects import Object
from raykit.progress import Progress
from raykit.spec import names

CONTAINER = "check"
SECONDS = 180
"""Seconds after which Kubernetes ends the pod itself, such as after `kill -9` of raykit."""
LINES = 10
"""Lines of the log that show why a command failed."""

MOST_BYTES = 2**16
POLL_SECONDS = 0.5


def manifest(image: str, words: Sequence[str], pull_secrets: Sequence[str] = ()) -> Object:
    """A pod that runs words once, with as few rights as raykit's Ray pods have."""
    return {
        "kind": "Pod",
        "metadata": {
            "generateName": "raykit-check-",
            "labels": {names.MANAGED_BY_LABEL: names.MANAGED_BY},
        },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": SECONDS,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": POD_SECURITY,
            "imagePullSecrets": [{"name": name} for name in pull_secrets],
            "containers": [
                {
                    "name": CONTAINER,
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": list(words),
                    "resources": {
                        "requests": {"cpu": "50m", "memory": "128Mi"},
                        "limits": {"cpu": "1", "memory": "256Mi"},
                    },
                    "securityContext": CONTAINER_SECURITY,
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                }
            ],
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
        },
    }


@contextmanager
def made(connection: Kubernetes, namespace: str, pod: Object) -> Iterator[str]:
    """Create a pod; its name. The pod is deleted at the end of the block.

    Errors: those of `Kubernetes.create`, such as ForbiddenError (4).
    """
    name = connection.create(pod, namespace)["metadata"]["name"]
    try:
        yield name
    finally:
        connection.delete("Pod", name, namespace, grace_seconds=0)


def output(connection: Kubernetes, namespace: str, pod: Object, progress: Progress) -> str:
    """Run a pod to its end; what it printed.

    Errors: KubernetesError (5) with the reason if it does not start, its command fails or its log
    cannot be read; ForbiddenError (4) without the right to read logs.
    """
    with made(connection, namespace, pod) as name:
        ended = wait(connection, namespace, name, ("Succeeded", "Failed"), progress)
        if (ended.get("status") or {}).get("phase") == "Failed":
            lines = connection.log(name, namespace, CONTAINER, LINES, previous=False)
            raise KubernetesError(
                f"the command in the pod {name} failed",
                evidence=[*_ends(ended), *(f"| {line}" for line in lines)],
            )
        log = connection.whole_log(name, namespace, CONTAINER, MOST_BYTES)
    if log is None:
        raise KubernetesError(f"the log of the pod {name} cannot be read")
    return log.decode("utf-8", "replace").removesuffix("\n")


def wait(
    connection: Kubernetes,
    namespace: str,
    name: str,
    phases: Sequence[str],
    progress: Progress,
) -> Object:
    """Wait until a pod is in one of these phases; the pod.

    Errors: KubernetesError (5) with the reason.
    """
    seen: list[Object] = []

    def look() -> Look:
        pod = connection.get("Pod", name, namespace)
        if pod is None:
            raise MissingError(f"the pod {name} in namespace {namespace} was deleted meanwhile")
        seen[:] = [pod]
        if (pod.get("status") or {}).get("phase") in phases:
            return Look(True)
        events = waiting.events(connection, namespace, [pod])
        scene = Scene(connection.context, [pod], events, now=time.time())
        return Look(False, diagnosis.of_pods(scene), "it starts")

    waiting.until(
        look,
        what=f"the pod {name}",
        timeout=SECONDS,
        progress=progress,
        next=f"{kubectl(connection.context, namespace)} describe pods",
        wake=lambda seconds: time.sleep(min(seconds, POLL_SECONDS)),
        log=lambda finding: waiting.last_lines(connection, finding),
    )
    return seen[0]


def _ends(pod: Object) -> list[str]:
    """How the pod's containers ended, one line each."""
    states = (pod.get("status") or {}).get("containerStatuses", [])
    return [_end(end) for state in states if (end := (state.get("state") or {}).get("terminated"))]


def _end(terminated: Object) -> str:
    said = [str(terminated[key]) for key in ("reason", "message") if terminated.get(key)]
    return ": ".join([f"exit {terminated.get('exitCode')}", *said])
