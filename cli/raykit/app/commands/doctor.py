"""`raykit doctor`: what raykit needs, and how it stands."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer

from raykit.app import checks_page
from raykit.app.options import Context, Format, Namespace, Output

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
    probe: Annotated[
        bool,
        typer.Option("--probe", help="Start pods to see whether network policies are enforced."),
    ] = False,
    output_format: Output = Format.text,
) -> None:
    """Check this machine, the context, KubeRay and the namespace; change nothing.

    All problems are shown at once, each with the command that mends it. Without a Kubernetes
    context only this machine is checked. --probe starts three small pods with policies in the
    namespace, and deletes them.
    """
    from raykit.flows.clusters.up import read_spec
    from raykit.flows.examining import doctor as flow
    from raykit.kube.reference import check_namespace

    if namespace:
        check_namespace(namespace)
    request = flow.Request(read_spec(spec) if spec else None, spec, context, namespace, probe)
    report = flow.examine(request)
    checks_page.show("doctor", report.as_dict(), report.error, output_format, _page)


def _page(data: dict[str, Any]) -> str:
    shown: list[str] = []
    for title, rows in groupby(data["checks"], key=lambda row: row["group"]):
        shown += [title, *checks_page.lines(list(rows)), ""]
    shown.append(checks_page.summary(data["checks"]))
    if data["role"]:
        shown += ["", data["role"].rstrip()]
    return "\n".join(shown)
