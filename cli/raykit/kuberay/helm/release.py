"""Install KubeRay's operator from its Helm chart.

raykit applies the CRDs of the chart separately, since Helm does not upgrade CRDs.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from dataclasses import replace
from pathlib import Path

import yaml

from raykit import processes, versions
from raykit.errors import KubernetesError
from raykit.kube.connection import Kubernetes
from raykit.kube.contexts import kubectl
from raykit.kuberay import operator, waiting
from raykit.kuberay.operator import CHART, NAMESPACE, REPOSITORY
from raykit.kuberay.waiting import Look
from raykit.objects import Object
from raykit.progress import Progress

CHART_SETTING = "RAYKIT_KUBERAY_CHART"
HELM_SECONDS, READY_SECONDS, POLL_SECONDS = 120.0, 120.0, 0.5
RESTART_SECONDS = 60.0
ON_THE_CONTROL_PLANE: Object = {
    "nodeSelector": {"node-role.kubernetes.io/control-plane": ""},
    "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}],
}
"""Helm values for a kind cluster: the worker nodes stay free for Ray."""


def wanted() -> str:
    """The version to install: that of the chart file in RAYKIT_KUBERAY_CHART, else the pinned."""
    match = re.search(r"-(\d+\.\d+\.\d+)\.tgz$", os.environ.get(CHART_SETTING, ""))
    return match[1] if match else versions.KUBERAY


def install(connection: Kubernetes, progress: Progress) -> None:
    """Install CRDs and Helm release and wait; do nothing if the wanted version already runs.

    Errors: KubernetesError (5) if Helm fails or the operator does not become ready.
    """
    deployment = operator.find(connection)
    if (
        operator.is_ready(deployment)
        and operator.version(deployment) == wanted()
        and operator.is_served(connection)
    ):
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
    began = time.time()
    waiting.until(
        lambda: _patient(operator.look(connection, since=began)),
        what="KubeRay's operator",
        timeout=READY_SECONDS,
        progress=progress,
        next=f"{kubectl(connection.context, NAMESPACE)} describe pods",
        wake=lambda seconds: time.sleep(min(seconds, POLL_SECONDS)),
        log=lambda finding: waiting.last_lines(connection, finding),
    )


def _patient(look: Look) -> Look:
    """Crashes are not final for 60 s: the operator restarts until its RBAC rights are there. Nor
    is a lack of room: the Kubernetes nodes of a new cluster become ready one by one."""
    findings = [
        replace(finding, patience=RESTART_SECONDS)
        if finding.log or finding.key.startswith("unschedulable:")
        else finding
        for finding in look.findings
    ]
    return Look(look.ready, findings, look.missing)


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
