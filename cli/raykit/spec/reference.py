"""The reference of the spec, made from its model: a JSON Schema, and `raykit explain`."""

from __future__ import annotations

import difflib
import json
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from raykit.errors import UsageError
from raykit.spec import fields
from raykit.spec.model import ClusterSpec

DRAFT = "https://json-schema.org/draft/2020-12/schema"

QUANTITY = "quantity, such as 500m or 2Gi"


@dataclass(frozen=True)
class Entry:
    """One field of a spec.

    kind: its type in words. default: as YAML; None if there is none or it is computed.
    holds: the part of the spec that its value is, or that a list of it has; None for plain values.
    """

    name: str
    kind: str
    required: bool
    default: str | None
    description: str
    holds: type[BaseModel] | None

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON data."""
        return {
            "name": self.name,
            "kind": self.kind,
            "required": self.required,
            "default": self.default,
            "description": self.description,
        }


def json_schema() -> dict[str, Any]:
    """The spec as a JSON Schema (draft 2020-12), with patterns, bounds and descriptions."""
    schema = ClusterSpec.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": DRAFT, "title": "A Ray cluster, as raykit describes it", **_tidy(schema)}


def schema_text() -> str:
    """The schema as text, in the form that is committed to the repository."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=True) + "\n"


def explain(path: str = "") -> tuple[Entry | None, list[Entry]]:
    """A field by its path, such as `workers.memory`, and the fields below it.

    path: may have indices, such as `workers[0].memory`, as `raykit validate` prints them; empty
    for the whole spec, whose entry is None.
    Errors: UsageError (2) naming the nearest field.
    """
    model: type[BaseModel] | None = ClusterSpec
    entry: Entry | None = None
    walked: list[str] = []
    for part in _parts(path):
        known = {field.name: field for field in entries(model)} if model else {}
        if part not in known:
            raise _unknown(part, walked, list(known))
        entry = known[part]
        model = entry.holds
        walked.append(part)
    return entry, list(entries(model)) if model else []


def entries(model: type[BaseModel]) -> Iterator[Entry]:
    """The fields of a part of the spec, in the order of its class."""
    for name, field in model.model_fields.items():
        yield Entry(
            name=field.alias or name,
            kind=_kind(field.annotation, field),
            required=field.is_required(),
            default=_default(field),
            description=" ".join((field.description or "").split()),
            holds=_part(field.annotation),
        )


def _parts(path: str) -> list[str]:
    plain = path.replace("[]", "").strip().strip(".")
    parts = [part.partition("[")[0] for part in plain.split(".") if part]
    return [part for part in parts if not part.isdigit()]


def _unknown(part: str, walked: list[str], known: list[str]) -> UsageError:
    here = ".".join(walked) or "a spec"
    if not known:
        return UsageError(
            f"{here} has no fields of its own", next=f"raykit explain {'.'.join(walked)}"
        )
    near = difflib.get_close_matches(part, known, n=3, cutoff=0.5)
    return UsageError(
        f"{here} has no field {part}",
        evidence=[f"did you mean {' or '.join(near)}?"] if near else [],
        next=f"raykit explain {'.'.join(walked)}".rstrip(),
    )


def _kind(annotation: Any, field: FieldInfo | None = None) -> str:
    if _is_quantity(annotation, field):
        return QUANTITY
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(choice, field) for choice in inner if choice is not type(None))
    if origin is Literal:
        return " or ".join(str(choice) for choice in inner)
    if origin is list:
        return f"list of {_plural(_kind(inner[0]))}"
    if origin is dict:
        return f"mapping of names to {_plural(_kind(inner[1]))}"
    if origin is Annotated:
        return _kind(inner[0])
    if _part(annotation):
        return "object"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(
        annotation, "anything"
    )


def _is_quantity(annotation: Any, field: FieldInfo | None) -> bool:
    """Whether a field is a quantity. pydantic splits the outermost annotation, hence by id."""
    _, *wanted = get_args(fields.Quantity)
    metadata = [*(field.metadata if field else ()), *getattr(annotation, "__metadata__", ())]
    return bool(set(map(id, wanted)) & set(map(id, metadata)))


def _plural(kind: str) -> str:
    return {"text": "texts", "object": "objects", "whole number": "whole numbers"}.get(kind, kind)


def _default(field: FieldInfo) -> str | None:
    value = field.default
    if value is PydanticUndefined or value is None or value in ({}, []):
        return None
    if isinstance(value, BaseModel):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _part(annotation: Any) -> type[BaseModel] | None:
    """The part of a spec that a field is or is a list of; None for plain values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    parts = (_part(argument) for argument in get_args(annotation))
    return next((part for part in parts if part is not None), None)


def _tidy(node: Any) -> Any:
    """The schema without generated titles and null defaults, which help nobody in an editor."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidy = {}
    for key, value in node.items():
        if key == "title" and isinstance(value, str):
            continue
        if key == "default" and value is None:
            continue
        if key == "description" and isinstance(value, str):
            tidy[key] = " ".join(value.split())
        else:
            tidy[key] = _tidy(value)
    return _without_null(tidy)


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    """Forbid null for optional fields: a key without a value is a mistake."""
    choices = node.get("anyOf")
    if not isinstance(choices, list) or {"type": "null"} not in choices:
        return node
    left = [choice for choice in choices if choice != {"type": "null"}]
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    return {**left[0], **rest} if len(left) == 1 else {**rest, "anyOf": left}
