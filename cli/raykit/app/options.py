"""Options that several commands share, with the same meaning in all of them."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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


class TableFormat(StrEnum):
    """How a table is printed."""

    text = "text"
    json = "json"
    markdown = "markdown"
    csv = "csv"


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
Collect = Annotated[
    bool, typer.Option("--collect/--no-collect", help="Keep evidence of the cluster if it fails.")
]


TARGET_OPTIONS = {"on": On, "context": Context, "namespace": Namespace, "header": Headers, "ca": Ca}


def on_target(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that name a target in place of its parameter `where`."""

    @functools.wraps(command)
    def run(*, header: list[str] | None, **arguments: Any) -> None:
        named = {name: arguments.pop(name) for name in TARGET_OPTIONS if name != "header"}
        command(where=where(**named, headers=header), **arguments)

    own = inspect.signature(command, locals={"Where": object}, eval_str=True)
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in TARGET_OPTIONS.items()
    ]
    parameters = [
        option.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in own.parameters.values()
        for option in (options if parameter.name == "where" else [parameter])
    ]
    # Typer reads the options of a command from its signature.
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def where(
    on: str | None,
    context: str | None,
    namespace: str | None,
    headers: list[str] | None = None,
    ca: Path | None = None,
) -> Where:
    """What a command's options and the environment say about the target."""
    from raykit.flows.targets.where import Where

    return Where(os.environ, on, context, namespace, tuple(headers or ()), ca)


def runs_folder() -> RunsFolder:
    """The folder of run records: RAYKIT_RUNS, else ./runs."""
    from raykit.measure.records import RunsFolder

    return RunsFolder.chosen(os.environ)


def consent(yes: bool) -> Callable[[str], bool]:
    """A function that asks for consent on a terminal; without one, only `--yes` consents."""

    def ask(question: str) -> bool:
        if yes or not sys.stdin.isatty():
            return yes
        return typer.confirm(question, err=True)

    return ask


def refuse(context: typer.Context, because: str, *names: str) -> None:
    """Refuse options that would do nothing.

    because: the reason. names: of the command's parameters.
    Errors: UsageError (2) with those options that the user gave.
    """
    flags = {parameter.name: max(parameter.opts, key=len) for parameter in context.command.params}
    given = [name for name in names if _is_given(context, name)]
    if given:
        options = " and ".join(flags[name] for name in given)
        raise UsageError(f"{options} would do nothing: {because}", next=f"leave {options} out")


def refuse_other_targets(on: str) -> None:
    """Errors: UsageError (2) unless `--on` is `local`, which is all that `up` and `down` take."""
    if on != "local":
        raise UsageError(
            f"--on {on}: up and down take only --on local",
            next="raykit down NAME, raykit up -f SPEC, or raykit up --on local --name NAME",
        )


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
