"""`raykit image`: build, check, load and push the image with the jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from raykit.app import checks_page, output
from raykit.app.commands.kind import Name
from raykit.app.options import Context, Format, Namespace, Output

Spec = Annotated[
    Path | None,
    typer.Option("-f", "--file", metavar="SPEC", help="Check the image of this cluster spec."),
]

image = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The image with the jobs.")


def register(app: typer.Typer) -> None:
    app.add_typer(image, name="image")


@image.command()
def build(output_format: Output = Format.text) -> None:
    """Build the image, unless the docker engine has it.

    Its tag is a hash of its sources, the Dockerfile and jobs/.
    """
    from raykit.flows.clusters import kind as flow
    from raykit.progress import Progress

    reference = flow.build_image(Progress(output.Screen()))
    output.show("image build", {"image": reference}, output_format is Format.json, _image)


@image.command()
def load(
    name: Name = "raykit",
    output_format: Output = Format.text,
) -> None:
    """Load the image into the workers of a kind cluster; build it first if need be."""
    from raykit.flows.clusters import kind as flow
    from raykit.progress import Progress

    reference, nodes = flow.load_image(name, Progress(output.Screen()))
    data = {"image": reference, "loaded_into": nodes}
    output.show("image load", data, output_format is Format.json, _loaded)


@image.command()
def check(
    name: Annotated[
        str | None, typer.Argument(metavar="[IMAGE]", help="[default: the spec's, else raykit's]")
    ] = None,
    spec: Spec = None,
    context: Context = None,
    namespace: Namespace = None,
    output_format: Output = Format.text,
) -> None:
    """Check that an image can run Ray pods: its tools, user, versions of Ray and Python, our jobs.

    docker runs it here, without network. With --context or --namespace a short pod runs it there
    instead; the pod is deleted. Ends with 4 if something is missing.
    """
    from raykit import checks
    from raykit.flows.clusters import images as flow
    from raykit.flows.clusters.up import read_spec
    from raykit.progress import Progress

    asked = flow.wanted(name, read_spec(spec) if spec else None)
    if context or namespace:
        results = flow.check_there(asked, context, namespace, Progress(output.Screen()))
    else:
        results = flow.check_here(asked)
    data = {"image": asked.name, "checks": [result.as_dict() for result in results]}
    error = checks.failure(results)
    checks_page.show("image check", data, error, output_format, _checks)


@image.command()
def push(
    repository: Annotated[
        str, typer.Argument(metavar="REPOSITORY[:TAG]", help="Such as my-registry:5000/raykit.")
    ],
    spec: Annotated[
        Path | None,
        typer.Option("-f", "--file", metavar="SPEC", help="Write the image into this spec."),
    ] = None,
    platform: Annotated[
        list[str] | None,
        typer.Option(metavar="OS/ARCH", help="linux/amd64, linux/arm64, or both: for these nodes."),
    ] = None,
    output_format: Output = Format.text,
) -> None:
    """Push raykit's own image to a registry, built first where it has to be.

    Prints the line for the spec, with the digest: a tag may come to mean another image. With
    several platforms, one name stands for an image for each.
    """
    from raykit.flows.clusters import images as flow
    from raykit.progress import Progress

    pushed = flow.push(repository, spec, Progress(output.Screen()), platform or ())
    output.show("image push", pushed.as_dict(), output_format is Format.json, _pushed)


def _checks(data: dict[str, Any]) -> str:
    rows = data["checks"]
    return "\n".join([data["image"], *checks_page.lines(rows), "", checks_page.summary(rows)])


def _pushed(data: dict[str, Any]) -> str:
    return f"image: {data['image']}"


def _image(data: dict[str, object]) -> str:
    return str(data["image"])


def _loaded(data: dict[str, object]) -> str:
    nodes = data["loaded_into"]
    assert isinstance(nodes, list)
    where = f"loaded into {', '.join(nodes)}" if nodes else "the nodes already have it"
    return f"{data['image']}: {where}"
