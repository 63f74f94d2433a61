"""`raykit image`: build raykit's own image and load it into kind clusters."""

from __future__ import annotations

import typer

from raykit.app import output
from raykit.app.commands.kind import Name
from raykit.app.options import Format, Output

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


def _image(data: dict[str, object]) -> str:
    return str(data["image"])


def _loaded(data: dict[str, object]) -> str:
    nodes = data["loaded_into"]
    assert isinstance(nodes, list)
    where = f"loaded into {', '.join(nodes)}" if nodes else "the nodes already have it"
    return f"{data['image']}: {where}"
