"""`raykit collect`: evidence of a cluster, as one archive."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from raykit.app import evidence_page, output
from raykit.app.options import Format, Output, on_target, runs_folder
from raykit.errors import UsageError

if TYPE_CHECKING:
    from raykit.flows.keeping.collecting import Saved
    from raykit.flows.targets.where import Where

EPILOG = """Examples:

\b
  raykit collect                        the one cluster, or the local head
  raykit collect three -n ray           a cluster by its name
  raykit collect --output-file a.tar.gz --on http://head:8265
  raykit runs show ID                   read it, also when the cluster is gone

It is also kept when a run or `raykit up` fails, and before `raykit down`;
--no-collect there turns that off.
"""


def register(app: typer.Typer) -> None:
    app.command("collect", epilog=EPILOG)(collect)


@on_target
def collect(
    where: Where,
    cluster: Annotated[str | None, typer.Argument(metavar="[CLUSTER]", help="As in --on.")] = None,
    output_file: Annotated[
        Path | None,
        typer.Option("--output-file", metavar="FILE", help="Write it there, not among the runs."),
    ] = None,
    output_format: Output = Format.text,
) -> None:
    """Collect evidence of a cluster: logs, tasks, pods, events, manifests.

    Everything goes into one archive: what Ray's head and Kubernetes still know, the end of each
    log, with secrets replaced. The archive says what was cut, and what could not be had.
    """
    from raykit.flows.keeping import collecting
    from raykit.progress import Progress

    if cluster is not None:
        if where.on is not None:
            raise UsageError("CLUSTER and --on", next="leave one of them out")
        where = replace(where, on=cluster)
    saved = collecting.collect(where, output_file, runs_folder(), Progress(output.Screen()))
    as_json = output_format is Format.json
    output.show("collect", saved.as_dict() if as_json else saved, as_json, _saved)


def _saved(saved: Saved) -> str:
    collected = saved.collected
    lines = [evidence_page.summary(collected), *evidence_page.gaps(collected), str(saved.path)]
    if saved.path.parent.name == collected.id:
        lines.append(f"next: raykit runs show {collected.id}")
    return "\n".join(lines)
