"""`raykit up`, `status`, `scale`: clusters on a Kubernetes context, heads on this machine."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raykit.app import output
from raykit.app.options import (
    Collect,
    Context,
    Format,
    Name,
    Namespace,
    Output,
    Yes,
    consent,
    number,
    refuse,
    refuse_other_targets,
    runs_folder,
    where,
)
from raykit.errors import UsageError
from raykit.flows.ranges import BRING_UP_SECONDS, SECONDS, Range

if TYPE_CHECKING:
    from raykit.progress import Progress

ELSEWHERE = (
    "context",
    "namespace",
    "replicas",
    "create_namespace",
    "timeout",
    "recreate",
    "yes",
    "collect",
)
"""Options of `up` that do nothing for a head on this machine."""

MOST_NODES = 64

UP_EPILOG = """Examples:

\b
  raykit up -f deploy/clusters/multi-node.yaml
  raykit up -f deploy/clusters/scaled.yaml --name scaled-4 --replicas 4
  raykit up -f my.yaml --context my-cloud --namespace ray --create-namespace
  raykit up --on local               a head on this machine that stays up
  raykit up --on local --name three --nodes 3
"""


SCALE_EPILOG = """Examples:

\b
  raykit scale mine workers=4
  raykit scale team/mine small=0 large=2 --yes
