"""The spec's reference, from the model itself: a JSON Schema for editors, and `explain`."""

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
    """One field. kind: in words; default: as YAML, None where there is none or it is derived."""

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
    """The schema as it is committed: two spaces, keys in the model's order, one final newline."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=True) + "\n"


def explain(path: str = "") -> tuple[Entry | None, list[Entry]]:
    """A field by its path, such as `workers.memory`, and the fields below it.

    Indices and brackets are allowed, so that a path of `raykit validate` can be pasted. The entry
    is None for the whole spec.

    Errors: UsageError (2) naming the nearest field.
    """
    model: type[BaseModel] | None = ClusterSpec
    entry: Entry | None = None
    walked: list[str] = []
    for part in _parts(path):
        known = {each.name: each for each in entries(model)} if model else {}
        if part not in known:
            raise _unknown(part, walked, list(known))
        entry = known[part]
        model = entry.holds
        walked.append(part)
    return entry, list(entries(model)) if model else []


def entries(model: type[BaseModel]) -> Iterator[Entry]:
    """The fields of a part, in its order."""
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
        return " or ".join(_kind(each, field) for each in inner if each is not type(None))
    if origin is Literal:
        return " or ".join(str(each) for each in inner)
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
    """Whether a field holds a quantity: pydantic takes the outermost annotation apart."""
    _, *wanted = get_args(fields.Quantity)
    metadata = field.metadata if field is not None else getattr(annotation, "__metadata__", ())
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
    """The part of a spec that a field holds, in a list or alone; None for plain values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_part(each) for each in get_args(annotation))
    return next((each for each in found if each is not None), None)


def _tidy(node: Any) -> Any:
    """The schema without what editors show to nobody: titles made from names, default nulls."""
    if isinstance(node, list):
        return [_tidy(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {}
    for key, value in node.items():
        if key == "title" and isinstance(value, str):
            continue
        if key == "default" and value is None:
            continue
        if key == "description" and isinstance(value, str):
            made[key] = " ".join(value.split())
        else:
            made[key] = _tidy(value)
    return _without_null(made)


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    """A field that may be left out may not be null: a key without a value is a mistake."""
    choices = node.get("anyOf")
    if not isinstance(choices, list) or {"type": "null"} not in choices:
        return node
    left = [each for each in choices if each != {"type": "null"}]
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    return {**left[0], **rest} if len(left) == 1 else {**rest, "anyOf": left}
