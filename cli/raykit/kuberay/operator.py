"""Find KubeRay's operator, and diagnose why it does nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from raykit import versions
from raykit.errors import MissingError, RaykitError
from raykit.kube.connection import EVERYWHERE, RAY_API, Kubernetes
from raykit.kube.contexts import Context, kubectl
from raykit.kube.errors import ForbiddenError
from raykit.kuberay import diagnosis, waiting
from raykit.kuberay.checks import arguments, configuration
from raykit.kuberay.explaining import operator_log
from raykit.kuberay.explaining.refusals import repair_of_refusal, why_refused
from raykit.kuberay.explaining.scene import UNREPEATED, Scene
from raykit.kuberay.finding import Finding
from raykit.kuberay.pods import is_observed
from raykit.kuberay.waiting import Look
from raykit.objects import Object, condition, holds, seconds

REPOSITORY = "https://ray-project.github.io/kuberay-helm/"
CHART = "kuberay-operator"
NAMESPACE = "ray-system"
LABELS = {"app.kubernetes.io/name": "kuberay-operator"}
LATER, SILENT = 10.0, 19.0
LEASE_SECONDS = 30.0
"""How long an operator that was started again may be silent: it waits up to 17 s for the lease of
the one before, and then reads all objects."""


def find(connection: Kubernetes, namespace: str | None = None) -> Object | None:
    """The operator's Deployment in any namespace; None if there is none.

    namespace: of several operators, one that watches this namespace.
    Errors: ForbiddenError (4) if the user may not list Deployments in all namespaces.
    """
    deployments = connection.objects("Deployment", EVERYWHERE, labels=LABELS)
    watching = [item for item in deployments if namespace and arguments.watches(item, namespace)]
    return next(iter([*watching, *deployments]), None)


def version(deployment: Object | None) -> str | None:
    """The operator's version from its image's tag, such as `1.6.2`; None if it has none."""
    for container in _at(deployment or {}, "spec", "template", "spec").get("containers", []):
        if match := re.search(r":v?(\d+\.\d+\.\d+\S*)$", container.get("image", "")):
            return match[1]
    return None


def is_ready(deployment: Object | None) -> bool:
    """Whether the operator is available and all its replicas run the current version."""
    if deployment is None:
        return False
    wanted = _at(deployment, "spec").get("replicas", 1)
    all_updated = 0 < wanted == _at(deployment, "status").get("updatedReplicas", 0)
    return holds(deployment, "Available") and is_observed(deployment) and all_updated


def is_served(connection: Kubernetes) -> bool:
    """Whether the API server knows RayClusters."""
    return connection.serves(RAY_API, "rayclusters")


def require(connection: Kubernetes) -> None:
    """Errors: MissingError (4) if KubeRay is not installed, with the command that installs it."""
    if is_served(connection):
        return
    raise MissingError(
        f"KubeRay is not installed in context {connection.context}",
        evidence=[f"the API server knows no rayclusters in {RAY_API}"],
        next=_install_command(connection.about),
    )


def _install_command(context: Context) -> str:
    if context.kind_cluster:
        return context.restart
    return (
        f"helm --kube-context {context.quoted} install {CHART} {CHART} --repo {REPOSITORY} "
        f"--version {versions.KUBERAY} -n {NAMESPACE} --create-namespace"
    )


def diagnose(
    connection: Kubernetes, namespace: str, name: str, since: str = "", made: int = 0
) -> list[Finding]:
    """Why nothing happens to an object: `faults`, or the operator is idle, with its last errors.

    since: when the object was applied; older errors do not count. Empty if the user may not look
    for the operator in all namespaces. made: how many pods there are: it is not idle while their
    number changes.
    """
    try:
        deployment = find(connection, namespace)
    except ForbiddenError:
        # A user may have the right to read one namespace but not all of them.
        return []
    findings = faults(connection, deployment, namespace)
    if findings or deployment is None:
        return findings
    idle = _silent(connection, deployment, namespace, name, since)
    return [replace(idle, key=f"{idle.key}:{made}") if made else idle]


def faults(connection: Kubernetes, deployment: Object | None, namespace: str) -> list[Finding]:
    """Why the operator cannot serve a namespace: it is absent, scaled to 0, not ready, or watches
    other namespaces. Empty if it can."""
    if deployment is None:
        lines = ("no Deployment carries the label app.kubernetes.io/name=kuberay-operator",)
        install_hint = _install_command(connection.about)
        return [Finding("no-operator", "no KubeRay operator runs here", lines, install_hint, LATER)]
    if _at(deployment, "spec").get("replicas", 1) == 0:
        return [_stopped(connection, deployment)]
    seen = look(connection, deployment)
    if not seen.ready:
        return [_given_a_start(each) for each in seen.findings] or [
            _unready(connection, deployment)
        ]
    names = configuration.watched(connection, deployment)
    if names and namespace not in names:
        return [_elsewhere(connection, deployment, names, namespace)]
    return []


def _given_a_start(finding: Finding) -> Finding:
    """A finding about the operator's pod that leaves it one more start.

    It ends by itself where the API server is away for some seconds, and is started again.
    """
    if finding.patience is None or finding.log is None:
        return finding
    return replace(finding, patience=max(finding.patience, UNREPEATED))


def where(deployment: Object) -> str:
    """The operator's Deployment in words: `deployment NAMESPACE/NAME`."""
    metadata = deployment["metadata"]
    return f"deployment {metadata['namespace']}/{metadata['name']}"


