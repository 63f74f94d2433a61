"""A spec's manifests, judged by KubeRay's schema."""

from __future__ import annotations

from raykit import versions
from raykit.manifests import schema
from raykit.manifests.render import render
from raykit.spec.model import ClusterSpec
from raykit.spec.problems import Problem

# No image decides what the schema says; this one stands for raykit's own.
_ANY_IMAGE = f"raykit:{versions.RAY}"


def problems(spec: ClusterSpec, kuberay: str) -> list[Problem]:
    """What a KubeRay version has against a spec's manifests; the paths are those of a manifest.

    Errors: UsageError (2) for a KubeRay version that is not known.
    """
    schema.require_known(kuberay)
    return [
        problem
        for manifest in render(spec, image=_ANY_IMAGE)
        if schema.is_rays(manifest)
        for problem in schema.check(manifest, kuberay)
    ]