"""

Timeout = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", parser=number(Range(1, SECONDS.most)), help="To wait until ready."
    ),
]


def register(app: typer.Typer) -> None:
    app.command("up", epilog=UP_EPILOG)(up)
    app.command("status")(status)
    app.command("scale", epilog=SCALE_EPILOG)(scale)


def up(
    options: typer.Context,
    spec: Annotated[
        Path | None, typer.Option("-f", "--file", metavar="SPEC", help="A cluster spec.")
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", metavar="local", help="Keep a head on this machine.")
    ] = None,
    nodes: Annotated[
        int, typer.Option(min=1, max=MOST_NODES, help="Ray nodes here, the head included.")
    ] = 1,
    context: Context = None,
    name: Name = None,
    namespace: Namespace = None,
    replicas: Annotated[
        int | None,
        typer.Option(min=0, max=2**31 - 1, help="Replicas of the spec's one worker group."),
    ] = None,
    create_namespace: Annotated[
        bool, typer.Option("--create-namespace", help="Make the namespace if it does not exist.")
    ] = False,
    timeout: Timeout = BRING_UP_SECONDS,
    recreate: Annotated[
        bool, typer.Option("--recreate", help="Delete it first: all pods restart.")
    ] = False,
    yes: Yes = False,
    collect: Collect = True,
    output_format: Output = Format.text,
) -> None:
    """Bring up the Ray cluster of a spec, and wait until it is ready.

    Run it again after a change of the spec: it says what changes and which pods restart, and asks
    if jobs run or raykit did not make the Kubernetes cluster. If a Ray cluster cannot become ready,
    it says why, from pods and events.
    """
    from raykit.flows.clusters import up as flow
    from raykit.flows.keeping.collecting import not_ready
    from raykit.progress import Progress

    progress = Progress(output.Screen())
    if on is not None:
        refuse_other_targets(on)
        refuse(options, "a head on this machine takes no spec", "spec")
        refuse(options, "a head on this machine is in no Kubernetes context", *ELSEWHERE)
        _up_local(name or on, nodes, progress, output_format)
        return
    if spec is None:
        raise UsageError("no spec named", next="raykit up -f SPEC; or raykit up --on local")
    refuse(options, "the spec says how many Ray nodes there are", "nodes")
    request = flow.Request(
        flow.read_spec(spec, name=name, namespace=namespace, replicas=replicas),
        context=context,
        create_namespace=create_namespace,
        timeout=timeout,
        recreate=recreate,
        file=spec,
        confirm=consent(yes),
        keep=partial(not_ready, runs=runs_folder(), progress=progress) if collect else flow.nothing,
    )
    cluster = flow.up(request, progress)
    data = {
        "name": cluster.name,
        "namespace": cluster.namespace,
        "context": cluster.connection.context,
        "on": flow.shortest(cluster),
        "phases": [phase.as_dict() for phase in progress.phases],
    }
    output.show("up", data, output_format is Format.json, _is_up)


def status(
    on: Annotated[
        str | None, typer.Option("--on", metavar="local|CLUSTER", help="Only this one.")
    ] = None,
    context: Context = None,
    namespace: Namespace = None,
    output_format: Output = Format.text,
) -> None:
    """Show local heads and all RayClusters, and why some are not ready.

    raykit changes and deletes only clusters that it made: see the column MADE BY.
    """
    from raykit.flows.clusters import status as flow

    shown = flow.status(where(on, context, namespace))
    if output_format is Format.json:
        output.show_envelope("status", shown.as_dict(), shown.error)
        raise typer.Exit(shown.error.exit_code if shown.error else 0)
    if shown.clusters or shown.local or not shown.error:
        output.show("status", shown.as_dict(), False, _table)
    if shown.error:
        raise shown.error


def scale(
    cluster: Annotated[str, typer.Argument(metavar="CLUSTER", help="Its name, as in status.")],
    group: Annotated[
        list[str], typer.Argument(metavar="GROUP=N...", help="Pods of a worker group.")
    ],
    context: Context = None,
    namespace: Namespace = None,
    timeout: Timeout = BRING_UP_SECONDS,
    yes: Yes = False,
    output_format: Output = Format.text,
) -> None:
    """Change the number of pods of worker groups, and wait until they are ready.

    It says which pods end, and asks if jobs run or raykit did not make the Kubernetes cluster. The
    spec stays as it is: `raykit up -f SPEC` shows the difference and sets its number again.
    """
    from raykit.flows.clusters import scale as flow
    from raykit.progress import Progress

    progress = Progress(output.Screen())
    numbers = flow.numbers(group)
    request = flow.Request(where(cluster, context, namespace), numbers, timeout, consent(yes))
    scaled = flow.scale(request, progress)
    data = {
        "name": scaled.name,
        "namespace": scaled.namespace,
        "context": scaled.connection.context,
        "groups": numbers,
        "phases": [phase.as_dict() for phase in progress.phases],
    }
    output.show("scale", data, output_format is Format.json, _is_scaled)


def _up_local(name: str, nodes: int, progress: Progress, output_format: Format) -> None:
    from raykit.flows import local

    head = local.up(name, nodes, progress)
    data = {
        "name": head.name,
        "url": head.url,
        "nodes": head.nodes,
        "on": head.name,
        "phases": [phase.as_dict() for phase in progress.phases],
    }
    output.show("up", data, output_format is Format.json, _is_up)


def _is_up(data: dict[str, Any]) -> str:
    return f"{data['name']} is ready; next: raykit submit fib --on {data['on']}"


def _is_scaled(data: dict[str, Any]) -> str:
    numbers = ", ".join(f"{name}={number}" for name, number in data["groups"].items())
    return f"{data['name']} is ready with {numbers}"


def _table(data: dict[str, Any]) -> str:
    parts = [_heads(data["local"])] if data["local"] else []
    if data["clusters"] or not (parts or data["rayjobs"]):
        parts.append(_clusters(data["clusters"]))
    if data["rayjobs"]:
        parts.append(_rayjobs(data["rayjobs"]))
    return "\n\n".join(parts)


def _heads(rows: list[dict[str, Any]]) -> str:
    header = ["LOCAL HEAD", "STATE", "NODES", "P", "RAY", "AGE", "DASHBOARD"]
    return output.table(
        header,
        [
            (
                row["name"],
                row["state"],
                row["nodes"],
                "-" if row["task_cpus"] is None else f"{row['task_cpus']:g}",
                row["ray_version"],
                f"{row['age_seconds'] / 60:.0f} min",
                row["url"],
            )
            for row in rows
        ],
    )


def _clusters(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "nothing is up; next: raykit up --on local, raykit kind up, or raykit up -f SPEC"
    header = ["NAME", "NAMESPACE", "STATE", "HEAD", "WORKERS", "RAY", "MADE BY", "CREATED"]
    table = output.table(
        header,
        [
            (
                row["name"],
                row["namespace"],
                row["state"],
                row["head"],
                f"{row['workers_ready']}/{row['workers_wanted']}",
                row["ray_version"] or "-",
                row["made_by"] or "-",
                row["created"],
            )
            for row in rows
        ],
    )
    return "\n".join([table, *_reasons(rows)])


def _rayjobs(rows: list[dict[str, Any]]) -> str:
    fields = ("name", "namespace", "state", "cluster", "created")
    header = ["RAYJOB", "NAMESPACE", "STATE", "CLUSTER", "CREATED"]
    table = output.table(header, [tuple(row[field] or "-" for field in fields) for row in rows])
    return "\n".join([table, *_reasons(rows)])


def _reasons(rows: list[dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    for row in rows:
        for reason in row["reasons"]:
            lines.append(f"\n{row['name']}: {reason['what']}")
            lines += [f"  {text}" for text in reason["evidence"]]
        if row["next"]:
            lines.append(f"next: {row['next']}")
    return lines
