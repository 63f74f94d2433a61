"""Files of Kubernetes manifests that anyone wrote: KubeRay's resources in them, with their places.

YAML is read as kubectl reads it: aliases and several documents are fine here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from raykit.manifests import schema
from raykit.spec.document import Document, Mark
from raykit.spec.problems import Path, Problem

LONGEST = 8 * 1024 * 1024
DEEPEST = 100
MOST_VALUES = 500_000
RAYS = "ray.io/v1"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCALARS = yaml.SafeLoader("")
_LOOKS_LIKE_ONE = re.compile(rb"^(apiVersion|kind)[ \t]*:", re.MULTILINE)
_TEXT_TO_KUBERNETES = ("timestamp", "binary")


@dataclass
class Manifests:
    """What a file of manifests holds.

    checked: how many of KubeRay's resources; others: how many objects of other kinds.
    """

    checked: int = 0
    others: int = 0
    problems: list[Problem] = field(default_factory=list)


def is_manifests(data: bytes) -> bool:
    """Whether a text looks like manifests: it names an apiVersion or a kind at its top level."""
    return _LOOKS_LIKE_ONE.search(data) is not None


def inspect(data: bytes, kuberay: str) -> Manifests:
    """Check each resource of KubeRay in a text against the schema of a version of it."""
    found = Manifests()
    if len(data) > LONGEST:
        found.problems.append(Problem((), f"is over {LONGEST >> 20} MiB long", 1, 1))
        return found
    try:
        if _depth(data) > DEEPEST:
            found.problems.append(Problem((), "is nested too deeply", 1, 1))
            return found
        for node in yaml.compose_all(data, Loader=_LOADER):
            for each in _objects(node):
                _inspect(each, kuberay, found)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = f"is not YAML: {error.problem or error.context}"
        found.problems.append(Problem((), message, line, column))
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        found.problems.append(Problem((), f"is not YAML that can be read: {reason}", 1, 1))
    return found


def _depth(data: bytes) -> int:
    depth = deepest = 0
    for event in yaml.parse(data, Loader=_LOADER):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        deepest = max(deepest, depth)
        if deepest > DEEPEST:
            break
    return deepest


def _objects(node: Node) -> Iterator[Node]:
    """The objects of a document: itself, or the items of a List."""
    items = _at(node, "items")
    if _text(node, "kind") == "List" and isinstance(items, SequenceNode):
        yield from items.value
    elif isinstance(node, MappingNode) and node.value:
        yield node


def _inspect(node: Node, kuberay: str, found: Manifests) -> None:
    if _text(node, "apiVersion") != RAYS:
        found.others += 1
        return
    found.checked += 1
    reader = _Reader()
    value = reader.value((), node)
    found.problems += reader.document.problems
    if isinstance(value, dict):
        refused = schema.check(value, kuberay)
        found.problems += [reader.document.locate(each, key=True) for each in refused]


class _Reader:
    """Makes plain values of nodes, and notes where each stands."""

    def __init__(self) -> None:
        self.document, self.left = Document(), MOST_VALUES

    def value(self, path: Path, node: Node) -> Any:
        self.left -= 1
        if self.left < 0 or len(path) > DEEPEST:
            raise ValueError("its aliases amount to too much")
        self.document.values[path] = _mark(node)
        if isinstance(node, MappingNode):
            return self.mapping(path, node)
        if isinstance(node, SequenceNode):
            return [self.value((*path, at), item) for at, item in enumerate(node.value)]
        return _scalar(node)

    def mapping(self, path: Path, node: MappingNode) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag.endswith(":merge"):
                for each in _mappings(value_node):
                    merged = {**self.mapping(path, each), **merged}
                continue
            key = str(key_node.value)
            mark = self.document.keys[*path, key] = _mark(key_node)
            if key in values:
                wrong = f'the key "{key}" stands here twice'
                self.document.problems.append(Problem(path, wrong, mark.line, mark.column))
            value = self.value((*path, key), value_node)
            # The API server leaves out keys without a value before it looks at the rest.
            if value is not None:
                values[key] = value
        return {**merged, **values}


def _mappings(node: Node) -> list[MappingNode]:
    """The mappings that a merge key takes in."""
    each = node.value if isinstance(node, SequenceNode) else [node]
    return [one for one in each if isinstance(one, MappingNode)]


def _scalar(node: Node) -> Any:
    kind = node.tag.rpartition(":")[2]
    if kind in _TEXT_TO_KUBERNETES or (kind in {"int", "float"} and ":" in node.value):
        return node.value
    return _SCALARS.construct_object(ScalarNode(node.tag, node.value))


def _at(node: Node, key: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    found = (value for name, value in node.value if name.value == key)
    return next(found, None)


def _text(node: Node, key: str) -> str | None:
    value = _at(node, key)
    return value.value if isinstance(value, ScalarNode) else None


def _mark(node: Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)
