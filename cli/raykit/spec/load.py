"""Read a spec: a text becomes a `ClusterSpec`, or a list of everything that is wrong with it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from raykit.errors import SpecError, UsageError
from raykit.spec import changes, document, validate
from raykit.spec.document import Document
from raykit.spec.model import ClusterSpec
from raykit.spec.problems import Path, Problem
from raykit.spec.rules import stand_ins
from raykit.spec.wording import explained

_ROUNDS = 5
_OPTIONS = "the spec with the options given"
_LOOK = "change the options, or the spec: raykit explain"


@dataclass(frozen=True)
class Report:
    """The result of reading a text. spec: None if there are problems.

    document: where each value stands in the text.
    rest: if there are problems, the spec without its wrong fields, if that one breaks no rule.
    """

    spec: ClusterSpec | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    document: Document = field(default_factory=Document)
    rest: ClusterSpec | None = None


def load(data: bytes | str, source: str = "spec") -> ClusterSpec:
    """The spec of a YAML text. source: its name in messages.

    Errors: SpecError (3) with all problems, each with line and column.
    """
    report = inspect(data)
    if report.spec is None:
        raise error(report.problems, source)
    return report.spec


def load_file(path: FilePath) -> ClusterSpec:
    """The spec of a file. Errors: SpecError (3); UsageError (2) if it cannot be read."""
    return load(read(path), str(path))


def read(path: FilePath, longest: int = document.LONGEST) -> bytes:
    """A file's bytes, at most one more than the longest. Errors: UsageError (2)."""
    try:
        with path.open("rb") as stream:
            # A byte more than a spec may have: some files, such as /dev/zero, never end.
            return stream.read(longest + 1)
    except OSError as unreadable:
        raise UsageError(
            f"the spec {path} cannot be read: {unreadable.strerror}",
            next="raykit validate -f FILE, with a file that exists and may be read",
        ) from unreadable


def inspect(data: bytes | str) -> Report:
    """All problems and warnings of a text. Raises nothing."""
    read_document = document.parse(data)
    if read_document.problems and read_document.value is None:
        return Report(None, tuple(read_document.problems), document=read_document)
    spec, field_problems = _model(read_document)
    located = [*read_document.problems, *field_problems]
    warnings: list[Problem] = []
    rest: ClusterSpec | None = None
    if spec is not None:
        wrong = [problem.path for problem in located]
        rules = [read_document.locate(problem) for problem in validate.problems(spec)]
        rest = spec if located and not rules else None
        located += [problem for problem in rules if not rests_on(problem, wrong)]
        doubts = [read_document.locate(warning) for warning in validate.warnings(spec)]
        warnings = [warning for warning in doubts if not rests_on(warning, wrong)]
    problems = tuple(sorted(located, key=lambda problem: (problem.line, problem.column)))
    valid = None if problems else spec
    return Report(valid, problems, tuple(warnings), read_document, rest)


def overridden(
    spec: ClusterSpec,
    *,
    name: str | None = None,
    namespace: str | None = None,
    image: str | None = None,
    replicas: int | None = None,
    settings: Sequence[str] = (),
    jobs: Sequence[str] = (),
) -> ClusterSpec:
    """The spec with the command line's options in place of its own values.

    replicas: of its only worker group; `maxReplicas` grows with it.
    settings, jobs: as `changes.apply` and `changes.add_jobs` take them.
    Errors: SpecError (3); UsageError (2) for `replicas` if the spec has not exactly one group.
    """
    data = spec.model_dump(by_alias=True, exclude_unset=True)
    problems = changes.apply(data, [_text(setting) for setting in settings])
    options = {"name": name, "namespace": namespace, "image": image}
    data |= {key: _text(value) for key, value in options.items() if value is not None}
    if replicas is not None:
        _set_replicas(data, replicas)
    if problems:
        raise error(problems, _OPTIONS, _LOOK)
    changed = _judged(data)
    if not jobs:
        return changed
    changes.add_jobs(data, [_text(job) for job in jobs])
    return _judged(data)


def error(problems: Iterable[Problem], source: str, next: str | None = None) -> SpecError:
    """The error that lists problems. next: the command to run; None: `raykit validate`."""
    lines = [str(problem) for problem in problems]
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return SpecError(
        f"{source}: {count}", evidence=lines, next=next or f"raykit validate -f {source}"
    )


def _judged(data: dict[str, Any]) -> ClusterSpec:
    try:
        spec = ClusterSpec.model_validate(data)
    except ValidationError as invalid:
        raise error(_outside_a_text(invalid, data), _OPTIONS, _LOOK) from invalid
    problems = validate.problems(spec)
    if problems:
        raise error(problems, _OPTIONS, _LOOK)
    return spec


def _model(read_document: Document) -> tuple[ClusterSpec | None, list[Problem]]:
    """The model, and the problems of single fields.

    Wrong fields are left out of the model, so that rules over several fields can still check the
    rest.
    """
    problems: list[Problem] = []
    value = copy.deepcopy(read_document.value)
    known = {problem.path for problem in read_document.problems}
    for path in sorted(known, key=len, reverse=True):
        stand_ins.put(value, path)
    for _ in range(_ROUNDS):
        try:
            spec = ClusterSpec.model_validate(value)
            return spec, problems + _empty(read_document, known)
        except ValidationError as invalid:
            for problem in explained(invalid, read_document):
                if problem.path not in known:
                    problems.append(problem)
                    known.add(problem.path)
                stand_ins.put(value, problem.path)
    return None, problems


def _empty(read_document: Document, known: set[Path]) -> list[Problem]:
    """Problems for keys without a value: the types of optional keys allow None, a spec does not.

    In a `patch` a key without a value is allowed: it removes the key.
    """
    message = "has no value: give one, or leave the key out"
    empty = [path for path in read_document.empty if path not in known and "patch" not in path]
    return [read_document.locate(Problem(path, message)) for path in empty]


def rests_on(problem: Problem, wrong: Iterable[Path]) -> bool:
    """Whether a problem is about one of the paths, or depends on its value."""
    paths = (problem.path, *problem.involves)
    return any(bad == path[: len(bad)] for bad in wrong if bad for path in paths)


def _set_replicas(data: dict[str, Any], replicas: int) -> None:
    groups = data.get("workers", [])
    if len(groups) != 1:
        raise UsageError(
            f"--replicas needs a spec with one worker group; this one has {len(groups)}",
            next="set replicas in the spec",
        )
    groups[0]["replicas"] = replicas
    if "maxReplicas" in groups[0]:
        groups[0]["maxReplicas"] = max(replicas, groups[0]["maxReplicas"])


def _text(given: str) -> str:
    """An option's text with bytes that are not UTF-8 as escapes, which the rules then refuse."""
    return given.encode("utf-8", "backslashreplace").decode()


def _outside_a_text(invalid: ValidationError, data: dict[str, Any]) -> list[Problem]:
    problems = explained(invalid, Document(value=data))
    return [Problem(problem.path, problem.message) for problem in problems]