def _stopped(connection: Kubernetes, deployment: Object) -> Finding:
    namespace, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
    return Finding(
        "stopped-operator",
        "KubeRay's operator has no replica: somebody scaled it to 0",
        (f"{where(deployment)}: spec.replicas is 0",),
        f"{kubectl(connection.context, namespace)} scale deployment/{name} --replicas=1",
        LATER,
    )


def _unready(connection: Kubernetes, deployment: Object) -> Finding:
    available = condition(deployment, "Available") or {}
    return Finding(
        "unready-operator",
        "KubeRay's operator is not ready",
        (f"{where(deployment)}: {available.get('message', 'it is not available yet')}",),
        f"{kubectl(connection.context, deployment['metadata']['namespace'])} describe pods",
    )


def _elsewhere(
    connection: Kubernetes, deployment: Object, names: Sequence[str], namespace: str
) -> Finding:
    release = deployment["metadata"]["namespace"]
    return Finding(
        "elsewhere-operator",
        f"KubeRay's operator does not watch namespace {namespace}",
        (f"{where(deployment)} watches {', '.join(names)}", arguments.shown(deployment)),
        f"helm --kube-context {connection.about.quoted} -n {release} upgrade {CHART} {CHART} "
        f"--repo {REPOSITORY} --version {version(deployment) or versions.KUBERAY} --reuse-values "
        f"--set 'watchNamespace={{{','.join([*names, namespace])}}}'",
        LATER,
    )


def _silent(
    connection: Kubernetes, deployment: Object, namespace: str, name: str, since: str
) -> Finding:
    home, own_name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
    own = pods(connection, home)
    errors = operator_log.errors(connection, own, namespace, name, since)
    log = f"{kubectl(connection.context, home)} logs deployment/{own_name}"
    if errors:
        text = "\n".join(errors)
        repair = repair_of_refusal(text, connection.context, namespace)
        return Finding(
            "failing-operator",
            f"KubeRay cannot create what this cluster needs: {why_refused(text)}",
            tuple(f"its log says: {line}" for line in errors),
            repair if "forbidden" in text else log,
            LATER,
        )
    if _just_started(own):
        return Finding(
            "new-operator",
            "KubeRay's operator has just been started, and does nothing with this cluster yet",
            next=log,
        )
    return Finding(
        "silent-operator",
        "KubeRay's operator is ready, but does nothing with this cluster",
        (arguments.shown(deployment),),
        log,
        SILENT,
    )


def _just_started(own: Sequence[Object]) -> bool:
    """Whether a container of the operator's pods has run for less than 30 s."""
    running = [
        (container.get("state") or {}).get("running") or {}
        for pod in own
        for container in (pod.get("status") or {}).get("containerStatuses", [])
    ]
    starts = [seconds(state["startedAt"]) for state in running if state.get("startedAt")]
    return time.time() - max(starts, default=0.0) < LEASE_SECONDS


def pods(connection: Kubernetes, namespace: str) -> list[Object]:
    """The operator's pods; none if they cannot be listed: they only explain."""
    try:
        return connection.objects("Pod", namespace, labels=LABELS)
    except RaykitError:
        return []


def look(connection: Kubernetes, deployment: Object | None = None, since: float = 0.0) -> Look:
    """Whether the operator is ready, and else what its pods say.

    deployment: None to find it. since: when the wait for it began, in Unix seconds. Until
    Kubernetes has seen a change of the Deployment the pods are earlier ones, which end no wait.
    """
    deployment = deployment or find(connection)
    if is_ready(deployment):
        return Look(True)
    namespace = deployment["metadata"]["namespace"] if deployment else NAMESPACE
    own = pods(connection, namespace)
    events = waiting.events(connection, namespace, [pod for pod in own if not holds(pod, "Ready")])
    scene = Scene(connection.context, pods=own, events=events, now=time.time(), since=since)
    findings = diagnosis.of_pods(scene)
    if deployment and not is_observed(deployment):
        findings = [replace(finding, patience=None, past=True) for finding in findings]
    return Look(False, findings, "its pod")


def _at(item: Object, *keys: str) -> dict[str, Any]:
    for key in keys:
        item = item.get(key) or {}
    return item
