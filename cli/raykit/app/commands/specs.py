"""Specs: `render` and `validate`."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raykit.app import output
from raykit.app.options import Format, Name, Namespace, Output, SpecFile
from raykit.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from raykit.flows.manifests import Folder
    from raykit.flows.validating.report import Report

Image = Annotated[
    str | None,
    typer.Option("--image", help="Image of the Ray pods. [default: the spec's, else raykit's own]"),
]
KubeRay = Annotated[
    str | None,
    typer.Option("--kuberay", metavar="VERSION", help="KubeRay's version. [default: the spec's]"),
]

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a field, such as head.memory=4Gi."),
]
Job = Annotated[
    list[str] | None,
    typer.Option("--job", metavar="'NAME ARGUMENTS'", help="Add a job, such as 'fib --size 20'."),
]
OutputDir = Annotated[
    Path | None,
    typer.Option(
        "--output-dir", metavar="DIR", help="Write one file an object, and kustomization.yaml."
    ),
]
Check = Annotated[
    Path | None,
    typer.Option("--check", metavar="DIR", help="Compare that folder instead; 8 on drift."),
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
    set_: Set = None,
    job: Job = None,
    output_dir: OutputDir = None,
    check: Check = None,
    format: Output = Format.text,
) -> None:
    """Print the manifests of a spec, for kubectl apply -f -, or keep them in a folder for git.

    The same spec, options and raykit give the same bytes. --check DIR ends with 8 and a unified
    diff where the folder holds something else.
    """
    from raykit.flows import manifests
    from raykit.manifests.render import render, to_yaml
    from raykit.spec.load import load_file, overridden

    if output_dir and check:
        raise UsageError("--check writes nothing", next="leave --output-dir or --check out")
    settings, jobs = set_ or [], job or []
    spec = overridden(
        load_file(file), name=name, namespace=namespace, image=image, settings=settings, jobs=jobs
    )
    manifests.require_jobs(spec)
    objects = render(spec, image=spec.image or _own_image())
    as_json = format is Format.json
    if output_dir:
        written, removed = manifests.folder(output_dir, file, objects).write()
        data = {"folder": str(output_dir), "written": _texts(written), "removed": _texts(removed)}
        output.show("render", data, as_json, _changes)
    elif check:
        given = {"--name": name, "--namespace": namespace, "--image": image}
        options = [word for option, each in given.items() if each for word in (option, each)]
        options += [word for each in settings for word in ("--set", each)]
        options += [word for each in jobs for word in ("--job", each)]
        again = ["raykit", "render", "-f", str(file), *options, "--output-dir", str(check)]
        _compare(manifests.folder(check, file, objects), file, shlex.join(again), as_json)
    else:
        output.show("render", objects, as_json, lambda made: to_yaml(made)[:-1], exact=True)


class Level(StrEnum):
    """The levels of Pod Security."""

    privileged = "privileged"
    baseline = "baseline"
    restricted = "restricted"


class Style(StrEnum):
    """How `validate` prints its verdicts."""

    text = "text"
    json = "json"
    github = "github"


def validate(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="Files and folders.")
    ] = None,
    file: Annotated[
        list[Path] | None, typer.Option("-f", "--file", help="The same; - is standard input.")
    ] = None,
    kuberay: KubeRay = None,
    pod_security: Annotated[
        Level | None,
        typer.Option(
            help="Level that all pods must meet. [default: that of Namespaces in the files]"
        ),
    ] = None,
    format: Annotated[
        Style, typer.Option("-o", "--output", help="github: beside the lines of a change.")
    ] = Style.text,
) -> None:
    """Say everything that is wrong with specs and manifests, with its line.

    Checks specs, the rules of KubeRay's operator, manifests against the schema of KubeRay's
    resources, and the Pod Security of their pods, also of manifests that raykit did not write.
    Ends with 3 where something is wrong.
    """
    from raykit.flows.validating import report
    from raykit.flows.validating.validate import validate

    given = [*(paths or []), *(file or [])]
    if not given:
        raise UsageError("nothing to validate", next="raykit validate FILE, a folder, or -f -")
    judged = validate(given, kuberay, pod_security)
    options = ["--kuberay", kuberay] if kuberay else []
    options += ["--pod-security", pod_security] if pod_security else []
    names = [word for each in given for word in ("-f", str(each))]
    again = shlex.join(["raykit", "validate", *names, *options])
    refused = report.refusal(judged.files, again)
    if format is Style.json:
        data = {
            "files": [file.as_dict() for file in judged.files],
            "charts": judged.charts,
            "unbuilt": judged.unbuilt,
        }
        output.show_envelope("validate", data, refused)
        raise typer.Exit(refused.exit_code if refused else 0)
    if format is Style.github:
        output.raw(_lines(report.github(judged.files)))
    elif not refused:
        output.show("validate", judged, False, _verdicts)
    if refused:
        raise refused


def _compare(wanted: Folder, file: Path, again: str, as_json: bool) -> None:
    """Say whether a folder holds what is rendered. Errors: ConflictError (8) with what differs."""
    drifted, stale, diff = wanted.drifted(), wanted.stale(), wanted.diff()
    data = {
        "folder": str(wanted.path),
        "drifted": _texts(drifted),
        "stale": _texts(stale),
        "diff": diff,
    }
    if not diff:
        output.show("render", data, as_json, lambda _: f"{wanted.path}: no drift")
        return
    evidence = [f"{path}: {'differs' if path.exists() else 'is missing'}" for path in drifted]
    evidence += [f"{path}: is not rendered any more" for path in stale]
    what = f"{wanted.path} is not what {file} renders to"
    drift = ConflictError(what, evidence=evidence, next=again)
    if as_json:
        output.show_envelope("render", data, drift)
        raise typer.Exit(drift.exit_code)
    output.raw(diff.encode())
    raise drift


def _texts(paths: list[Path]) -> list[str]:
    return [str(path) for path in paths]


def _changes(data: dict[str, Any]) -> str:
    lines = [f"written: {path}" for path in data["written"]]
    lines += [f"removed: {path}" for path in data["removed"]]
    return "\n".join(lines) or f"{data['folder']}: nothing to change"


def _own_image() -> str:
    from raykit.containers.image import reference

    return reference()


def _lines(text: str) -> bytes:
    return f"{text}\n".encode("utf-8", "replace") if text else b""


def _verdicts(report: Report) -> str:
    lines = []
    for judged in report.files:
        if judged.kind == "spec":
            lines.append(f"{judged.file}: valid for KubeRay {judged.kuberay}")
        elif judged.checked:
            lines.append(f"{judged.file}: {judged.checked} valid for KubeRay {judged.kuberay}")
        lines += [f"  warning: {doubt}" for doubt in judged.warnings]
    passed = _passed_over(report)
    return "\n".join([*lines, *passed]) or "no YAML file there"


def _passed_over(report: Report) -> list[str]:
    counts = (
        (sum(judged.others for judged in report.files), "object", "s of other kinds"),
        (sum(judged.kind == "other" for judged in report.files), "other file", "s"),
        (report.charts, "Helm chart", "s: judge what `helm template` prints"),
        (report.unbuilt, "overlay", "s: kubectl, which builds them, is not on PATH"),
    )
    parts = [_counted(*each) for each in counts if each[0]]
    return [f"passed over: {', '.join(parts)}"] if parts else []


def _counted(count: int, what: str, plural: str) -> str:
    """`1 object of other kinds`, `2 objects of other kinds`."""
    return f"{count} {what}{plural.removeprefix('s') if count == 1 else plural}"
