"""`raykit kind`: make and delete a kind cluster for Ray on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from raykit.app import output
from raykit.app.options import Format, Output

Name = Annotated[
    str, typer.Option("--name", envvar="RAYKIT_KIND_NAME", help="Name of the kind cluster.")
]

kind = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="A kind cluster for Ray on this machine."
)


def register(app: typer.Typer) -> None:
    app.add_typer(kind, name="kind")


@kind.command()
def up(name: Name = "raykit", output_format: Output = Format.text) -> None:
    """Make a kind cluster with KubeRay, the image and a single-node Ray cluster.

    Finished steps are skipped, so it can be run again after an interruption.
    RAYKIT_KIND_NODE_IMAGE and RAYKIT_KUBERAY_CHART name a mirror of kind's node image and of
    KubeRay's chart.
    """
    from raykit.flows.clusters import kind as flow
    from raykit.progress import Progress

    progress = Progress(output.Screen())
    cluster = flow.up(name, progress)
    data = {
        "name": cluster.name,
        "context": cluster.context,
        "image": cluster.image,
        "clusters": list(cluster.clusters),
        "phases": [phase.as_dict() for phase in progress.phases],
    }
    output.show("kind up", data, output_format is Format.json, _ready)


@kind.command()
def down(name: Name = "raykit", output_format: Output = Format.text) -> None:
    """Delete the kind cluster that `raykit kind up` made, and no other.

    The docker engine keeps the images.
    """
    from raykit.flows.clusters import kind as flow
    from raykit.progress import Progress

    deleted = flow.down(name, Progress(output.Screen()))
    data = {"name": name, "deleted": deleted}
    output.show("kind down", data, output_format is Format.json, _deleted)


def _ready(data: dict[str, object]) -> str:
    return f"ready in context {data['context']}; next: raykit submit fib"


def _deleted(data: dict[str, object]) -> str:
    if data["deleted"]:
        return f"kind cluster {data['name']} is deleted"
    return f"there is no kind cluster {data['name']}"
