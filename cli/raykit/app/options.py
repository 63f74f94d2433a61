"""Options that several commands share: one meaning each, everywhere."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from raykit.flows.targets import Where


class Format(StrEnum):
    """How a result is printed."""

    text = "text"
    json = "json"


Output = Annotated[Format, typer.Option("-o", "--output", help="How to print the result.")]
On = Annotated[
    str | None,
    typer.Option("--on", metavar="local|URL|CLUSTER", help="Where to run. [env: RAYKIT_ON]"),
]
Context = Annotated[
    str | None, typer.Option("--context", help="kubeconfig context, as in kubectl.")
]
Namespace = Annotated[
    str | None, typer.Option("-n", "--namespace", help="Kubernetes namespace, as in kubectl.")
]
SpecFile = Annotated[Path, typer.Option("-f", "--file", metavar="SPEC", help="A cluster spec.")]
Name = Annotated[str | None, typer.Option("--name", help="Name of the cluster.")]


def where(on: str | None, context: str | None, namespace: str | None) -> Where:
    """The place that a command's options and the environment name."""
    from raykit.flows.targets import Where

    return Where(os.environ, on, context, namespace)
