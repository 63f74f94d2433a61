"""Specs: `render` and `validate`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from raykit.app import output
from raykit.app.options import Format, Name, Namespace, Output, SpecFile

Image = Annotated[
    str | None,
    typer.Option("--image", help="Image of the Ray pods. [default: the spec's, else raykit's own]"),
]
KubeRay = Annotated[
    str | None,
    typer.Option("--kuberay", metavar="VERSION", help="KubeRay's version. [default: the spec's]"),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    app.command("render")(render)
    app.command("validate")(validate)


def render(
    file: SpecFile,
    name: Name = None,
    namespace: Namespace = None,
    image: Image = None,
    format: Output = Format.text,
) -> None:
    """Print the manifests of a spec, for kubectl apply -f -.

    The same spec, image and raykit give the same bytes.
    """
    from raykit.manifests.render import render, to_yaml
    from raykit.spec.load import load_file, overridden

    spec = overridden(load_file(file), name=name, namespace=namespace, image=image)
    objects = render(spec, image=spec.image or _own_image())
    output.show(
        "render",
        objects,
        format is Format.json,
        lambda made: to_yaml(made).rstrip("\n"),
        exact=True,
    )


def validate(file: SpecFile, kuberay: KubeRay = None, format: Output = Format.text) -> None:
    """Say everything that is wrong with a spec, with its line.

    Checks the spec itself, the rules of KubeRay's controller, and the manifests against the
    schema of KubeRay's custom resources. Ends with 3 where something is wrong.
    """
    from raykit.manifests.checking import check_file

    verdict = check_file(file, kuberay)
    output.show("validate", verdict.as_dict(), format is Format.json, _verdict)


def _own_image() -> str:
    from raykit.containers.image import reference

    return reference()


def _verdict(data: dict[str, Any]) -> str:
    lines = [f"{data['file']}: valid for KubeRay {data['kuberay']}"]
    for doubt in data["warnings"]:
        at = f"line {doubt['line']}:{doubt['column']} {doubt['path']}"
        lines.append(f"  warning: {at}: {doubt['message']}")
    return "\n".join(lines)
