"""`raykit explain`, `schema` and `init`: the fields of specs, for people and for editors."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raykit.app import output
from raykit.app.options import Format, Name, Output

if TYPE_CHECKING:
    from raykit.spec.reference import Entry

INIT_EPILOG = """Examples:

\b
  raykit init                       single-node.yaml, here
  raykit init scaled --name mine    mine.yaml, from the shape scaled
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
        str, typer.Argument(metavar="[SHAPE]", help="One of raykit's shapes.")
    ] = "single-node",
    name: Name = None,
    output_format: Output = Format.text,
) -> None:
    """Write a spec to start from, and its schema for your editor, into this folder."""
    from raykit.flows import starter

    spec = starter.write(shape, Path.cwd(), name)
    data = {"spec": str(spec), "shape": shape}
    output.show("init", data, output_format is Format.json, _is_written)


def _is_written(data: dict[str, Any]) -> str:
    name = Path(data["spec"]).name
    return f"{name} is written; next: raykit validate -f {name}, then raykit up -f {name}"


def _page(path: str, entry: Entry | None, below: list[Entry]) -> str:
    lines = []
    if entry:
        facts = [entry.kind, "required" if entry.required else "optional"]
        if entry.default is not None:
            facts.append(f"default {entry.default}")
        lines += [f"{path}: {', '.join(facts)}", _indented(entry.description, "  "), ""]
    for field in below:
        mark = " (required)" if field.required else ""
        default = "" if field.default is None else f" [default: {field.default}]"
        lines.append(f"{field.name}{mark}: {field.kind}{default}")
        lines.append(_indented(field.description, "    "))
    return "\n".join(lines).rstrip()


def _indented(text: str, indent: str) -> str:
    return textwrap.fill(text, output.width(), initial_indent=indent, subsequent_indent=indent)
