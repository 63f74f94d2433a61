"""From what the user named to the words that start the driver."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from raykit import kit
from raykit.errors import UsageError
from raykit.submission.variables import is_text, shown

FILE_ENDINGS = (".py", ".sh")


@dataclass(frozen=True)
class Entrypoint:
    """A job's name and the words that start it; they stay a list until Ray's shell gets them.

    working_dir: the folder that is uploaded with it. script: the file in it that runs.
    of_kit: it is one of raykit's own jobs. in_place: it runs from the kit that the head has, so
    that nothing is uploaded.
    """

    name: str
    words: tuple[str, ...]
    arguments: tuple[str, ...]
    working_dir: Path | None = None
    script: str | None = None
    of_kit: bool = False
    in_place: bool = False

    def __post_init__(self) -> None:
        wrong = [shown(word) for word in self.words if not is_text(word)]
        if wrong:
            raise UsageError(
                "the command holds bytes that are not UTF-8",
                evidence=wrong,
                next="rename the file, or write the word in UTF-8",
            )

    @property
    def needs_kit(self) -> bool:
        """Whether the package `jobs` goes with it."""
        return self.of_kit and not self.in_place

    @property
    def command(self) -> str:
        """One shell line that yields exactly these words again."""
        return shlex.join(self.words)

    def from_kit(self, root: str) -> Entrypoint:
        """The same job, run from the kit that lies in the folder `root` of the head.

        Run that way, Python and Ray put this folder on the import path of this job alone: a folder
        `jobs` of the user's never meets ours. With a working directory Ray would not, and the kit
        is uploaded.
        """
        if not self.of_kit or self.working_dir is not None:
            return self
        words = ("python", f"{root}/jobs", self.name, *self.arguments)
        return replace(self, words=words, in_place=True)


def find(job: str, arguments: Sequence[str], working_dir: Path | None = None) -> Entrypoint:
    """A file that exists or looks like one, else a job that comes with the kit.

    Errors: UsageError (2) naming what is near.
    """
    if job.endswith(FILE_ENDINGS) or "/" in job:
        return of_file(Path(job), arguments, working_dir)
    return of_kit(job, arguments, working_dir)


def of_kit(job: str, arguments: Sequence[str], working_dir: Path | None = None) -> Entrypoint:
    """A job that comes with the kit, by its module's name, run from an uploaded kit.

    `-P` keeps the driver's own folder off the import path: a `jobs/` there must not shadow ours.

    Errors: UsageError (2) naming the nearest jobs.
    """
    known = kit.jobs()
    if job not in known:
        near = difflib.get_close_matches(job, known, n=3, cutoff=0.4)
        raise UsageError(
            f"there is no job {job!r}",
            evidence=[f"nearest: {', '.join(near)}"] if near else [],
            next=f"the jobs that come with raykit: {', '.join(known)}; or name a file: ./{job}.py",
        )
    words = ("python", "-P", "-m", "jobs", job, *arguments)
    return Entrypoint(job, words, tuple(arguments), working_dir, of_kit=True)


def of_file(path: Path, arguments: Sequence[str], working_dir: Path | None = None) -> Entrypoint:
    """A script of the user's; its folder, or `working_dir`, goes with it.

    Errors: UsageError (2) where it is missing or lies outside the folder.
    """
    if not os.path.isfile(path):  # noqa: PTH113  (Path.is_file raises for names that are too long)
        beside = sorted(other.name for other in path.parent.glob("*.py"))
        near = difflib.get_close_matches(path.name, beside, n=3)
        raise UsageError(
            f"there is no file {path}",
            evidence=[f"nearest: {', '.join(near)}"] if near else [],
            next=f"the jobs that come with raykit: {', '.join(kit.jobs())}",
        )
    folder = (working_dir or path.parent).resolve()
    try:
        inside = path.resolve().relative_to(folder)
    except ValueError as outside:
        raise UsageError(
            f"{path} lies outside the working directory {folder}",
            next=f"--working-dir {path.parent}, or a folder above both",
        ) from outside
    program = "bash" if path.suffix == ".sh" else "python"
    script = inside.as_posix()
    words = (program, script, *arguments)
    return Entrypoint(path.stem, words, tuple(arguments), folder, script)


def of_words(words: Sequence[str], working_dir: Path | None = None) -> Entrypoint:
    """Any command. Errors: UsageError (2) where there is none."""
    if not words:
        raise UsageError("--entrypoint without a command", next="raykit submit --entrypoint -- CMD")
    script = next((word for word in words if _lies_in(working_dir, word)), None)
    return Entrypoint(Path(words[0]).name, tuple(words), tuple(words[1:]), working_dir, script)


def _lies_in(folder: Path | None, word: str) -> bool:
    """Whether a word of a command names a script of the folder that goes with it."""
    inside = not word.startswith("/") and ".." not in Path(word).parts
    named = folder is not None and word.endswith(FILE_ENDINGS) and inside
    return named and os.path.isfile(Path(folder or "", word))  # noqa: PTH113
