"""Judge one of KubeRay's resources by a KubeRay version: its schema, its operator, its pods."""

from __future__ import annotations

from raykit.manifests import schema
from raykit.manifests.judging import kuberay as operator
from raykit.manifests.judging import pod_security
from raykit.manifests.judging.verdict import Verdict, first_of_each_path
from raykit.objects import Object
from raykit.spec.problems import Problem

ALPHA, STABLE = "ray.io/v1alpha1", "ray.io/v1"
_OF_THE_SERVER = frozenset(
    {
        *("creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation"),
        *("managedFields", "resourceVersion", "selfLink", "uid"),
    }
)
"""Metadata that the API server writes: objects as `kubectl get -o yaml` prints them have it."""


def judge(manifest: Object, kuberay: str, level: str | None = None) -> Verdict:
    """The verdict on a manifest of KubeRay's group.

    level: the Pod Security level that its namespace enforces, if that is known.
    Errors: UsageError (2) for a KubeRay version that is not known.
    """
    warnings = []
    if manifest.get("apiVersion") == ALPHA:
        # The operator reads the object as v1: fields that only the alpha knows do nothing.
        manifest = {**manifest, "apiVersion": STABLE}
        message = f"is KubeRay's alpha version: write {STABLE}; here it is judged as that"
        warnings.append(Problem(("apiVersion",), message))
    applied = _as_applied(manifest)
    problems = schema.check(applied, kuberay) + operator.problems(applied, kuberay)
    problems += pod_security.problems(applied, level) if level else ()
    warnings += operator.warnings(applied, kuberay)
    return Verdict(first_of_each_path(problems), first_of_each_path(warnings))


def _as_applied(manifest: Object) -> Object:
    """A manifest without what the API server writes itself and takes from nobody else."""
    own = {key: value for key, value in manifest.items() if key != "status"}
    metadata = own.get("metadata")
    if isinstance(metadata, dict):
        kept = {key: value for key, value in metadata.items() if key not in _OF_THE_SERVER}
        own["metadata"] = kept
    return own
