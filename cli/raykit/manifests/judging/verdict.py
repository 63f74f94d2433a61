"""What is said of one resource: problems, which make it invalid, and warnings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from raykit.spec.problems import Path, Problem


@dataclass(frozen=True)
class Verdict:
    """The problems and warnings of one resource; paths are those of its manifest."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def first_of_each_path(found: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems without those at a path that had one before: two rules often mean the same."""
    first: dict[Path, Problem] = {}
    for problem in found:
        first.setdefault(problem.path, problem)
    return tuple(first.values())
