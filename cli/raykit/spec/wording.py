"""Turn pydantic's errors into messages for the author of the YAML."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from raykit.spec.document import Document
from raykit.spec.model import ClusterSpec
from raykit.spec.problems import Path, Problem

_KINDS = {
    "model_type": "must be a mapping of keys to values",
    "dict_type": "must be a mapping of keys to values",
    "list_type": "must be a list",
    "bool_type": "must be true or false",
}


def explained(invalid: ValidationError, document: Document) -> list[Problem]:
    """One problem for each of pydantic's errors, with its line and column."""
    return [_problem(error, document) for error in invalid.errors(include_url=False)]


def known_keys(path: Path) -> list[str]:
    """The keys that a spec allows below a path; empty if it allows any key."""
    return list(fields_of(path) or ())


def fields_of(path: Path) -> dict[str, FieldInfo] | None:
    """The fields of the part of a spec at a path by their keys; None if no part belongs there."""
    model = _model(annotation_at(path))
    return None if model is None else {_alias(field, key): field for key, field in _fields(model)}


def annotation_at(path: Path) -> Any:
    """The type of the value at a path of a spec; None where the model says nothing of it."""
    annotation: Any = ClusterSpec
    for part in path:
        annotation = _plain(_inside(_plain(annotation), part))
    return annotation


def _problem(error: ErrorDetails, document: Document) -> Problem:
    in_key = error["loc"][-1:] == ("[key]",)
    path: Path = error["loc"][:-1] if in_key else error["loc"]
    unknown = error["type"] == "extra_forbidden"
    problem = Problem(path, _message(error, path, document))
    if error["type"] == "missing":
        return _missing(problem, document)
    return document.locate(problem, key=in_key or unknown)


def _missing(problem: Problem, document: Document) -> Problem:
    holder = document.mark(problem.path[:-1], key=bool(problem.path[:-1]))
    return Problem(problem.path, problem.message, holder.line, holder.column)


def _message(error: ErrorDetails, path: Path, document: Document) -> str:
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        return _unknown(path)
    if kind == "missing":
        return "is required"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if value is None:
        return "has no value: give one, or leave the key out"
    if kind == "string_type":
        return _not_text(value, document.texts.get(path, str(value)))
    if kind in {"int_type", "int_from_float"}:
        return f"must be a whole number{_unquoted(value)}"
    if kind == "literal_error":
        return f"must be {error['ctx']['expected'].replace(chr(39), '')}"
    if kind in _KINDS:
        return _KINDS[kind]
    text = error["msg"]
    return "must be" + text.removeprefix("Input should be") if "Input should" in text else text


def _not_text(value: object, written: str) -> str:
    if isinstance(value, dict | list):
        return "must be text"
    return f'must be text: quote it, "{written}"'


def _unquoted(value: object) -> str:
    if isinstance(value, str) and value.strip().lstrip("-").isdigit():
        return f": write {value.strip()} without quotes"
    return ""


def _unknown(path: Path) -> str:
    known = known_keys(path[:-1])
    lowered = {key.lower(): key for key in known}
    near = difflib.get_close_matches(str(path[-1]).lower(), lowered, n=1, cutoff=0.5)
    if near:
        return f'unknown key; did you mean "{lowered[near[0]]}"?'
    return f"unknown key; known here: {', '.join(known)}"


def _inside(annotation: Any, part: str | int) -> Any:
    if isinstance(part, int):
        return next(iter(get_args(annotation)), None) if get_origin(annotation) is list else None
    model = _model(annotation)
    for key, field in _fields(model) if model else ():
        if _alias(field, key) == part:
            return field.annotation
    return None


def _plain(annotation: Any) -> Any:
    """A type without `None` and without the rules that are annotated to it."""
    if get_origin(annotation) in {Union, types.UnionType}:
        choices = (choice for choice in get_args(annotation) if choice is not type(None))
        annotation = next(choices, None)
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _model(annotation: Any) -> type[BaseModel] | None:
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return annotation if is_model else None


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    yield from model.model_fields.items()


def _alias(field: Any, key: str) -> str:
    return field.alias or key
