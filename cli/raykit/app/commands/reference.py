"""`raykit explain`, `schema` and `init`: the fields of specs, and files to start from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raykit.app import output
from raykit.app.options import Format, Name, Output
from raykit.errors import UsageError

if TYPE_CHECKING:
    from raykit.spec.reference import Entry

INIT_EPILOG = """Examples:

\b
  raykit init                       single-node.yaml, here
  raykit init scaled --name mine    mine.yaml, from the shape scaled
  raykit init job pi                pi/: a job of your own, with its test
  raykit validate -f single-node.yaml && raykit up -f single-node.yaml
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    app.command("explain")(explain)
    app.command("schema")(schema)
    app.command("init", epilog=INIT_EPILOG)(init)


def explain(
    path: Annotated[
        str, typer.Argument(metavar="[PATH]", help="A field, such as workers.memory.")
    ] = "",
    output_format: Output = Format.text,
) -> None:
    """Explain a spec's fields: their kinds, units, defaults and reasons."""
    from raykit.spec import reference

    entry, below = reference.explain(path)
    data: Any = {
        "path": path,
        "field": entry.as_dict() if entry else None,
        "fields": [field.as_dict() for field in below],
    }
    as_json = output_format is Format.json
    output.show(
        "explain", data if as_json else (path, entry, below), as_json, lambda parts: _page(*parts)
    )


def schema() -> None:
    """Print the JSON Schema of specs, for an editor that completes and checks them."""
    from raykit.spec import reference

    output.raw(reference.schema_text().encode())


def init(
    shape: Annotated[
        str, typer.Argument(metavar="[SHAPE|job]", help="One of raykit's shapes, or `job`.")
    ] = "single-node",
    job: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="After `job`: the name of the job.")
    ] = None,
    name: Name = None,
    output_format: Output = Format.text,
) -> None:
    """Write a spec to start from, with its schema; or a job of your own, with its test.

    Both are written below this folder; nothing that is there is written over.
    """
    as_json = output_format is Format.json
    if shape == "job":
        output.show("init", _init_job(job, name), as_json, _job_is_written)
        return
    if job is not None:
        raise UsageError(
            f"a spec takes its name by --name, not {job!r}", next=f"raykit init {shape} --name NAME"
        )
    from raykit.flows import starter

    spec = starter.write(shape, Path.cwd(), name)
    output.show("init", {"spec": str(spec), "shape": shape}, as_json, _is_written)


def _init_job(job: str | None, name: str | None) -> dict[str, Any]:
    from raykit.flows import job_starter

    if job is None or name is not None:
        raise UsageError("a job needs one name", next="raykit init job NAME")
    files = job_starter.write(job, Path.cwd())
    return {"job": job, "files": [str(file) for file in files]}


def _is_written(data: dict[str, Any]) -> str:
    name = Path(data["spec"]).name
    return f"{name} is written\nnext: raykit validate -f {name}, then raykit up -f {name}"


def _job_is_written(data: dict[str, Any]) -> str:
    names = [Path(file).relative_to(Path.cwd()) for file in data["files"]]
    job, _, test = names
    return "\n".join(
        [
            *(f"{name} is written" for name in names),
            f"next: raykit submit {job}",
            f"      its test: pip install pytest, then python -m pytest {test}",
        ]
    )


def _page(path: str, entry: Entry | None, below: list[Entry]) -> str:
    lines = []
    if entry:
        facts = [entry.kind, "required" if entry.required else "optional"]
        if entry.default is not None:
            facts.append(f"default {entry.default}")
        lines += [f"{path}: {', '.join(facts)}", output.wrapped(entry.description, "  ", ""), ""]
    for field in below:
        mark = " (required)" if field.required else ""
        default = "" if field.default is None else f" [default: {field.default}]"
        lines.append(f"{field.name}{mark}: {field.kind}{default}")
        lines.append(output.wrapped(field.description, "    ", ""))
    return "\n".join(lines).rstrip()
