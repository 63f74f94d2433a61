"""Judge specs and manifests, many files at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from raykit import kit
from raykit.flows.validating import inputs
from raykit.flows.validating.inputs import Input
from raykit.flows.validating.report import Judged, Report
from raykit.manifests import schema
from raykit.manifests.judging import checking, pod_security, reading, resource
from raykit.manifests.judging.reading import Manifests
from raykit.manifests.judging.rules.values import at
from raykit.spec import load
from raykit.spec.problems import Path as Place
from raykit.spec.problems import Problem
from raykit.spec.rules import jobs


@dataclass(frozen=True)
class Standard:
    """What files are judged by.

    kuberay: in place of the version that a spec names, or of raykit's own for manifests.
    pod_security: a level that all pods must meet. enforced: the level of each namespace of the
    files that states one; its pods must meet that too.
    """

    kuberay: str | None = None
    pod_security: str | None = None
    enforced: Mapping[str, str] = field(default_factory=dict)

    def level(self, namespace: object) -> str | None:
        """The Pod Security level of a namespace; None if nothing states one."""
        stated = self.enforced.get(namespace) if isinstance(namespace, str) else None
        return pod_security.stricter(self.pod_security, stated)


def validate(paths: Iterable[Path], kuberay: str | None = None, level: str | None = None) -> Report:
    """Judge files, the YAML files of folders, and `-`, standard input.

    In folders, files that are neither are passed over; a file that is named must be one of the two.
    kuberay, level: as `kuberay` and `pod_security` of `Standard`.

    Errors: UsageError (2) if something cannot be read, or the version is not known.
    """
    if kuberay is not None:
        schema.require_known(kuberay)
    given = inputs.collect(paths)
    read = [(text, _manifests_of(text)) for text in given.texts]
    enforced = {
        name: level
        for _, manifests in read
        if manifests is not None
        for name, level in manifests.enforced.items()
    }
    standard = Standard(kuberay, level, enforced)
    from_files = {
        text.file: _judge(text, manifests, standard) for text, manifests in read if not text.built
    }
    said = {
        (problem.path, problem.message)
        for judged in from_files.values()
        for problem in (*judged.problems, *judged.warnings)
    }
    files = [
        from_files.get(text.file) or _built(text, manifests or Manifests(), standard, said)
        for text, manifests in read
    ]
    return Report(files, given.charts, given.unbuilt)


def _manifests_of(text: Input) -> Manifests | None:
    """The manifests of a text; None if it is something else."""
    if text.patch or reading.kind_of(text.data) != reading.MANIFESTS:
        return None
    return reading.read(text.data)


def _judge(text: Input, manifests: Manifests | None, standard: Standard) -> Judged:
    if manifests is not None:
        return _manifests(text, manifests, standard)
    if not text.patch and (text.named or reading.kind_of(text.data) == reading.SPEC):
        return _spec(text, standard)
    return Judged(text.file, reading.OTHER, standard.kuberay or schema.DEFAULT)


def _manifests(text: Input, manifests: Manifests, standard: Standard) -> Judged:
    version = standard.kuberay or schema.DEFAULT
    problems, warnings = list(manifests.problems), []
    for item in manifests.resources:
        level = standard.level(at(item.value, "metadata", "namespace"))
        verdict = resource.judge(item.value, version, level)
        problems += [item.document.locate(each, key=True) for each in verdict.problems]
        warnings += [item.document.locate(each, key=True) for each in verdict.warnings]
    return Judged(
        text.file,
        reading.MANIFESTS,
        version,
        len(manifests.resources),
        manifests.others,
        tuple(problems),
        tuple(warnings),
    )


def _built(
    text: Input, manifests: Manifests, standard: Standard, said: set[tuple[Place, str]]
) -> Judged:
    """The verdict on what a kustomization makes: only what none of its files has by itself.

    said: path and message of everything that is said of files. The output has no lines.
    """
    version = standard.kuberay or schema.DEFAULT
    problems = [Problem((), f"does not build: {text.error}")] if text.error else []
    warnings: list[Problem] = []
    for item in manifests.resources:
        level = standard.level(at(item.value, "metadata", "namespace"))
        verdict = resource.judge(item.value, version, level)
        name = f"{item.value.get('kind')} {at(item.value, 'metadata', 'name')}, as built"
        for found, into in ((verdict.problems, problems), (verdict.warnings, warnings)):
            into += [
                Problem(each.path, f"{each.message} ({name})")
                for each in found
                if (each.path, each.message) not in said
            ]
    return Judged(
        text.file,
        reading.MANIFESTS,
        version,
        len(manifests.resources),
        problems=tuple(problems),
        warnings=tuple(warnings),
    )


def _spec(text: Input, standard: Standard) -> Judged:
    report = load.inspect(text.data)
    if report.spec is None:
        version = standard.kuberay or schema.DEFAULT
        problems = [*report.problems, *_of_the_rest(report, standard)]
        problems.sort(key=lambda problem: (problem.line, problem.column))
        return Judged(
            text.file, reading.SPEC, version, problems=tuple(problems), warnings=report.warnings
        )
    version = standard.kuberay or report.spec.kuberay
    carried = kit.jobs()
    verdict = checking.judge(report.spec, version, standard.level(report.spec.namespace))
    problems = [*jobs.unknown(report.spec, carried), *verdict.problems]
    warnings = [*jobs.doubtful(report.spec, carried), *verdict.warnings]
    return Judged(
        text.file,
        reading.SPEC,
        version,
        problems=tuple(report.document.locate(each) for each in problems),
        warnings=(*report.warnings, *(report.document.locate(each) for each in warnings)),
        task_cpus=report.spec.task_cpus,
    )


def _of_the_rest(report: load.Report, standard: Standard) -> Iterator[Problem]:
    """What KubeRay's schema says of the parts of a wrong spec that hold Kubernetes' own fields."""
    wrong = [problem.path for problem in report.problems]
    # Without its name and version, messages would speak of another cluster and KubeRay.
    if report.rest is None or {("name",), ("kuberay",)} & set(wrong):
        return
    version = standard.kuberay or report.rest.kuberay
    level = standard.level(report.rest.namespace)
    alone = report.rest.model_copy(update={"jobs": []})  # jobs have no such parts
    for problem in checking.judge(alone, version, level).problems:
        if _KUBERNETES_OWN & set(problem.path) and not load.rests_on(problem, wrong):
            yield report.document.locate(problem)


_KUBERNETES_OWN = {"patch", "affinity", "spec"}
"""Keys of a spec whose values are Kubernetes': no rule of the spec's own looks into them."""
