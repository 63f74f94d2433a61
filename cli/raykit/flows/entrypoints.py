"""From what the user named to the words that start the driver."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from raykit import kit
from raykit.errors import UsageError


@dataclass(frozen=True)
class Entrypoint:
    """A job's name and the words that start it; they stay a list until Ray's shell gets them."""

    name: str
    words: tuple[str, ...]
    arguments: tuple[str, ...]

    @property
    def command(self) -> str:
        """One shell line that yields exactly these words again."""
        return shlex.join(self.words)


def of_kit(job: str, arguments: Sequence[str]) -> Entrypoint:
    """A job that comes with the kit, by its module's name.

    `-P` keeps the driver's own folder off the import path: a `jobs/` there must not shadow ours.

    Errors: UsageError (2) naming the nearest jobs.
    """
    known = kit.jobs()
    if job not in known:
        near = difflib.get_close_matches(job, known, n=3, cutoff=0.4)
        raise UsageError(
            f"there is no job {job!r}",
            evidence=[f"nearest: {', '.join(near)}"] if near else [],
            next=f"the jobs that come with raykit: {', '.join(known)}",
        )
    return Entrypoint(job, ("python", "-P", "-m", f"jobs.{job}", *arguments), tuple(arguments))
