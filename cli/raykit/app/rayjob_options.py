"""The options of `raykit submit --as rayjob`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from raykit.flows.ranges import DEADLINE


class Kind(StrEnum):
    """How a job is submitted."""

    rayjob = "rayjob"


LONGEST = int(DEADLINE.most)

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
