"""Judge specs and manifests, many files at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from raykit import kit
from raykit.flows.validating import inputs
from raykit.flows.validating.inputs import Input
from raykit.flows.validating.report import Judged, Report
from raykit.manifests import schema
from raykit.manifests.judging import checking, reading, resource
from raykit.spec import load
from raykit.spec.rules import jobs


def validate(paths: Iterable[Path], kuberay: str | None = None) -> Report:
    """Judge files, the YAML files of folders, and `-`, standard input.

    In folders, files that are neither are passed over; a file that is named must be one of the two.
    kuberay: in place of the version that a spec names, or of raykit's own for manifests.

    Errors: UsageError (2) where something cannot be read, or the version is not known.
    """
    if kuberay is not None:
        schema.require_known(kuberay)
    given = inputs.collect(paths)
    return Report([_judge(text, kuberay) for text in given.texts], given.charts)


def _judge(text: Input, kuberay: str | None) -> Judged:
    kind = reading.kind_of(text.data)
    if kind == reading.MANIFESTS:
        return _manifests(text, kuberay or schema.DEFAULT)
    if kind == reading.SPEC or text.named:
        return _spec(text, kuberay)
    return Judged(text.file, reading.OTHER, kuberay or schema.DEFAULT)


def _manifests(text: Input, kuberay: str) -> Judged:
    found = reading.read(text.data)
    problems, warnings = list(found.problems), []
    for item in found.resources:
        verdict = resource.judge(item.value, kuberay)
        problems += [item.document.locate(each, key=True) for each in verdict.problems]
        warnings += [item.document.locate(each, key=True) for each in verdict.warnings]
    return Judged(
        text.file,
        reading.MANIFESTS,
        kuberay,
        len(found.resources),
        found.others,
        tuple(problems),
        tuple(warnings),
    )


def _spec(text: Input, kuberay: str | None) -> Judged:
    report = load.inspect(text.data)
    if report.spec is None:
        version = kuberay or schema.DEFAULT
        return Judged(
            text.file, reading.SPEC, version, problems=report.problems, warnings=report.warnings
        )
    version = kuberay or report.spec.kuberay
    carried = kit.jobs()
    verdict = checking.judge(report.spec, version)
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
