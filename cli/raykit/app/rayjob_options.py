"""The options of `raykit submit --as rayjob`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from raykit.errors import UsageError

if TYPE_CHECKING:
    from raykit.flows.rayjobs.submit import AsRayJob
    from raykit.manifests.submission import Deletion


class Kind(StrEnum):
    """How a job is submitted."""

    rayjob = "rayjob"


LONGEST = 31_536_000
"""A year in seconds."""

As = Annotated[Kind | None, typer.Option("--as", help="rayjob: KubeRay submits it, as a RayJob.")]
OwnSpec = Annotated[
    Path | None,
    typer.Option("-f", "--file", metavar="SPEC", help="A RayJob's own cluster."),
]
Deadline = Annotated[
    int | None,
    typer.Option(
        min=1, max=LONGEST, metavar="SECONDS", help="Seconds after which a RayJob is stopped."
    ),
]
StartDeadline = Annotated[
    int | None,
    typer.Option(
        min=1, max=LONGEST, metavar="SECONDS", help="Seconds within which a RayJob must start."
    ),
]
Ttl = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=LONGEST,
        metavar="SECONDS",
        help="Seconds for which a RayJob's own cluster stays. [default: 60]",
    ),
]
Delete = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[STATUS:]WHAT=SECONDS",
        help="In place of --ttl: what to delete when. WHAT: workers, cluster, rayjob.",
    ),
]
OF_RAYJOBS = ("file", "deadline", "start_deadline", "ttl", "delete", "yes")
"""The parameters that only RayJobs have."""

RULE = re.compile(r"(?:(SUCCEEDED|FAILED):)?(workers|cluster|rayjob)=(\d{1,8})", re.ASCII)


def as_rayjob(
    file: Path | None,
    namespace: str | None,
    deadline: int | None,
    start_deadline: int | None,
    ttl: int | None,
    delete: Sequence[str],
    confirm: Callable[[str], bool],
) -> AsRayJob:
    """What the options say. Errors: UsageError (2); SpecError (3) for the spec."""
    from raykit.flows.clusters.up import read_spec
    from raykit.flows.rayjobs.submit import AsRayJob
    from raykit.manifests.submission import Lifetime

    if ttl is not None and delete:
        raise UsageError(
            "--ttl would do nothing: --delete says what is deleted when", next="leave --ttl out"
        )
    rules = tuple(map(_deletion, delete))
    spec = None if file is None else read_spec(file, namespace=namespace)
    return AsRayJob(Lifetime(deadline, start_deadline, ttl, rules), spec, confirm)


def _deletion(word: str) -> Deletion:
    from raykit.manifests.submission import Deletion

    match = RULE.fullmatch(word)
    if match is None:
        raise UsageError(
            f"--delete {word!r} is no rule",
            next="--delete cluster=600, or --delete FAILED:workers=0",
        )
    return Deletion(match[2], int(match[3]), match[1])
