"""From a text to a `ClusterSpec`, or to a list of everything that is wrong with it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from raykit.errors import SpecError, UsageError
from raykit.spec import changes, document, validate
from raykit.spec.document import Document
from raykit.spec.model import ClusterSpec
from raykit.spec.problems import Path, Problem
from raykit.spec.wording import explained

# What takes the place of a required value that is missing or wrong while the rest is looked at.
_STAND_INS: dict[str, Any] = {"name": "stand-in", "memory": "4Gi", "head": {"memory": "4Gi"}}
_ROUNDS = 5
_OPTIONS = "the spec with the options given"
_LOOK = "change the options, or the spec: raykit explain"


@dataclass(frozen=True)
class Report:
    """What reading a text came to: a spec where nothing is wrong, and what was found."""

    spec: ClusterSpec | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()


def load(data: bytes | str, source: str = "spec") -> ClusterSpec:
    """The spec in a YAML text. `source` names it in messages.

    Errors: SpecError (3) with every problem, its line and column.
    """
    report = inspect(data)
    if report.spec is None:
        raise error(report.problems, source)
    return report.spec


def load_file(path: FilePath) -> ClusterSpec:
    """The spec in a file. Errors: SpecError (3); UsageError (2) where it cannot be read."""
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
    """Everything that is wrong or doubtful in a text; nothing is raised."""
    read_document = document.parse(data)
    if read_document.problems and read_document.value is None:
        return Report(None, tuple(read_document.problems))
    spec, found = _model(read_document)
    located = [*read_document.problems, *found]
    warnings: list[Problem] = []
    if spec is not None:
        wrong = [problem.path for problem in located]
        rules = [read_document.locate(each) for each in validate.problems(spec)]
        located += [each for each in rules if not _rests_on(each, wrong)]
        doubts = [read_document.locate(each) for each in validate.warnings(spec)]
        warnings = [each for each in doubts if not _rests_on(each, wrong)]
    problems = tuple(sorted(located, key=lambda each: (each.line, each.column)))
    return Report(None if problems else spec, problems, tuple(warnings))


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
    """The spec with what the command line gave in place of its own.

    replicas: of the one worker group; `maxReplicas` grows with it.
    settings, jobs: as `changes.apply` and `changes.add_jobs` take them.
    Errors: SpecError (3); UsageError (2) where `replicas` fits no single group.
    """
    data = spec.model_dump(by_alias=True, exclude_unset=True)
    found = changes.apply(data, [_text(each) for each in settings])
    given = {"name": name, "namespace": namespace, "image": image}
    data |= {key: _text(value) for key, value in given.items() if value is not None}
    if replicas is not None:
        _set_replicas(data, replicas)
    if found:
        raise error(found, _OPTIONS, _LOOK)
    changed = _judged(data)
    if not jobs:
        return changed
    changes.add_jobs(data, [_text(each) for each in jobs])
    return _judged(data)


def error(problems: Iterable[Problem], source: str, next: str | None = None) -> SpecError:
    """The error that lists problems; `next` is what to run, by default `raykit validate`."""
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
    """The model, and what is wrong field by field.

    Where fields are wrong the model is made without them, so that the rules that span fields can
    still judge the rest.
    """
    problems: list[Problem] = []
    value = copy.deepcopy(read_document.value)
    known = {problem.path for problem in read_document.problems}
    for path in sorted(known, key=len, reverse=True):
        _without(value, path)
    for _ in range(_ROUNDS):
        try:
            spec = ClusterSpec.model_validate(value)
            return spec, problems + _empty(read_document, known)
        except ValidationError as invalid:
            for each in explained(invalid, read_document):
                if each.path not in known:
                    problems.append(each)
                    known.add(each.path)
                _without(value, each.path)
    return None, problems


def _empty(read_document: Document, known: set[Path]) -> list[Problem]:
    """Keys without a value: allowed by the types where the key may be absent, yet no spec.

    In a `patch` no value takes a key away.
    """
    message = "has no value: give one, or leave the key out"
    empty = [path for path in read_document.empty if path not in known and "patch" not in path]
    found = [Problem(path, message) for path in empty]
    return [read_document.locate(problem) for problem in found]


def _without(value: Any, path: Path) -> None:
    """Take the value at a path away, or put a stand-in where one is required."""
    if not path:
        return
    for part in path[:-1]:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return
    last = path[-1]
    if isinstance(value, list) and isinstance(last, int):
        value[last] = {"name": f"stand-in-{last}", "memory": "4Gi"}
    elif isinstance(value, dict):
        value.pop(last, None)
        if last in _STAND_INS and (last != "name" or path[0] in {"name", "workers"}):
            value[last] = copy.deepcopy(_STAND_INS[last])


def _rests_on(problem: Problem, wrong: Iterable[Path]) -> bool:
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
    """An option's text, with escapes for bytes that are not UTF-8: the rules then refuse it."""
    return given.encode("utf-8", "backslashreplace").decode()


def _outside_a_text(invalid: ValidationError, data: dict[str, Any]) -> list[Problem]:
    found = explained(invalid, Document(value=data))
    return [Problem(each.path, each.message) for each in found]
