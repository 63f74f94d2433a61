"""`raykit init`: write a spec to start from, a copy of one of raykit's shapes, with its schema."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from raykit import kit
from raykit.errors import ConflictError, MissingError, UsageError
from raykit.spec import load, names, reference
from raykit.spec.problems import Problem

SCHEMA_FILE = "raykit-spec.schema.json"
SCHEMA_LINE = "# yaml-language-server: $schema="


def shapes() -> list[str]:
    """The names of raykit's shapes."""
    return sorted(path.stem for path in (kit.root() / "deploy" / "clusters").glob("*.yaml"))


def write(shape: str, folder: Path, name: str | None = None) -> Path:
    """Write a spec and its schema into a folder; return the spec's path.

    name: of the cluster and the file; None: the shape's.

    Errors: UsageError (2) for an unknown shape, SpecError (3) for an unusable name, ConflictError
    (8) if the file exists already, MissingError (4) if the folder cannot be written.
    """
    if shape not in shapes():
        near = difflib.get_close_matches(shape, shapes(), n=1)
        raise UsageError(
            f"there is no shape {shape}",
            evidence=[f"did you mean {near[0]}?"] if near else [],
            next=f"raykit init {'|'.join(shapes())}",
        )
    text = (kit.root() / "deploy" / "clusters" / f"{shape}.yaml").read_text("utf-8")
    if name is not None:
        _require_cluster_name(name, shape)
        text = re.sub(r"(?m)^name: .*$", f"name: {name}", text, count=1)
    path = folder / f"{name or shape}.yaml"
    text = re.sub(rf"(?m)^{re.escape(SCHEMA_LINE)}.*$", f"{SCHEMA_LINE}{SCHEMA_FILE}", text)
    try:
        with path.open("x", encoding="utf-8") as out:
            out.write(text)
        (folder / SCHEMA_FILE).write_text(reference.schema_text(), "utf-8")
    except FileExistsError as exists:
        raise ConflictError(
            f"{path} exists already", next="raykit init SHAPE --name ANOTHER"
        ) from exists
    except OSError as refused:
        raise MissingError(
            f"{folder} cannot be written", evidence=[str(refused)], next="choose another folder"
        ) from refused
    return path


def _require_cluster_name(name: str, shape: str) -> None:
    try:
        names.cluster_name(name)
    except ValueError as wrong:
        problem = Problem(("name",), str(wrong))
        raise load.error([problem], "--name", f"raykit init {shape} --name ANOTHER") from wrong
