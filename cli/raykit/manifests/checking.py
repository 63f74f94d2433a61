"""A spec judged whole: its own problems, then its manifests by KubeRay's schema."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from raykit import versions
from raykit.manifests import schema
from raykit.manifests.render import render
from raykit.spec import load
from raykit.spec.model import ClusterSpec
from raykit.spec.problems import Problem

# No image decides what the schema says; this one stands for raykit's own.
_ANY_IMAGE = f"raykit:{versions.RAY}"
_NEXT = f"raykit validate --kuberay {' or '.join(schema.versions())}"


@dataclass(frozen=True)
class Verdict:
    """A spec that is valid for a KubeRay version, and what is doubtful about it.

    task_cpus: the CPUs that it offers to tasks, at most.
    """

    source: str
    kuberay: str
    spec: ClusterSpec
    warnings: tuple[Problem, ...]

    def as_dict(self) -> dict[str, object]:
        """The verdict for `-o json`."""
        return {
            "file": self.source,
            "name": self.spec.name,
            "kuberay": self.kuberay,
            "rayVersion": self.spec.ray_version,
            "taskCpus": self.spec.task_cpus,
            "warnings": [warning.as_dict() for warning in self.warnings],
        }


def check_file(path: Path, kuberay: str | None = None) -> Verdict:
    """Judge the spec in a file; kuberay: in place of the version that the spec names.

    Errors: SpecError (3) with every problem; UsageError (2) for an unreadable file or a KubeRay
    version that is not known.
    """
    return check(load.read(path), str(path), kuberay)


def check(data: bytes | str, source: str, kuberay: str | None = None) -> Verdict:
    """Judge the spec in a text; `source` names it in messages. Errors: as `check_file`."""
    if kuberay is not None:
        schema.require_known(kuberay)
    report = load.inspect(data)
    if report.spec is None:
        raise load.error(report.problems, source)
    kuberay = kuberay or report.spec.kuberay
    refused = [
        problem
        for manifest in render(report.spec, image=_ANY_IMAGE)
        if schema.is_rays(manifest)
        for problem in schema.check(manifest, kuberay)
    ]
    if refused:
        raise load.error(refused, f"{source}, rendered for KubeRay {kuberay}", _NEXT)
    return Verdict(source, kuberay, report.spec, report.warnings)
