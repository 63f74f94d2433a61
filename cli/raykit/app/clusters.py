"""`raykit up`, `status`, `down`: a cluster on a Kubernetes context."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from raykit.app import output
from raykit.app.options import Context, Format, Name, Namespace, Output, SpecFile

Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask where the context is not kind's.")
]

UP_EPILOG = """Examples:

\b
  raykit up -f deploy/clusters/multi-node.yaml
  raykit up -f deploy/clusters/scaled.yaml --name scaled-4 --replicas 4
  raykit up -f my.yaml --context my-cloud --namespace ray --create-namespace
"""


def register(app: typer.Typer) -> None:
    app.command("up", epilog=UP_EPILOG)(up)
    app.command("status")(status)
    app.command("down")(down)


def up(
    spec: SpecFile,
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
    request = flow.Request(
        flow.read_spec(spec, name=name, namespace=namespace, replicas=replicas),
        context=context,
        create_namespace=create_namespace,
        timeout=timeout,
        confirm=_confirm(yes),
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
    """Show raykit's clusters in a context, and why one is not ready."""
    from raykit.flows import up as flow

    rows = flow.status(context, namespace)
    output.show("status", {"clusters": rows}, output_format is Format.json, _table)


def down(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Its name.")] = None,
    spec: Annotated[
        Path | None, typer.Option("-f", "--file", metavar="SPEC", help="Or the spec it came from.")
    ] = None,
    context: Context = None,
    namespace: Namespace = None,
    yes: Yes = False,
    output_format: Output = Format.text,
) -> None:
    """Delete one of raykit's clusters, by name or by spec, and wait until it is gone."""
    from raykit.errors import UsageError
    from raykit.flows import up as flow
    from raykit.progress import Progress

    if (name is None) == (spec is None):
        raise UsageError("say which cluster: its name, or -f SPEC", next="raykit status")
    if spec is not None:
        read = flow.read_spec(spec, namespace=namespace)
        name, namespace = read.name, read.namespace
    assert name is not None
    progress = Progress(output.Screen())
    cluster = flow.down(name, context, namespace, _confirm(yes), progress)
    data = {"name": cluster.name, "namespace": cluster.namespace}
    output.show("down", data, output_format is Format.json, _is_down)


def _confirm(yes: bool) -> Callable[[str], bool]:
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
    rows = data["clusters"]
    if not rows:
        return "no cluster of raykit's; next: raykit up -f SPEC"
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
