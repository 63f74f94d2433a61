"""Whether KubeRay's operator runs, watches the namespace, and has the feature gates it needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from raykit import checks, versions
from raykit.checks import Check
from raykit.kube.connection import Kubernetes
from raykit.kube.contexts import kubectl
from raykit.kube.errors import ForbiddenError
from raykit.kuberay import operator
from raykit.kuberay.checks import arguments, configuration
from raykit.kuberay.explaining import operator_log
from raykit.kuberay.finding import Finding
from raykit.objects import Object

NAME, LOG = "operator", "operator-log"
ABSENT = ("no-operator", "stopped-operator", "elsewhere-operator")
"""Findings by which something is missing; the others are of an operator that does not start."""
NEEDED_GATES = {"RayClusterStatusConditions": "the condition HeadPodReady, by which raykit waits"}


def check(connection: Kubernetes, namespace: str) -> Check:
    """How the operator stands, with the findings by which `up` explains why nothing happens."""
    try:
        deployment = operator.find(connection, namespace)
    except ForbiddenError as forbidden:
        return checks.skipped(NAME, forbidden.what, forbidden.evidence)
    findings = operator.faults(connection, deployment, namespace)
    if findings or deployment is None:
        return _failed(findings)
    return judge(deployment, namespace, configuration.watched(connection, deployment))


def log(connection: Kubernetes, namespace: str) -> Check:
    """Whether the operator's log holds errors of the last hour; it is a warning, since they may
    have passed."""
    try:
        deployment = operator.find(connection, namespace)
    except ForbiddenError as forbidden:
        return checks.skipped(LOG, forbidden.what, forbidden.evidence)
    if deployment is None:
        return checks.skipped(LOG, "no operator, no log")
    home = deployment["metadata"]["namespace"]
    since = datetime.now(UTC) - timedelta(hours=1)
    recent = since.strftime("%Y-%m-%dT%H:%M:00Z")
    errors = operator_log.errors(connection, operator.pods(connection, home), since=recent)
    if not errors:
        return checks.ok(LOG, "the end of the operator's log holds no error that may be read")
    name = deployment["metadata"]["name"]
    next = f"{kubectl(connection.context, home)} logs deployment/{name}"
    return checks.warning(LOG, "the operator's log holds errors", errors, next)


def judge(deployment: Object, namespace: str, names: list[str] | None) -> Check:
    """An operator that is ready: whether its version and its feature gates fit.

    names: the namespaces that it watches, empty for all; None: unknown.
    """
    version, where = operator.version(deployment), operator.where(deployment)
    off = [name for name, on in arguments.gates(deployment).items() if not on]
    lacking = [
        f"{name} is off: it gives {NEEDED_GATES[name]}" for name in off if name in NEEDED_GATES
    ]
    if lacking:
        what = "a feature gate that raykit needs is off in KubeRay's operator"
        next = f"set it to true in the release's values, featureGates: {where}"
        return checks.missing(NAME, what, [*lacking, arguments.shown(deployment)], next)
    if version not in versions.KNOWN_KUBERAY:
        known = " and ".join(versions.KNOWN_KUBERAY)
        what = f"raykit does not know KubeRay {version or 'without a version'}: it knows {known}"
        return checks.warning(NAME, what, [where])
    watched = "all namespaces" if names == [] else namespace
    if names is None:
        watched = "what its configuration file says"
    return checks.ok(NAME, f"KubeRay {version} runs ({where}) and watches {watched}")


def _failed(findings: list[Finding]) -> Check:
    first = findings[0]
    evidence = [*first.evidence, *(finding.what for finding in findings[1:])]
    build = checks.missing if first.key in ABSENT else checks.refused
    return build(NAME, first.what, evidence, first.next)
