"""Whether KubeRay's custom resources are there, with the fields that raykit uses."""

from __future__ import annotations

from collections.abc import Sequence

from raykit import checks
from raykit.checks import Check
from raykit.errors import RaykitError
from raykit.kube.connection import Kubernetes
from raykit.kube.errors import ForbiddenError
from raykit.kuberay import operator
from raykit.objects import Object

NAME, FIELDS = "kuberay-api", "kuberay-fields"
ALWAYS_THERE = "default"
"""A namespace of every Kubernetes cluster, for a dry run where ours does not exist yet."""


def served(connection: Kubernetes) -> Check:
    """Whether the API server knows RayClusters. Errors: as `operator.require`."""
    operator.require(connection)
    return checks.ok(NAME, "the API server knows KubeRay's resources")


def fields(connection: Kubernetes, namespace: str, items: Sequence[Object]) -> Check:
    """Whether the API server knows every field of these objects: it says so in a dry run.

    items: rendered objects; those of KubeRay are tried.
    """
    if not operator.is_served(connection):
        return checks.skipped(FIELDS, "KubeRay is not installed")
    ours = [item for item in items if item["apiVersion"].startswith("ray.io/")]
    try:
        place = _place(connection, namespace)
        for item in ours:
            metadata = {**item["metadata"], "namespace": place}
            connection.apply({**item, "metadata": metadata}, dry_run=True, force=True)
    except ForbiddenError as forbidden:
        return checks.skipped(FIELDS, "no dry run is allowed", forbidden.evidence)
    except RaykitError as error:
        return checks.of_error(FIELDS, error)
    kinds = " and ".join(sorted({item["kind"] for item in ours}))
    return checks.ok(FIELDS, f"KubeRay there knows every field of the {kinds} (dry run)")


def _place(connection: Kubernetes, namespace: str) -> str:
    """The namespace for the dry run: the one that is meant, unless it is known to be absent."""
    try:
        return namespace if connection.get("Namespace", namespace) else ALWAYS_THERE
    except ForbiddenError:
        return namespace
