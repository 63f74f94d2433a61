"""Checks JSON data from outside: each field that is read has its type, or an error names it.

Where data comes in, its module has a shape of it. Fields that a shape does not list may hold
anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Fields = dict[str, Any]
LONGEST_PATH = 200
LONGEST_VALUE = 80


class MalformedError(ValueError):
    """Data that nobody writes so; the text names the wrong field."""


@dataclass(frozen=True)
class Leaf:
    """A value of one of these types. parse: raises ValueError for values that it refuses."""

    types: tuple[type, ...]
    name: str
    parse: Callable[[Any], object] | None = None


@dataclass(frozen=True)
class ListOf:
    """A list whose items have one shape."""

    item: Any


@dataclass(frozen=True)
class MapOf:
    """A mapping from any text to values of one shape."""

    value: Any


@dataclass(frozen=True)
class Required:
    """A field that must be present."""

    shape: Any


@dataclass(frozen=True)
class Nullable:
    """A value that may also be null."""

    shape: Any


@dataclass(frozen=True)
class Closed:
    """An object without other fields than those of the shape."""

    shape: Mapping[str, Any]


@dataclass(frozen=True)
class By:
    """A value whose shape depends on what it holds."""

    choose: Callable[[Any], Any]


Shape = Leaf | ListOf | MapOf | Required | Nullable | Closed | By | Mapping[str, Any]

TEXT = Leaf((str,), "a text")
FLAG = Leaf((bool,), "true or false")
TEXTS = ListOf(TEXT)
FIELDS = Leaf((dict,), "a set of fields")


class _WrongError(Exception):
    """A value of another shape. path: the steps to it, the last one first.

    Paths are put together on the way out: most data is right, and needs none.
    """

    def __init__(self, problem: str, *path: str) -> None:
        super().__init__(problem)
        self.path = list(path)


def checked(value: Any, shape: Shape, path: str) -> Any:
    """The value without nulls, as the Kubernetes API means them: a null field is an absent one.

    Errors: MalformedError with the path of what has another shape.
    """
    return _checked(value, shape, path, True)


def check(value: Any, shape: Shape, path: str) -> None:
    """Check data in which a null is a value, which only a Nullable field may have.

    path: of the value; empty for all of a file.
    Errors: MalformedError with the path of what has another shape.
    """
    _checked(value, shape, path, False)


def _checked(value: Any, shape: Shape, path: str, without_nulls: bool) -> Any:
    try:
        return _of_shape(value, shape, without_nulls)
    except _WrongError as wrong:
        whole = "".join([path, *reversed(wrong.path)]).lstrip(".") or "it"
        raise MalformedError(f"{whole[-LONGEST_PATH:]} {wrong}") from wrong


def _of_shape(value: Any, shape: Shape, without_nulls: bool) -> Any:
    if isinstance(shape, Required):
        return _of_shape(value, shape.shape, without_nulls)
    if isinstance(shape, Leaf):
        return _leaf(value, shape)
    if isinstance(shape, Nullable):
        return None if value is None else _of_shape(value, shape.shape, without_nulls)
    if isinstance(shape, By):
        return _of_shape(value, shape.choose(value), without_nulls)
    if isinstance(shape, ListOf):
        return _list(value, shape.item, without_nulls)
    if not isinstance(value, dict):
        raise _not("an object", value)
    fields = value
    if without_nulls:
        fields = {key: item for key, item in value.items() if item is not None}
    if isinstance(shape, MapOf):
        return _object(fields, dict.fromkeys(fields, shape.value), without_nulls)
    if isinstance(shape, Closed):
        if unknown := sorted(set(fields) - set(shape.shape)):
            raise _WrongError(f"has unknown fields {', '.join(unknown)}")
        return _object(fields, shape.shape, without_nulls)
    return _object(fields, shape, without_nulls)


def _list(value: Any, shape: Shape, without_nulls: bool) -> list[Any]:
    if not isinstance(value, list):
        raise _not("a list", value)
    items = []
    try:
        for item in value:
            items.append(_of_shape(item, shape, without_nulls))
    except _WrongError as wrong:
        wrong.path.append(f"[{len(items)}]")
        raise
    return items


def _object(result: Fields, shape: Mapping[str, Any], without_nulls: bool) -> Fields:
    for key, inner in shape.items():
        if key in result:
            try:
                item = _of_shape(result[key], inner, without_nulls)
            except _WrongError as wrong:
                wrong.path.append(f".{key}")
                raise
            if without_nulls:
                result[key] = item
        elif isinstance(inner, Required):
            raise _WrongError("is missing", f".{key}")
    return result


def _leaf(value: Any, leaf: Leaf) -> Any:
    is_flag = isinstance(value, bool)
    if not isinstance(value, leaf.types) or (is_flag and bool not in leaf.types):
        raise _not(leaf.name, value)
    if leaf.parse is not None:
        try:
            leaf.parse(value)
        except (ValueError, OverflowError, OSError) as wrong:
            raise _not(leaf.name, value) from wrong
    return value


def _not(wanted: str, value: object) -> _WrongError:
    shown = "null" if value is None else repr(str(value)[:LONGEST_VALUE])
    return _WrongError(f"is not {wanted}: {shown}")
