"""Values of a manifest whose types nobody has checked, and the versions in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_VERSION = re.compile(r"\s*v?(\d+(?:\.\d+)*)", re.ASCII)


def at(value: Any, *path: str | int) -> Any:
    """The value at a path; None if there is none, whatever stands on the way."""
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def mapping(value: Any, *path: str | int) -> dict[str, Any]:
    """The mapping at a path; empty if there is none."""
    part = at(value, *path)
    return part if isinstance(part, dict) else {}


def items(value: Any, *path: str | int) -> list[tuple[int, dict[str, Any]]]:
    """The mappings in the list at a path, with their positions."""
    part = at(value, *path)
    if not isinstance(part, list):
        return []
    return [(place, item) for place, item in enumerate(part) if isinstance(item, dict)]


def text(value: Any, *path: str | int) -> str:
    """The text at a path; empty if there is none."""
    part = at(value, *path)
    return part if isinstance(part, str) else ""


def number(value: Any, *path: str | int) -> int | None:
    """The whole number at a path; None if there is none."""
    part = at(value, *path)
    return part if isinstance(part, int) and not isinstance(part, bool) else None


def variables(container: Any) -> Iterator[tuple[int, str, str]]:
    """Position, name and value of each environment variable of a container."""
    for place, variable in items(container, "env"):
        yield place, text(variable, "name"), text(variable, "value")


def has_variable(container: Any, name: str) -> bool:
    """Whether a container sets an environment variable, with any value."""
    return any(name == own for _, own, _ in variables(container))


def version(written: str) -> tuple[int, ...] | None:
    """The numbers of a version such as 2.60.0 or v2.60; None for a text that names none."""
    match = _VERSION.match(written)
    return tuple(int(part) for part in match[1].split(".")) if match else None


def older(numbers: tuple[int, ...], than: tuple[int, ...]) -> bool:
    """Whether a version is older than another; missing numbers count as 0."""
    length = max(len(numbers), len(than))
    padded = (each + (0,) * (length - len(each)) for each in (numbers, than))
    first, second = padded
    return first < second


def since_1_7(kuberay: str) -> bool:
    """Whether a version of KubeRay is 1.7.0 or later."""
    return not older(version(kuberay) or (), (1, 7))
