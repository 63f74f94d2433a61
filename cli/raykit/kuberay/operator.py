"""Find, install and diagnose KubeRay's operator.

raykit applies the CRDs of its Helm chart separately, since Helm does not upgrade CRDs.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from raykit import processes, versions
from raykit.errors import KubernetesError, MissingError, RaykitError
from raykit.kube.connection import EVERYWHERE, RAY_API, Kubernetes
from raykit.kube.contexts import Context, kubectl
from raykit.kube.errors import ForbiddenError
from raykit.kuberay import diagnosis, waiting
from raykit.kuberay.checks import arguments, configuration
from raykit.kuberay.explaining import operator_log
from raykit.kuberay.finding import Finding
from raykit.kuberay.waiting import Look
from raykit.objects import Object, condition, holds
from raykit.progress import Progress

REPOSITORY = "https://ray-project.github.io/kuberay-helm/"
CHART = "kuberay-operator"
CHART_SETTING = "RAYKIT_KUBERAY_CHART"
NAMESPACE = "ray-system"
LABELS = {"app.kubernetes.io/name": "kuberay-operator"}
OLDEST_HELM, TOO_NEW_HELM = (3, 12), (5, 0)
INSTALL_HELM = "install Helm 3.12 or newer: https://helm.sh/docs/intro/install/"
HELM_SECONDS, READY_SECONDS, POLL_SECONDS = 120.0, 120.0, 0.5
LATER, SILENT, RESTART_SECONDS = 10.0, 19.0, 60.0
ON_THE_CONTROL_PLANE: Object = {
    "nodeSelector": {"node-role.kubernetes.io/control-plane": ""},
    "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}],
}
"""Helm values for a kind cluster: the worker nodes stay free for Ray."""


def check_helm() -> str:
    """The version of Helm on PATH.

    Errors: MissingError (4) if there is none, or if raykit does not support its version.
    """
    processes.find("helm", install_hint=INSTALL_HELM)
    output = processes.run(
        ["helm", "version", "--template", "{{.Version}}"], timeout=15, error=MissingError
    ).stdout
    match = re.search(r"v(\d+)\.(\d+)\S*", output)
    if not match:
        raise MissingError("cannot read Helm's version", evidence=[output], next=INSTALL_HELM)
    if not OLDEST_HELM <= (int(match[1]), int(match[2])) < TOO_NEW_HELM:
        raise MissingError(
            f"Helm {match[0]} does not fit: raykit needs 3.12 or newer, below 5", next=INSTALL_HELM
        )
    return match[0]


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
    status = _at(deployment, "status")
    wanted = _at(deployment, "spec").get("replicas", 1)
    current = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    all_updated = 0 < wanted == status.get("updatedReplicas", 0)
    return holds(deployment, "Available") and current and all_updated


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


def wanted() -> str:
    """The version to install: that of the chart file in RAYKIT_KUBERAY_CHART, else the pinned."""
    match = re.search(r"-(\d+\.\d+\.\d+)\.tgz$", os.environ.get(CHART_SETTING, ""))
    return match[1] if match else versions.KUBERAY


def install(connection: Kubernetes, progress: Progress) -> None:
    """Install CRDs and Helm release and wait; do nothing if the wanted version already runs.

    Errors: KubernetesError (5) if Helm fails or the operator does not become ready.
    """
    deployment = find(connection)
    if is_ready(deployment) and version(deployment) == wanted() and is_served(connection):
        return
    progress.detail("KubeRay's CRDs")
    for definition in crds():
        connection.apply(definition, force=True)
    progress.detail("helm upgrade --install")
    _release(connection.context)
    wait_ready(connection, progress)


def wait_ready(connection: Kubernetes, progress: Progress) -> None:
    """Wait up to 120 s for the operator.

    Errors: KubernetesError (5) with the reason from its pods.
    """
    waiting.until(
        lambda: _patient(_look(connection)),
        what="KubeRay's operator",
        timeout=READY_SECONDS,
        progress=progress,
        next=f"{kubectl(connection.context, NAMESPACE)} describe pods",
        wake=lambda seconds: time.sleep(min(seconds, POLL_SECONDS)),
        log=lambda finding: waiting.last_lines(connection, finding),
    )


def _patient(look: Look) -> Look:
    """Crashes are not final for 60 s: the operator restarts until its RBAC rights are there."""
    findings = [
        replace(finding, patience=RESTART_SECONDS) if finding.log else finding
        for finding in look.findings
    ]
    return Look(look.ready, findings, look.missing)


def diagnose(connection: Kubernetes, namespace: str, name: str, since: str = "") -> list[Finding]:
    """Why nothing happens to an object: `faults`, or the operator is idle, with its last errors.

    since: when the object was applied; older errors do not count. Empty if the user may not look
    for the operator in all namespaces.
    """
    try:
        deployment = find(connection, namespace)
    except ForbiddenError:
        # A user may have the right to read one namespace but not all of them.
        return []
    findings = faults(connection, deployment, namespace)
    if findings or deployment is None:
        return findings
    return [_silent(connection, deployment, namespace, name, since)]


def faults(connection: Kubernetes, deployment: Object | None, namespace: str) -> list[Finding]:
    """Why the operator cannot serve a namespace: it is absent, scaled to 0, not ready, or watches
    other namespaces. Empty if it can."""
    if deployment is None:
        lines = ("no Deployment carries the label app.kubernetes.io/name=kuberay-operator",)
        install_hint = _install_command(connection.about)
        return [Finding("no-operator", "no KubeRay operator runs here", lines, install_hint, LATER)]
    if _at(deployment, "spec").get("replicas", 1) == 0:
        return [_stopped(connection, deployment)]
    look = _look(connection, deployment)
    if not look.ready:
        return list(look.findings) or [_unready(connection, deployment)]
    names = configuration.watched(connection, deployment)
    if names and namespace not in names:
        return [_elsewhere(connection, deployment, names, namespace)]
    return []


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
    errors = operator_log.errors(connection, pods(connection, home), namespace, name, since)
    log = f"{kubectl(connection.context, home)} logs deployment/{own_name}"
    if errors:
        text = "\n".join(errors)
        repair = diagnosis.repair_of_refusal(text, connection.context, namespace)
        return Finding(
            "failing-operator",
            f"KubeRay cannot create what this cluster needs: {diagnosis.why_refused(text)}",
            tuple(f"its log says: {line}" for line in errors),
            repair if "forbidden" in text else log,
            LATER,
        )
    return Finding(
        "silent-operator",
        "KubeRay's operator is ready, but does nothing with this cluster",
        (arguments.shown(deployment),),
        log,
        SILENT,
    )


def pods(connection: Kubernetes, namespace: str) -> list[Object]:
    """The operator's pods; none if they cannot be listed: they only explain."""
    try:
        return connection.objects("Pod", namespace, labels=LABELS)
    except RaykitError:
        return []


