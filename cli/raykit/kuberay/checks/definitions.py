"""Whether KubeRay's custom resources are there, with the fields that raykit uses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from raykit import checks
from raykit.checks import Check
from raykit.errors import RaykitError
from raykit.kube.connection import Kubernetes
from raykit.kube.errors import ForbiddenError
from raykit.kube.kinds import KINDS
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
        return _refused(connection, ours, error)
    kinds = " and ".join(sorted({item["kind"] for item in ours}))
    return checks.ok(FIELDS, f"KubeRay there knows every field of the {kinds} (dry run)")


def unknown(value: object, node: Object, path: str = "") -> Iterator[str]:
    """The paths of an object's fields that a CRD's schema does not have."""
    if isinstance(value, list):
        for item in value:
            yield from unknown(item, node.get("items") or {}, f"{path}[]")
    known, free = node.get("properties"), node.get("x-kubernetes-preserve-unknown-fields")
    if not isinstance(value, dict) or known is None or free:
        return
    for name, inner in value.items():
        if name in known:
            yield from unknown(inner, known[name], f"{path}.{name}")
        else:
            yield f"{path}.{name}"


def _refused(connection: Kubernetes, items: Sequence[Object], error: RaykitError) -> Check:
    """The failed check, with every unknown field: the API server names the first one only."""
    check = checks.of_error(FIELDS, error)
    with contextlib.suppress(RaykitError):
        lines = [line for item in items for line in _all_unknown(connection, item)]
        return replace(check, evidence=(*check.evidence, *dict.fromkeys(lines)))
    return check


def _all_unknown(connection: Kubernetes, item: Object) -> Iterator[str]:
    kind = KINDS[item["kind"]]
    group, _, version = kind.api_version.partition("/")
    definition = connection.get("CustomResourceDefinition", f"{kind.plural}.{group}") or {}
    for served in (definition.get("spec") or {}).get("versions", []):
        if served["name"] == version:
            schema = (served.get("schema") or {}).get("openAPIV3Schema") or {}
            spec = (schema.get("properties") or {}).get("spec") or {}
            for path in unknown(item["spec"], spec, "spec"):
                yield f"{item['kind']}: {path} is unknown there"


def _place(connection: Kubernetes, namespace: str) -> str:
    """The namespace for the dry run: the one that is meant, unless it is known to be absent."""
    try:
        return namespace if connection.get("Namespace", namespace) else ALWAYS_THERE
    except ForbiddenError:
        return namespace
