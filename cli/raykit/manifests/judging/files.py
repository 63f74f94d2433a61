"""Many files judged at once: specs, and manifests that anyone wrote."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from raykit.errors import SpecError, UsageError
from raykit.manifests import schema
from raykit.manifests.judging import checking, reading
from raykit.spec import load
from raykit.spec.problems import Problem

STDIN = "-"
SUFFIXES = frozenset({".yaml", ".yml"})
MOST_ENTRIES = 20_000
_SPEC = re.compile(rb"^head[ \t]*:", re.MULTILINE)


@dataclass(frozen=True)
class Judged:
    """One file: what it is (spec, manifests, or another that was passed over), and its problems.

    checked, others: KubeRay's resources in a file of manifests, and objects of other kinds.
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
            "problems": [each.as_dict() for each in self.problems],
            "warnings": [each.as_dict() for each in self.warnings],
        }


def judge(paths: Iterable[Path], kuberay: str | None = None) -> list[Judged]:
    """Judge files, the YAML files of folders, and `-`, standard input.

    In folders, files that are neither are passed over; a file that is named must be one of the two.
    kuberay: in place of the version that a spec names, or of raykit's own for manifests.

    Errors: UsageError (2) where something cannot be read, or the version is not known.
    """
    if kuberay is not None:
        schema.require_known(kuberay)
    return [_judge(path, data, named, kuberay) for path, data, named in _files(paths)]


def _files(paths: Iterable[Path]) -> Iterator[tuple[str, bytes, bool]]:
    for path in dict.fromkeys(paths):
        if str(path) == STDIN:
            yield "stdin", _standard_input(), True
        elif path.is_dir():
            for each in _yaml_files(path):
                yield str(each), load.read(each, reading.LONGEST), False
        else:
            yield str(path), load.read(path, reading.LONGEST), True


def _standard_input() -> bytes:
    """Errors: UsageError (2) where there is none, as after `<&-`."""
    try:
        if sys.stdin is None:
            raise OSError("it is closed")
        return sys.stdin.buffer.read(reading.LONGEST + 1)
    except OSError as unreadable:
        raise UsageError(
            f"standard input cannot be read: {unreadable}", next="raykit validate FILE…"
        ) from unreadable


def _yaml_files(folder: Path) -> list[Path]:
    """The YAML files below a folder, sorted; hidden folders and links to folders are passed over.

    Errors: UsageError (2) for a folder that cannot be listed, or that holds too much to mean.
    """
    found: list[Path] = []
    waiting, seen = [folder], 0
    while waiting:
        here = waiting.pop()
        try:
            entries = list(here.iterdir())
            folders = [each for each in entries if each.is_dir() and not each.is_symlink()]
            found += [each for each in entries if each.suffix in SUFFIXES and each.is_file()]
        except OSError as unreadable:
            raise UsageError(
                f"the folder {here} cannot be listed: {unreadable.strerror}",
                next="raykit validate FILE…, naming the files or a folder that may be read",
            ) from unreadable
        waiting += [each for each in folders if not each.name.startswith(".")]
        seen += len(entries)
        if seen > MOST_ENTRIES:
            raise UsageError(
                f"{folder} holds more than {MOST_ENTRIES:,} entries",
                next="raykit validate deploy/: name the folder that holds the specs",
            )
    return sorted(found)


def _judge(file: str, data: bytes, named: bool, kuberay: str | None) -> Judged:
    if reading.is_manifests(data):
        version = kuberay or schema.DEFAULT
        held = reading.inspect(data, version)
        problems = tuple(held.problems)
        return Judged(file, "manifests", version, held.checked, held.others, problems)
    if not named and not _SPEC.search(data):
        return Judged(file, "other", kuberay or schema.DEFAULT)
    report = load.inspect(data)
    if report.spec is None:
        version = kuberay or schema.DEFAULT
        return Judged(file, "spec", version, problems=report.problems, warnings=report.warnings)
    version = kuberay or report.spec.kuberay
    found = checking.problems(report.spec, version)
    cpus = report.spec.task_cpus
    return Judged(file, "spec", version, 0, 0, tuple(found), report.warnings, cpus)


def refusal(judged: list[Judged], again: str) -> SpecError | None:
    """The error that lists every problem as FILE:LINE:COLUMN; None where nothing is wrong."""
    lines = [f"{each.file}:{place(problem)}" for each in judged for problem in each.problems]
    if not lines:
        return None
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    wrong = [each.file for each in judged if each.problems]
    where = wrong[0] if len(wrong) == 1 else f"{len(wrong)} files"
    return SpecError(f"{where}: {count}", evidence=lines, next=again)


def place(problem: Problem) -> str:
    """A problem as LINE:COLUMN: PATH: MESSAGE."""
    at = f"{problem.line or 1}:{problem.column or 1}"
    text = str(Problem(problem.path, problem.message))
    return f"{at}: {text}"


def github(judged: list[Judged]) -> str:
    """Problems and warnings as workflow commands, which GitHub shows beside the lines."""
    lines = []
    for each in judged:
        for level, found in (("error", each.problems), ("warning", each.warnings)):
            for problem in found:
                at = f"line={problem.line or 1},col={problem.column or 1}"
                message = _escaped(str(Problem(problem.path, problem.message)))
                name = _escaped(each.file).replace(":", "%3A").replace(",", "%2C")
                lines.append(f"::{level} file={name},{at}::{message}")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