def _look(connection: Kubernetes, deployment: Object | None = None) -> Look:
    deployment = deployment or find(connection)
    if is_ready(deployment):
        return Look(True)
    namespace = deployment["metadata"]["namespace"] if deployment else NAMESPACE
    own = pods(connection, namespace)
    events = waiting.events(connection, namespace, [pod for pod in own if not holds(pod, "Ready")])
    scene = diagnosis.Scene(connection.context, pods=own, events=events)
    return Look(False, diagnosis.of_pods(scene), "its pod")


def crds() -> list[Object]:
    """The chart's custom resource definitions.

    Errors: KubernetesError (5) if Helm fails or the chart has anything else among its CRDs.
    """
    shown = processes.run(["helm", "show", "crds", *_chart()], timeout=HELM_SECONDS).stdout
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        items = [item for item in yaml.load_all(shown, Loader=loader) if item]
        wrong = [item for item in items if item["kind"] != "CustomResourceDefinition"]
        names = [item["metadata"]["name"] for item in items]
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, KeyError) as broken:
        wrong, names = [str(broken)], []
    if wrong or not names:
        raise KubernetesError(
            "the chart has no valid CRDs",
            evidence=[f"$ {shlex.join(['helm', 'show', 'crds', *_chart()])}"],
            next=f"set {CHART_SETTING} to KubeRay's own chart",
        )
    return items


def _release(context: str) -> None:
    helm = ["--kube-context", context, "--namespace", NAMESPACE]
    release = processes.run(
        ["helm", "status", CHART, "--output", "json", *helm], check=False, timeout=HELM_SECONDS
    )
    if release.returncode == 0 and _status(release.stdout).startswith("pending"):
        # An interrupted Helm leaves the release pending, which blocks every later install.
        processes.run(["helm", "uninstall", CHART, *helm], timeout=HELM_SECONDS)
    options = ["--create-namespace", "--skip-crds", "--values", "-"]
    processes.run(
        ["helm", "upgrade", "--install", CHART, *_chart(), *helm, *options],
        stdin=yaml.safe_dump(ON_THE_CONTROL_PLANE),
        timeout=HELM_SECONDS,
        next=f"set {CHART_SETTING} to a chart that can be reached",
    )


def _chart() -> list[str]:
    setting = os.environ.get(CHART_SETTING)
    if not setting:
        return [CHART, "--repo", REPOSITORY, "--version", versions.KUBERAY]
    if setting.endswith(".tgz") or Path(setting).is_dir():
        return [setting]
    return [setting, "--version", versions.KUBERAY]


def _status(text: str) -> str:
    try:
        return str(json.loads(text)["info"]["status"])
    except (ValueError, KeyError, TypeError):
        return ""


def _at(item: Object, *keys: str) -> dict[str, Any]:
    for key in keys:
        item = item.get(key) or {}
    return item
