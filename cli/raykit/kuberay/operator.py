"""KubeRay's operator, by its own Helm chart; its CRDs first, since Helm does not upgrade them."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from raykit import processes, versions
from raykit.errors import KubernetesError, MissingError
from raykit.kube.connection import EVERYWHERE, RAY_API, Kubernetes
from raykit.kube.contexts import Context
from raykit.kube.errors import ForbiddenError
from raykit.kube.kubectl import kubectl
from raykit.kuberay import diagnosis, waiting
from raykit.kuberay.finding import Finding
from raykit.kuberay.waiting import Look
from raykit.objects import Object, holds
from raykit.progress import Progress

REPOSITORY = "https://ray-project.github.io/kuberay-helm/"
CHART = "kuberay-operator"
CHART_SETTING = "RAYKIT_KUBERAY_CHART"
NAMESPACE = "ray-system"
LABELS = {"app.kubernetes.io/name": "kuberay-operator"}
OLDEST_HELM, TOO_NEW_HELM = (3, 12), (5, 0)
INSTALL_HELM = "install Helm 3.12 or newer: https://helm.sh/docs/intro/install/"
HELM_SECONDS = 120.0
READY_SECONDS = 120.0
POLL_SECONDS = 0.5
LATER, SILENT, RESTART_SECONDS = 10.0, 19.0, 60.0
ON_THE_CONTROL_PLANE: Object = {
    "nodeSelector": {"node-role.kubernetes.io/control-plane": ""},
    "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}],
}
"""Values for a kind cluster: the workers stay free for Ray."""


def check_helm() -> str:
    """The version of Helm on PATH. Errors: MissingError (4): none, or one out of range."""
    processes.find("helm", install_hint=INSTALL_HELM)
    said = processes.run(
        ["helm", "version", "--template", "{{.Version}}"], timeout=15, error=MissingError
    ).stdout
    found = re.search(r"v(\d+)\.(\d+)\S*", said)
    if not found:
        raise MissingError("cannot read Helm's version", evidence=[said], next=INSTALL_HELM)
    if not OLDEST_HELM <= (int(found[1]), int(found[2])) < TOO_NEW_HELM:
        raise MissingError(
            f"Helm {found[0]} does not fit: raykit needs 3.12 or newer, below 5", next=INSTALL_HELM
        )
    return found[0]


def find(connection: Kubernetes) -> Object | None:
    """The operator's Deployment, in whatever namespace; None where none is seen."""
    found = connection.objects("Deployment", EVERYWHERE, labels=LABELS)
    return found[0] if found else None


def version(deployment: Object | None) -> str | None:
    """The operator's version by its image's tag, such as `1.6.2`."""
    for container in _at(deployment or {}, "spec", "template", "spec").get("containers", []):
        if found := re.search(r":v?(\d+\.\d+\.\d+\S*)$", container.get("image", "")):
            return found[1]
    return None


def is_ready(deployment: Object | None) -> bool:
    """Whether it serves, and no older one serves in its place."""
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
    """Errors: MissingError (4) where KubeRay is not installed, with the command that does it."""
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
    """The version to install: that of the chart file that was given, else the pinned one."""
    found = re.search(r"-(\d+\.\d+\.\d+)\.tgz$", os.environ.get(CHART_SETTING, ""))
    return found[1] if found else versions.KUBERAY


def install(connection: Kubernetes, progress: Progress) -> None:
    """CRDs, Helm release, ready; nothing is done where the wanted version already runs."""
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
    """Wait for the operator. Errors: KubernetesError (5) with the reason from its pods."""
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


def diagnose(connection: Kubernetes) -> list[Finding]:
    """Why nothing happens to a RayCluster: no operator, one without pods, or a silent one."""
    try:
        deployment = find(connection)
    except ForbiddenError:
        # Reading other namespaces needs a right that a user of one may not have.
        return []
    if deployment is None:
        lines = ("no Deployment carries the label app.kubernetes.io/name=kuberay-operator",)
        install_hint = _install_command(connection.about)
        return [Finding("no-operator", "no KubeRay operator runs here", lines, install_hint, LATER)]
    if _at(deployment, "spec").get("replicas", 1) == 0:
        return [_stopped(connection, deployment)]
    look = _look(connection, deployment)
    return [_silent(connection, deployment)] if look.ready else list(look.findings)


def _stopped(connection: Kubernetes, deployment: Object) -> Finding:
    namespace, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
    return Finding(
        "stopped-operator",
        "KubeRay's operator has no replica: somebody scaled it to 0",
        (f"deployment {namespace}/{name}: spec.replicas is 0",),
        f"{kubectl(connection.context, namespace)} scale deployment/{name} --replicas=1",
        LATER,
    )


def _silent(connection: Kubernetes, deployment: Object) -> Finding:
    namespace, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
    containers = _at(deployment, "spec", "template", "spec").get("containers") or [{}]
    arguments = " ".join(containers[0].get("args") or ["none"])
    return Finding(
        "silent-operator",
        "KubeRay's operator is ready and does nothing with it",
        (f"its arguments: {arguments}",),
        "does it watch this namespace? "
        f"{kubectl(connection.context, namespace)} logs deployment/{name}",
        SILENT,
    )


def _look(connection: Kubernetes, deployment: Object | None = None) -> Look:
    deployment = deployment or find(connection)
    if is_ready(deployment):
        return Look(True)
    namespace = deployment["metadata"]["namespace"] if deployment else NAMESPACE
    pods = connection.objects("Pod", namespace, labels=LABELS)
    events = waiting.events(connection, namespace, [pod for pod in pods if not holds(pod, "Ready")])
    scene = diagnosis.Scene(connection.context, pods=pods, events=events)
    return Look(False, diagnosis.of_pods(scene), "its pod")


def crds() -> list[Object]:
    """The chart's custom resource definitions. Errors: KubernetesError (5): it holds others."""
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
            "the chart's CRDs are none",
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
        # An interrupted Helm leaves a lock that no later install gets past.
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
