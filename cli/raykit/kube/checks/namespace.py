"""Whether the namespace exists, and which Pod Security level it enforces."""

from __future__ import annotations

from raykit import checks
from raykit.checks import Check
from raykit.kube.connection import Kubernetes
from raykit.kube.errors import ForbiddenError, no_namespace

NAME = "namespace"
ENFORCE = "pod-security.kubernetes.io/enforce"


def check(connection: Kubernetes, namespace: str) -> Check:
    try:
        item = connection.get("Namespace", namespace)
    except ForbiddenError as forbidden:
        return checks.skipped(NAME, forbidden.what, forbidden.evidence)
    if item is None:
        return checks.of_error(NAME, no_namespace(connection.about, namespace))
    if item["metadata"].get("deletionTimestamp"):
        what = f"the namespace {namespace} is being deleted"
        return checks.missing(NAME, what, next="wait, or name another: --namespace NAME")
    level = (item["metadata"].get("labels") or {}).get(ENFORCE)
    security = f"it enforces Pod Security {level}" if level else "it enforces no Pod Security level"
    return checks.ok(NAME, f"{namespace} exists; {security}")
