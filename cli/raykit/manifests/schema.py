"""Check manifests with the schemas of KubeRay's CRDs.

`scripts/derive_crd_schema.py` makes the schemas in `crd/` from KubeRay's CRDs. Unknown fields are
problems here: the API server would drop them without a message.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from raykit.errors import UsageError
from raykit.spec.problems import Path, Problem
from raykit.versions import KUBERAY

DEFAULT = KUBERAY
INT32 = 2**31
_FOLDER = FilePath(__file__).parent / "crd"
Node = dict[str, Any]

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def versions() -> list[str]:
    """The KubeRay versions with a schema, oldest first."""
    names = (path.stem for path in _FOLDER.glob("*.json"))
    return sorted(names, key=lambda text: [int(part) for part in text.split(".")])


def require_known(kuberay: str) -> None:
    """Errors: UsageError (2) if the version is not one of `versions()`."""
    if kuberay not in versions():
        raise UsageError(
            f"KubeRay {kuberay} is not known here", next=f"--kuberay {' or '.join(versions())}"
        )


def is_rays(manifest: Node) -> bool:
    """Whether a manifest is one of KubeRay's own resources."""
    return str(manifest.get("apiVersion", "")).startswith("ray.io/")


def check(manifest: Node, kuberay: str = DEFAULT) -> list[Problem]:
    """The problems of a manifest of `ray.io/v1` by the CRD of a KubeRay version.

    Errors: UsageError (2) if the version is not one of `versions()`.
    """
    require_known(kuberay)
    schema = _schema(kuberay)
    kind = manifest.get("kind")
    if manifest.get("apiVersion") != schema["apiVersion"]:
        return [Problem(("apiVersion",), f"must be {schema['apiVersion']}")]
    if not isinstance(kind, str) or kind not in schema["kinds"]:
        near = difflib.get_close_matches(str(kind), schema["kinds"], n=1)
        suggestion = f'; did you mean "{near[0]}"?' if near else ""
        return [Problem(("kind",), f"must be one of {', '.join(schema['kinds'])}{suggestion}")]
    return list(_Checker(kuberay, kind).node((), manifest, schema["kinds"][kind]))


class _Checker:
    """Compares a manifest with a schema, key by key."""

    def __init__(self, kuberay: str, kind: str) -> None:
        self.kuberay, self.kind = kuberay, kind

    def node(self, path: Path, value: Any, node: Node) -> Iterator[Problem]:
        node = _resolved(self.kuberay, node)
        wrong = _mistake(value, node)
        if wrong:
            yield Problem(path, wrong)
        elif isinstance(value, dict):
            yield from self._object(path, value, node)
        elif isinstance(value, list):
            for at, item in enumerate(value):
                yield from self.node((*path, at), item, node.get("items", {}))

    def _object(self, path: Path, value: Node, node: Node) -> Iterator[Problem]:
        for name in node.get("required", ()):
            if name not in value:
                yield Problem((*path, name), "is required")
        for name, child in value.items():
            inside = _child(node, name)
            if inside is None:
                yield Problem((*path, name), self._unknown((*path, name), node))
            else:
                yield from self.node((*path, name), child, inside)

    def _unknown(self, path: Path, node: Node) -> str:
        knowing = [version for version in versions() if _knows(version, self.kind, path)]
        if knowing:
            return f"needs KubeRay {' or '.join(knowing)}: {self.kuberay} does not have it"
        near = difflib.get_close_matches(str(path[-1]), node.get("properties", {}), n=1)
        suggestion = f'; did you mean "{near[0]}"?' if near else ""
        return f"unknown field to KubeRay {self.kuberay}{suggestion}"


def _mistake(value: Any, node: Node) -> str | None:
    """What is wrong with a value itself; the values inside it are checked separately."""
    if value is None:
        return None if node.get("nullable") else "has no value"
    if node.get("x-kubernetes-int-or-string"):
        if not (_TYPES["string"](value) or _TYPES["integer"](value)):
            return "must be a whole number or text"
    elif "type" in node and not _TYPES[node["type"]](value):
        return f"must be of type {node['type']}"
    if isinstance(value, str):
        return _text_mistake(value, node)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number_mistake(value, node)
    return None


def _text_mistake(text: str, node: Node) -> str | None:
    if "enum" in node and text not in node["enum"]:
        return f"must be one of {', '.join(node['enum'])}"
    if "pattern" in node and not re.search(node["pattern"], text):
        return f'"{text}" does not match {node["pattern"]}'
    if not node.get("minLength", 0) <= len(text) <= node.get("maxLength", len(text)):
        return f"is {len(text)} characters long, which is not allowed"
    return None


def _number_mistake(number: float, node: Node) -> str | None:
    if node.get("format") == "int32" and not -INT32 <= number < INT32:
        return f"{number} does not fit in 32 bits"
    if not node.get("minimum", number) <= number <= node.get("maximum", number):
        return f"{number} is out of bounds"
    return None


def _child(node: Node, name: str) -> Node | None:
    """The schema of a key of an object; empty if anything is allowed, None if it is unknown."""
    known: Node | None = node.get("properties", {}).get(name)
    if known is not None:
        return known
    further = node.get("additionalProperties")
    if isinstance(further, dict):
        return further
    free = "properties" not in node or node.get("x-kubernetes-preserve-unknown-fields")
    return {} if free or further is True else None


def _knows(kuberay: str, kind: str, path: Path) -> bool:
    node: Node | None = _schema(kuberay)["kinds"].get(kind)
    for part in path:
        if node is None:
            return False
        node = _resolved(kuberay, node)
        node = node.get("items") if isinstance(part, int) else _child(node, part)
    return node is not None


def _resolved(kuberay: str, node: Node) -> Node:
    if "$ref" in node:
        target: Node = _schema(kuberay)["defs"][node["$ref"]]
        return target
    return node


@cache
def _schema(kuberay: str) -> Node:
    loaded: Node = json.loads((_FOLDER / f"{kuberay}.json").read_text("utf-8"))
    return loaded
