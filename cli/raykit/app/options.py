"""Options that several commands share: one meaning each, everywhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from raykit.errors import UsageError
from raykit.flows.ranges import SECONDS, Range

if TYPE_CHECKING:
    from raykit.flows.targets.where import Where
    from raykit.measure.records import RunsFolder


class Format(StrEnum):
    """How a result is printed."""

    text = "text"
    json = "json"


def number(of: Range) -> Callable[[str | float], float]:
    """What reads an option's number. Typer's own ranges let `nan` through."""

    def read(given: str | float) -> float:
        try:
            return of.read(given)
        except ValueError as wrong:
            raise typer.BadParameter(str(wrong)) from wrong

    return read


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
Headers = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        metavar="'NAME: VALUE'|@FILE",
        help="Sent to --on URL, as to an ingress. [env: RAYKIT_HEADERS, a line each]",
    ),
]
Ca = Annotated[
    Path | None,
    typer.Option(
        "--ca", metavar="FILE", help="Certificates to trust at --on URL. [env: RAYKIT_CA]"
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        parser=number(SECONDS),
        help="Seconds to follow; then exit 22.",
    ),
]
SpecFile = Annotated[Path, typer.Option("-f", "--file", metavar="SPEC", help="A cluster spec.")]
Name = Annotated[str | None, typer.Option("--name", help="Name of the cluster.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a change.")]


def where(
    on: str | None,
    context: str | None,
    namespace: str | None,
    headers: list[str] | None = None,
    ca: Path | None = None,
) -> Where:
    """The place that a command's options and the environment name."""
    from raykit.flows.targets.where import Where

    return Where(os.environ, on, context, namespace, tuple(headers or ()), ca)


def runs_folder() -> RunsFolder:
    """Where records are kept: RAYKIT_RUNS, else ./runs."""
    from raykit.measure.records import RunsFolder

    return RunsFolder.chosen(os.environ)


def consent(yes: bool) -> Callable[[str], bool]:
    """Asks on a terminal; elsewhere only `--yes` is a yes."""

    def ask(question: str) -> bool:
        if yes or not sys.stdin.isatty():
            return yes
        return typer.confirm(question, err=True)

    return ask


def refuse(context: typer.Context, because: str, *names: str) -> None:
    """Refuse options that would do nothing beside others. names: of the command's parameters.

    Errors: UsageError (2) with those that the command line has.
    """
    flags = {parameter.name: max(parameter.opts, key=len) for parameter in context.command.params}
    given = [name for name in names if _is_given(context, name)]
    if given:
        options = " and ".join(flags[name] for name in given)
        raise UsageError(f"{options} would do nothing: {because}", next=f"leave {options} out")


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
