"""Turns the job that the user names into the command that starts its driver."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from raykit import kit
from raykit.errors import UsageError
from raykit.files import resolved
from raykit.submission.variables import is_text, shown

FILE_ENDINGS = (".py", ".sh")


@dataclass(frozen=True)
class Entrypoint:
    """A job's name and the words of its command.

    arguments: the words that the user gave. working_dir: the folder to upload with the job.
    script: the file in that folder that runs. ours: it is one of raykit's own jobs. in_place: it
    runs from the kit that the head already has, so nothing is uploaded.
    """

    name: str
    words: tuple[str, ...]
    arguments: tuple[str, ...]
    working_dir: Path | None = None
    script: str | None = None
    ours: bool = False
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
    def needs_our_jobs(self) -> bool:
        """Whether raykit's package `jobs` must be uploaded with it."""
        return self.ours and not self.in_place

    @property
    def command(self) -> str:
        """A shell command line that a shell splits into exactly these words."""
        return shlex.join(self.words)

    def from_kit(self, root: str) -> Entrypoint:
        """The same job, run from the kit in the folder `root` of the head.

        Python and Ray then put `root` on the import path of this job alone, so that a user's own
        folder `jobs` does not hide ours. Ray does not do so for a job with a working directory:
        that one gets our jobs uploaded.
        """
        if not self.ours or self.working_dir is not None:
            return self
        words = ("python", f"{root}/jobs", self.name, *self.arguments)
        return replace(self, words=words, in_place=True)


def find(job: str, arguments: Sequence[str], working_dir: Path | None = None) -> Entrypoint:
    """The entrypoint of a script, if `job` looks like a path, else of one of raykit's jobs.

    Errors: UsageError (2) with the nearest names, if there is no such job or script.
    """
    if job.endswith(FILE_ENDINGS) or "/" in job:
        return of_file(Path(job), arguments, working_dir)
    return of_our_job(job, arguments, working_dir)


def of_our_job(job: str, arguments: Sequence[str], working_dir: Path | None = None) -> Entrypoint:
    """One of raykit's jobs, by its module's name, run from an uploaded copy.

    `-P` keeps the driver's own folder off the import path: a `jobs/` there must not shadow ours.

    Errors: UsageError (2) with the nearest names, if there is no such job.
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
    return Entrypoint(job, words, tuple(arguments), working_dir, ours=True)


def of_file(path: Path, arguments: Sequence[str], working_dir: Path | None = None) -> Entrypoint:
    """A user's script, uploaded with its folder or with `working_dir`.

    Errors: UsageError (2) if the script is missing, is none, or lies outside that folder, or if
    there is no such folder.
    """
    if os.path.isdir(path):  # noqa: PTH112  (as below)
        raise UsageError(f"{path} is a folder", next=f"name a script in it: {path}/SCRIPT.py")
    if path.suffix in {".yaml", ".yml"}:
        raise UsageError(f"{path} is YAML, no script", next=f"for a spec: raykit up -f {path}")
    if not os.path.isfile(path):  # noqa: PTH113  (Path.is_file raises for names that are too long)
        beside = {other.name for other in path.parent.glob("*.py")}
        near = difflib.get_close_matches(path.name, sorted(beside - {path.name}), n=3)
        link = [f"{path.name} is a link to nothing"] if path.name in beside else []
        raise UsageError(
            f"there is no file {path}",
            evidence=[*link, *([f"nearest: {', '.join(near)}"] if near else [])],
            next=f"the jobs that come with raykit: {', '.join(kit.jobs())}",
        )
    folder = resolved(working_dir or path.parent)
    if not os.path.isdir(folder):  # noqa: PTH112  (as above)
        raise UsageError(f"there is no folder {folder}", next="give --working-dir a folder")
    try:
        inside = resolved(path).relative_to(folder)
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
    """Any command, word by word. Errors: UsageError (2) if there are no words."""
    if not words:
        raise UsageError("--entrypoint without a command", next="raykit submit --entrypoint -- CMD")
    script = next((word for word in words if _lies_in(working_dir, word)), None)
    return Entrypoint(Path(words[0]).name, tuple(words), tuple(words[1:]), working_dir, script)


def _lies_in(folder: Path | None, word: str) -> bool:
    """Whether a word of a command names a script in the uploaded folder."""
    inside = not word.startswith("/") and ".." not in Path(word).parts
    named = folder is not None and word.endswith(FILE_ENDINGS) and inside
    return named and os.path.isfile(Path(folder or "", word))  # noqa: PTH113
