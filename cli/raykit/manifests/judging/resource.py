"""Judge one of KubeRay's resources by a version of KubeRay: its schema, and its operator."""

from __future__ import annotations

from raykit.manifests import schema
from raykit.manifests.judging import kuberay as operator
from raykit.manifests.judging.verdict import Verdict
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


def judge(manifest: Object, kuberay: str) -> Verdict:
    """The verdict on a manifest of KubeRay's group.

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
    warnings += operator.warnings(applied, kuberay)
    return Verdict(_one_each(problems), _one_each(warnings))


def _one_each(found: list[Problem]) -> tuple[Problem, ...]:
    """The first problem of each path: schema and operator often mean the same."""
    return tuple({problem.path: problem for problem in reversed(found)}.values())[::-1]


def _as_applied(manifest: Object) -> Object:
    """A manifest without what the API server writes itself and takes from nobody else."""
    own = {key: value for key, value in manifest.items() if key != "status"}
    metadata = own.get("metadata")
    if isinstance(metadata, dict):
        kept = {key: value for key, value in metadata.items() if key not in _OF_THE_SERVER}
        own["metadata"] = kept
    return own
