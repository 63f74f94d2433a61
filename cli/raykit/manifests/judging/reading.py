"""Read files of Kubernetes manifests that anyone wrote: KubeRay's resources with their places.

YAML is read as kubectl reads it: aliases and several documents are fine here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import CollectionEndEvent, CollectionStartEvent, MappingStartEvent, NodeEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from raykit.objects import Object
from raykit.spec.document import Document, Mark
from raykit.spec.problems import Path, Problem

LONGEST = 8 * 1024 * 1024
DEEPEST = 100
MOST_VALUES = 500_000
RAYS_GROUP = "ray.io/"
ENFORCE = "pod-security.kubernetes.io/enforce"
MANIFESTS, SPEC, OTHER = "manifests", "spec", "other"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCALARS = yaml.SafeLoader("")
_MANIFEST_KEYS, _SPEC_KEY = ("apiVersion", "kind"), "head"
_BROKEN_MANIFEST = re.compile(rb"""^[ {"']*(apiVersion|kind)["']?[ \t]*:""", re.MULTILINE)
_BROKEN_SPEC = re.compile(rb"^head[ \t]*:", re.MULTILINE)
_TEXT_TO_KUBERNETES = ("timestamp", "binary")


@dataclass(frozen=True)
class Resource:
    """One of KubeRay's resources: its plain value, and where each part stands in the file."""

    value: Object
    document: Document


@dataclass
class Manifests:
    """What a file of manifests holds.

    others: how many objects are not KubeRay's. enforced: the Pod Security level of each namespace
    of the file that states one.
    """

    resources: list[Resource] = field(default_factory=list)
    others: int = 0
    enforced: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def kind_of(data: bytes) -> str:
    """What a text is by the keys at its top: MANIFESTS, SPEC or OTHER. YAML may be broken."""
    try:
        for key in _top_keys(data):
            if key in _MANIFEST_KEYS:
                return MANIFESTS
            if key == _SPEC_KEY:
                return SPEC
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        # Reading the file says what is wrong with it; here only its kind counts.
        if _BROKEN_MANIFEST.search(data):
            return MANIFESTS
        if _BROKEN_SPEC.search(data):
            return SPEC
    return OTHER


def read(data: bytes) -> Manifests:
    """The manifests of a text. Raises nothing: `problems` of the result has what is wrong."""
    manifests = Manifests()
    if len(data) > LONGEST:
        manifests.problems.append(Problem((), f"is over {LONGEST >> 20} MiB long", 1, 1))
        return manifests
    try:
        if _depth(data) > DEEPEST:
            manifests.problems.append(Problem((), "is nested too deeply", 1, 1))
            return manifests
        for node in yaml.compose_all(data, Loader=_LOADER):
            for item in _objects(node):
                _take(item, manifests)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = f"is not YAML: {error.problem or error.context}{_hint(data)}"
        manifests.problems.append(Problem((), message, line, column))
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        message = f"is not YAML that can be read: {reason}"
        manifests.problems.append(Problem((), message, 1, 1))
    return manifests


def _top_keys(data: bytes) -> Iterator[str]:
    """The keys at the top of each document, in order."""
    depth, in_mapping, at_key = 0, False, True
    for event in yaml.parse(data, Loader=_LOADER):
        if isinstance(event, NodeEvent) and depth == 0:
            in_mapping, at_key = isinstance(event, MappingStartEvent), True
        elif isinstance(event, NodeEvent) and depth == 1 and in_mapping:
            if at_key:
                yield str(getattr(event, "value", ""))
            at_key = not at_key
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)


def _hint(data: bytes) -> str:
    if b"{{" not in data:
        return ""
    return "; a Helm template? `helm template CHART | raykit validate -f -` judges what it makes"


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


def _take(node: Node, manifests: Manifests) -> None:
    """Add one object to the manifests of a file."""
    version = _text(node, "apiVersion") or ""
    kind = _text(node, "kind") or ""
    if not version.startswith(RAYS_GROUP) and not (version == "" and kind.startswith("Ray")):
        manifests.others += 1
        if (version, kind) == ("v1", "Namespace"):
            _note_level(node, manifests)
        return
    reader = _Reader()
    value = reader.value((), node)
    manifests.problems += reader.document.problems
    if isinstance(value, dict):
        manifests.resources.append(Resource(value, reader.document))


def _note_level(node: Node, manifests: Manifests) -> None:
    metadata = _at(node, "metadata")
    labels = None if metadata is None else _at(metadata, "labels")
    name = None if metadata is None else _text(metadata, "name")
    level = None if labels is None else _text(labels, ENFORCE)
    if name and level:
        manifests.enforced[name] = level


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
                for source in _mappings(value_node):
                    merged = {**self.mapping(path, source), **merged}
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
    sources = node.value if isinstance(node, SequenceNode) else [node]
    return [source for source in sources if isinstance(source, MappingNode)]


def _scalar(node: Node) -> Any:
    kind = node.tag.rpartition(":")[2]
    if kind in _TEXT_TO_KUBERNETES or (kind in {"int", "float"} and ":" in node.value):
        return node.value
    try:
        return _SCALARS.construct_object(ScalarNode(node.tag, node.value))
    except LookupError as error:  # such as `!!bool zz`
        raise ValueError(f"{node.value!r} is no {kind}") from error


def _at(node: Node, key: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _text(node: Node, key: str) -> str | None:
    value = _at(node, key)
    return value.value if isinstance(value, ScalarNode) else None


def _mark(node: Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)
