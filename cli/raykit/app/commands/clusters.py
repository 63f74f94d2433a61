"""`raykit up`, `status`, `down`: a cluster on a Kubernetes context, or a head on this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raykit.app import output
from raykit.app.options import Context, Format, Name, Namespace, Output
from raykit.errors import UsageError

if TYPE_CHECKING:
    from raykit.progress import Progress

Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask where the context is not kind's.")
]

UP_EPILOG = """Examples:

\b
  raykit up -f deploy/clusters/multi-node.yaml
  raykit up -f deploy/clusters/scaled.yaml --name scaled-4 --replicas 4
  raykit up -f my.yaml --context my-cloud --namespace ray --create-namespace
  raykit up --on local               a head on this machine that stays up
  raykit up --on local --name three --nodes 3
"""


def register(app: typer.Typer) -> None:
    app.command("up", epilog=UP_EPILOG)(up)
    app.command("status")(status)
    app.command("down")(down)


def up(
    spec: Annotated[
        Path | None, typer.Option("-f", "--file", metavar="SPEC", help="A cluster spec.")
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", metavar="local", help="Keep a head on this machine.")
    ] = None,
    nodes: Annotated[
        int, typer.Option(min=1, help="Ray nodes on this machine, the head included.")
    ] = 1,
    context: Context = None,
    name: Name = None,
    namespace: Namespace = None,
    replicas: Annotated[
        int | None, typer.Option(min=0, help="Replicas of the spec's one worker group.")
    ] = None,
    create_namespace: Annotated[
        bool, typer.Option("--create-namespace", help="Make the namespace where it is absent.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait until ready.")] = 300,
    yes: Yes = False,
    output_format: Output = Format.text,
) -> None:
    """Bring up the Ray cluster of a spec, and wait until it is ready.

    Where it cannot become ready, the reason comes from its pods and events, with the command that
    mends it. Run it again after changing the spec; what is the same stays as it is.
    """
    from raykit.flows import up as flow
    from raykit.progress import Progress

    progress = Progress(output.Screen())
    if on is not None:
        _up_local(on, name, nodes, spec, progress, output_format)
        return
    if spec is None:
        raise UsageError("no spec named", next="raykit up -f SPEC; or raykit up --on local")
    request = flow.Request(
        flow.read_spec(spec, name=name, namespace=namespace, replicas=replicas),
        context=context,
        create_namespace=create_namespace,
        timeout=timeout,
        confirm=confirm(yes),
    )
    cluster = flow.up(request, progress)
    data = {
        "name": cluster.name,
        "namespace": cluster.namespace,
        "context": cluster.connection.context,
        "phases": [phase.as_dict() for phase in progress.phases],
    }
    output.show("up", data, output_format is Format.json, _is_up)


def status(
    context: Context = None, namespace: Namespace = None, output_format: Output = Format.text
) -> None:
    """Show clusters and local heads, and why one is not ready."""
    from raykit.flows import local
    from raykit.flows import up as flow
    from raykit.kube import kubeconfig

    heads = local.status()
    with_context = context is not None or kubeconfig.has_context()
    rows = flow.status(context, namespace) if with_context else []
    data = {"clusters": rows, "local": heads}
    output.show("status", data, output_format is Format.json, _table)


def down(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Its name.")] = None,
    spec: Annotated[
        Path | None, typer.Option("-f", "--file", metavar="SPEC", help="Or the spec it came from.")
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", metavar="local", help="End a head on this machine.")
    ] = None,
    context: Context = None,
    namespace: Namespace = None,
    yes: Yes = False,
    output_format: Output = Format.text,
) -> None:
    """Delete a cluster, by name or by spec, or end a local head."""
    from raykit.flows import local
    from raykit.flows import up as flow
    from raykit.progress import Progress

    if on is not None:
        _refuse_other_places(on)
        head = local.down(name or on, Progress(output.Screen()))
        gone = {"name": head.name, "namespace": None}
        output.show("down", gone, output_format is Format.json, _is_down)
        return
    if (name is None) == (spec is None):
        raise UsageError("say which cluster: its name, or -f SPEC", next="raykit status")
    if spec is not None:
        read = flow.read_spec(spec, namespace=namespace)
        name, namespace = read.name, read.namespace
    assert name is not None
    progress = Progress(output.Screen())
    cluster = flow.down(name, context, namespace, confirm(yes), progress)
    data = {"name": cluster.name, "namespace": cluster.namespace}
    output.show("down", data, output_format is Format.json, _is_down)


def _up_local(
    on: str,
    name: str | None,
    nodes: int,
    spec: Path | None,
    progress: Progress,
    output_format: Format,
) -> None:
    from raykit.flows import local

    _refuse_other_places(on)
    if spec is not None:
        raise UsageError("--on local takes no spec", next="raykit up --on local --nodes K")
    head = local.up(name or on, nodes, progress)
    data = {
        "name": head.name,
        "url": head.url,
        "nodes": head.nodes,
        "phases": [phase.as_dict() for phase in progress.phases],
    }
    output.show("up", data, output_format is Format.json, _is_up)


def _refuse_other_places(on: str) -> None:
    if on != "local":
        raise UsageError(
            f"--on {on}: up and down know --on local alone",
            next="a Kubernetes context is chosen by --context, a cluster by its name",
        )


def confirm(yes: bool) -> Callable[[str], bool]:
    """Asks on a terminal; elsewhere only `--yes` will do."""

    def ask(question: str) -> bool:
        if yes or not sys.stdin.isatty():
            return yes
        return typer.confirm(question, err=True)

    return ask


def _is_up(data: dict[str, Any]) -> str:
    return f"{data['name']} is ready; next: raykit submit fib --on {data['name']}"


def _is_down(data: dict[str, Any]) -> str:
    return f"{data['name']} is gone"


def _table(data: dict[str, Any]) -> str:
    parts = [_heads(data["local"])] if data["local"] else []
    if data["clusters"] or not parts:
        parts.append(_clusters(data["clusters"]))
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
    header = ["NAME", "NAMESPACE", "STATE", "HEAD", "WORKERS", "RAY", "CREATED"]
    table = output.table(
        header,
        [
            (
                row["name"],
                row["namespace"],
                row["state"],
                row["head"],
                f"{row['workers_ready']}/{row['workers_wanted']}",
                row["ray_version"],
                row["created"],
            )
            for row in rows
        ],
    )
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
