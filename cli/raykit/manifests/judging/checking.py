"""Judge the manifests that a spec renders to, and say which part of the spec is to change."""

from __future__ import annotations

from raykit import versions
from raykit.manifests import schema
from raykit.manifests.judging import origin, pod_security, resource
from raykit.manifests.judging.pod_security import RESTRICTED
from raykit.manifests.judging.verdict import Verdict
from raykit.manifests.render import render
from raykit.objects import Object
from raykit.spec.model import ClusterSpec
from raykit.spec.problems import Problem, dotted

# No image decides what the schema says; this one stands for raykit's own.
_ANY_IMAGE = f"raykit:{versions.RAY}"


def judge(spec: ClusterSpec, kuberay: str, level: str | None = None) -> Verdict:
    """The verdict on a spec's manifests for a KubeRay version; the paths are those of the spec.

    level: the Pod Security level that the namespace enforces. None: raykit promises pods that
    `restricted` admits, so that what breaks this promise is a warning.
    Errors: UsageError (2) for a KubeRay version that is not known.
    """
    schema.require_known(kuberay)
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for manifest in render(spec, image=_ANY_IMAGE):
        if schema.is_rays(manifest):
            verdict = resource.judge(manifest, kuberay, level)
            doubts = pod_security.problems(manifest, RESTRICTED) if level is None else ()
            problems += [_in_spec(spec, manifest, each) for each in verdict.problems]
            warnings += [_in_spec(spec, manifest, each) for each in (*verdict.warnings, *doubts)]
    return Verdict(tuple(problems), tuple(warnings))


def _in_spec(spec: ClusterSpec, manifest: Object, problem: Problem) -> Problem:
    path = origin.path(spec, manifest, problem.path)
    rendered = f"{manifest['kind']} {manifest['metadata']['name']}: {dotted(problem.path)}"
    return Problem(path, f"{problem.message} ({rendered})")
