"""KubeRay's operator, by its own Helm chart; its CRDs first, since Helm does not upgrade them."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from raykit import processes, versions
from raykit.errors import MissingError
from raykit.kube import contexts
from raykit.kube.connection import EVERYWHERE, RAY_API, Kubernetes
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
    processes.find("helm", mend=INSTALL_HELM)
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
        if found := re.search(r":v?(\d+\.\d+\.\d+\S*)$", container["image"]):
            return found[1]
    return None


def is_ready(deployment: Object | None) -> bool:
    """Whether it serves, and no older one serves in its place."""
    if deployment is None:
        return False
    status = _at(deployment, "status")
    wanted = _at(deployment, "spec").get("replicas", 1)
    current = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return holds(deployment, "Available") and current and status.get("updatedReplicas", 0) == wanted


def is_served(connection: Kubernetes) -> bool:
    """Whether the API server knows RayClusters."""
    return connection.serves(RAY_API, "rayclusters")


def require(connection: Kubernetes) -> None:
    """Errors: MissingError (4) where KubeRay is not installed, with the command that does it."""
    if is_served(connection):
        return
    context = connection.context
    raise MissingError(
        f"KubeRay is not installed in context {context}",
        evidence=[f"the API server knows no rayclusters in {RAY_API}"],
        next=_command(context),
    )


def _command(context: str) -> str:
    return contexts.bring_up(context) or (
        f"helm --kube-context {context} install {CHART} {CHART} --repo {REPOSITORY} "
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
        next=f"kubectl --context {connection.context} -n {NAMESPACE} describe pods",
        wake=lambda seconds: time.sleep(min(seconds, POLL_SECONDS)),
        log=lambda finding: waiting.last_lines(connection, finding),
    )


def _patient(look: Look) -> Look:
    """An operator ends, and is started again, where its rights or the API server are late."""
    findings = [
        replace(each, patience=RESTART_SECONDS) if each.log else each for each in look.findings
    ]
    return Look(look.ready, findings, look.missing)


def diagnose(connection: Kubernetes) -> list[Finding]:
    """Why nothing happens to a RayCluster: no operator, one that is not ready, or a silent one."""
    try:
        deployment = find(connection)
    except MissingError:
        # Reading other namespaces needs a right that a user of one may not have.
        return []
    if deployment is None:
        lines = ("no Deployment carries the label app.kubernetes.io/name=kuberay-operator",)
        mend = _command(connection.context)
        return [Finding("no-operator", "no KubeRay operator runs here", lines, mend, LATER)]
    look = _look(connection, deployment)
    return [_silent(connection, deployment)] if look.ready else list(look.findings)


def _silent(connection: Kubernetes, deployment: Object) -> Finding:
    namespace, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
    container = _at(deployment, "spec", "template", "spec")["containers"][0]
    return Finding(
        "silent-operator",
        "KubeRay's operator is ready and does nothing with it",
        (f"its arguments: {' '.join(container.get('args') or ['none'])}",),
        "does it watch this namespace? "
        f"kubectl --context {connection.context} -n {namespace} logs deployment/{name}",
        SILENT,
    )


def _look(connection: Kubernetes, deployment: Object | None = None) -> Look:
    deployment = deployment or find(connection)
    if is_ready(deployment):
        return Look(True)
    namespace = deployment["metadata"]["namespace"] if deployment else NAMESPACE
    scene = diagnosis.Scene(
        connection.context,
        pods=connection.objects("Pod", namespace, labels=LABELS),
        events=waiting.events(connection, namespace),
    )
    return Look(False, diagnosis.of_pods(scene), "its pod")


def crds() -> list[Object]:
    """The chart's custom resource definitions."""
    shown = processes.run(["helm", "show", "crds", *_chart()], timeout=HELM_SECONDS).stdout
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [item for item in yaml.load_all(shown, Loader=loader) if item]


def _release(context: str) -> None:
    helm = ["--kube-context", context, "--namespace", NAMESPACE]
    told = processes.run(
        ["helm", "status", CHART, "--output", "json", *helm], check=False, timeout=HELM_SECONDS
    )
    if told.returncode == 0 and _status(told.stdout).startswith("pending"):
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
    return str(json.loads(text).get("info", {}).get("status", ""))


def _at(item: Object, *keys: str) -> dict[str, Any]:
    for key in keys:
        item = item.get(key) or {}
    return item
