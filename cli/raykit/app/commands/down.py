"""`raykit down`: end a cluster or a local head, or all clusters that are idle."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raykit.app import output
from raykit.app.options import (
    Context,
    Format,
    Namespace,
    Output,
    Yes,
    consent,
    refuse,
    refuse_other_targets,
    runs_folder,
    where,
)
from raykit.errors import UsageError

if TYPE_CHECKING:
    from raykit.flows.targets.where import Where
    from raykit.progress import Progress

EPILOG = """Examples:

\b
  raykit down mine
  raykit down -f deploy/clusters/multi-node.yaml
  raykit down --on local
  raykit down --idle 2h --dry-run        idle clusters of the namespace
  raykit down --idle 2h -n ray --render-cronjob REGISTRY/raykit-cli:1 |
    kubectl apply -f -
"""


def register(app: typer.Typer) -> None:
    app.command("down", epilog=EPILOG)(down)


def down(
    options: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Of a cluster or a local head.")
    ] = None,
    spec: Annotated[
        Path | None, typer.Option("-f", "--file", metavar="SPEC", help="Or the spec it came from.")
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", metavar="local", help="End a head on this machine.")
    ] = None,
    idle: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="End clusters on which nothing ran for so long: 2h."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --idle: only show what would end.")
    ] = False,
    render_cronjob: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGE", help="With --idle: print a CronJob that runs it in the cluster."
        ),
    ] = None,
    context: Context = None,
    namespace: Namespace = None,
    yes: Yes = False,
    collect: Annotated[
        bool, typer.Option("--collect/--no-collect", help="Keep evidence of it before it ends.")
    ] = True,
    output_format: Output = Format.text,
) -> None:
    """Delete a cluster, by name or by spec, or end a local head; asks if jobs run there.

    The cluster must be in the namespace of `raykit up`: that of --namespace, else the spec's, else
    the context's, else raykit. NAME may also be NAMESPACE/NAME or CONTEXT:NAMESPACE/NAME.

    --idle ends all of raykit's clusters in the namespace, or NAME, on which no job, task or actor
    has run for that time. A cluster whose head cannot be asked is kept.
    """
    from raykit.flows.clusters import down as flow
    from raykit.flows.keeping.collecting import before_end
    from raykit.progress import Progress

    progress = Progress(output.Screen())
    if idle is not None:
        refuse(options, "--idle takes the clusters of a namespace", "spec", "on")
        refuse(options, "nothing is collected of idle clusters", "collect")
        if render_cronjob is not None:
            refuse(options, "--render-cronjob changes nothing", "dry_run", "context", "yes")
            _render_cronjob(render_cronjob, idle, name, namespace, output_format)
        else:
            where_idle = where(name, context, namespace)
            _end_idle(where_idle, idle, dry_run, yes, progress, output_format)
        return
    refuse(options, "there is no --idle", "dry_run", "render_cronjob")
    keep = partial(before_end, runs=runs_folder(), progress=progress) if collect else flow.nothing
    if on is not None:
        refuse_other_targets(on)
        refuse(options, "a head on this machine has only a name", "spec", "context", "namespace")
        gone = flow.of_head(name or on, consent(yes), progress, keep)
    elif spec is not None and name is None:
        gone = flow.of_spec(spec, context, namespace, consent(yes), progress, keep)
    elif name is not None and spec is None:
        gone = flow.of_name(where(name, context, namespace), consent(yes), progress, keep)
    else:
        raise UsageError("say which cluster: its name, or -f SPEC", next="raykit status")
    output.show("down", gone.as_dict(), output_format is Format.json, _is_down)


def _end_idle(
    place: Where, idle: str, dry_run: bool, yes: bool, progress: Progress, output_format: Format
) -> None:
    from raykit.flows.clusters import idle as flow
    from raykit.measure.keeping import ages

    request = flow.Request(place, ages.parse(idle, "--idle"), dry_run, consent(yes))
    verdicts = flow.end_idle(request, progress)
    data = {"clusters": [verdict.as_dict() for verdict in verdicts], "dry_run": dry_run}
    failed = next((verdict.error for verdict in verdicts if verdict.error), None)
    if output_format is Format.json:
        output.show_envelope("down", data, failed)
        raise typer.Exit(failed.exit_code if failed else 0)
    output.show("down", data, False, _what_became)
    if failed:
        raise failed


def _render_cronjob(
    image: str, idle: str, name: str | None, namespace: str | None, output_format: Format
) -> None:
    from raykit.flows.clusters import idle as flow
    from raykit.manifests.render import to_yaml

    objects = flow.cronjob(image, idle, name, namespace)
    as_json = output_format is Format.json
    output.show("down", objects, as_json, lambda made: to_yaml(made)[:-1], exact=True)


def _is_down(data: dict[str, Any]) -> str:
    return f"{data['name']} is gone"


def _what_became(data: dict[str, Any]) -> str:
    rows = data["clusters"]
    if not rows:
        return "there is no cluster of raykit's to end"
    table = output.table(
        ["NAME", "STATE", "IDLE"],
        [(row["name"], row["state"], _minutes(row["idle_seconds"])) for row in rows],
    )
    reasons = [output.wrapped(f"{row['name']}: {row['reason']}") for row in rows if row["reason"]]
    ended = sum(row["state"] == "ended" for row in rows)
    last = "dry run: nothing was ended" if data["dry_run"] else f"{ended} of {len(rows)} ended"
    return "\n".join([table, *reasons, last])


def _minutes(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds / 60:.0f} min"
