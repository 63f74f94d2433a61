"""What is said of one resource: problems, which make it invalid, and warnings."""

from __future__ import annotations

from dataclasses import dataclass

from raykit.spec.problems import Problem


@dataclass(frozen=True)
class Verdict:
    """The problems and warnings of one resource; paths are those of its manifest."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
