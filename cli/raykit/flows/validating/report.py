"""The verdict on each file, as data, as an error, and as lines for GitHub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from raykit.errors import SpecError
from raykit.spec.problems import Problem


@dataclass(frozen=True)
class Judged:
    """One file: what it is (spec, manifests, or another that was passed over), and its problems.

    checked, others: KubeRay's resources in a file of manifests, and objects of other kinds.
    task_cpus: of a spec without problems.
    """

    file: str
    kind: str
    kuberay: str
    checked: int = 0
    others: int = 0
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    task_cpus: int | None = None

    def as_dict(self) -> dict[str, object]:
        """The file for `-o json`."""
        return {
            "file": self.file,
            "kind": self.kind,
            "kuberay": self.kuberay,
            "checked": self.checked,
            "others": self.others,
            "taskCpus": self.task_cpus,
            "problems": [problem.as_dict() for problem in self.problems],
            "warnings": [warning.as_dict() for warning in self.warnings],
        }


@dataclass(frozen=True)
class Report:
    """The verdicts on all files. charts, unbuilt: as for `Inputs`."""

    files: Sequence[Judged]
    charts: int = 0
    unbuilt: int = 0


def refusal(files: Sequence[Judged], again: str) -> SpecError | None:
    """The error that lists every problem as FILE:LINE:COLUMN; None if nothing is wrong."""
    lines = [f"{judged.file}:{place(wrong)}" for judged in files for wrong in judged.problems]
    if not lines:
        return None
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    wrong = [judged.file for judged in files if judged.problems]
    where = wrong[0] if len(wrong) == 1 else f"{len(wrong)} files"
    return SpecError(f"{where}: {count}", evidence=lines, next=again)


def place(problem: Problem) -> str:
    """A problem as LINE:COLUMN: PATH: MESSAGE."""
    at = f"{problem.line or 1}:{problem.column or 1}"
    text = str(Problem(problem.path, problem.message))
    return f"{at}: {text}"


def github(files: Sequence[Judged]) -> str:
    """Problems and warnings as workflow commands, which GitHub shows beside the lines."""
    lines = []
    for judged in files:
        for level, found in (("error", judged.problems), ("warning", judged.warnings)):
            for problem in found:
                at = f"line={problem.line or 1},col={problem.column or 1}"
                message = _escaped(str(Problem(problem.path, problem.message)))
                name = _escaped(judged.file).replace(":", "%3A").replace(",", "%2C")
                lines.append(f"::{level} file={name},{at}::{message}")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
