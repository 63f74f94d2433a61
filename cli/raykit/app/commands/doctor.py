"""`raykit doctor`: what raykit needs, and how it stands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from raykit.app import output
from raykit.app.options import Context, Format, Namespace, Output

STYLES = {"ok": output.GREEN, "warn": output.BOLD, "fail": output.RED, "skipped": output.DIM}
INDENT = " " * 10

EPILOG = """Ends with 0 if nothing failed, 4 if something is missing, 5 if Kubernetes refuses.

Examples:

\b
  raykit doctor
  raykit doctor -f my.yaml --context my-cloud -n ray
  raykit doctor -n ray -o json       `role` in it holds the missing RBAC rules
"""


def register(app: typer.Typer) -> None:
    app.command("doctor", epilog=EPILOG)(doctor)


def doctor(
    spec: Annotated[
        Path | None,
        typer.Option("-f", "--file", metavar="SPEC", help="Check what this cluster spec needs."),
    ] = None,
    context: Context = None,
    namespace: Namespace = None,
    output_format: Output = Format.text,
) -> None:
    """Check this machine, the context, KubeRay and the namespace; change nothing.

    All problems are shown at once, each with the command that mends it. Without a Kubernetes
    context only this machine is checked.
    """
    from raykit.flows.clusters import doctor as flow
    from raykit.flows.clusters.up import read_spec
    from raykit.kube.reference import check_namespace

    if namespace:
        check_namespace(namespace)
    request = flow.Request(read_spec(spec) if spec else None, context, namespace)
    report = flow.examine(request)
    output.show("doctor", report.as_dict(), output_format is Format.json, _page)
    raise typer.Exit(report.exit_code)


def _page(data: dict[str, Any]) -> str:
    lines: list[str] = []
    group = None
    for check in data["checks"]:
        if check["group"] != group:
            group = check["group"]
            lines += ["", group]
        lines += _check(check)
    lines += ["", _summary(data["checks"])]
    if data["role"]:
        lines += ["", data["role"].rstrip()]
    return "\n".join(lines[1:])


def _check(check: dict[str, Any]) -> list[str]:
    state = output.styled(f"{check['state']:<8}", STYLES[check["state"]], sys.stdout)
    lines = output.wrapped(check["what"], INDENT).strip().splitlines()
    lines = [f"  {state}{lines[0]}", *lines[1:]]
    if check["state"] != "ok":
        for text in check["evidence"]:
            lines += output.wrapped(text, INDENT + "  ").splitlines()
        if check["next"]:
            lines.append(f"{INDENT}next: {check['next']}")
    return lines


def _summary(rows: list[dict[str, Any]]) -> str:
    counts = {state: sum(row["state"] == state for row in rows) for state in STYLES}
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count)
