"""Read the YAML of a spec: plain values with their line and column, and no surprises.

YAML 1.1 reads `no` as false, `3.10` as 3.1 and `012` as 10, keeps the last of two equal keys, and
lets a few bytes of aliases expand without bound. This module reports each of these as a problem.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    NodeEvent,
    ScalarEvent,
)
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from raykit.spec.problems import Path, Problem

LONGEST = 256 * 1024
DEEPEST = 20
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_LONG_WHOLE = re.compile(r"-?[1-9][0-9]{18,}")
_PLAIN_FRACTION = re.compile(r"-?[0-9]{1,18}\.[0-9]{0,18}")
_PREFIX = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Mark:
    """A place in the text. line, column: counted from 1."""

    line: int
    column: int


@dataclass
class Document:
    """The values of a text, with their places.

    values: where each value begins. keys: where its key begins. texts: scalars as they are
    written. empty: paths of keys without a value.
    """

    value: Any = None
    values: dict[Path, Mark] = field(default_factory=dict)
    keys: dict[Path, Mark] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    empty: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def mark(self, path: Path, *, key: bool = False) -> Mark:
        """The place of a path's value.

        If it is absent: the key of its nearest parent, or that parent if it is an item of a list.
        key: the place of its key instead.
        """
        if key and path in self.keys:
            return self.keys[path]
        if path in self.values:
            return self.values[path]
        while path:
            path = path[:-1]
            if path in self.keys:
                return self.keys[path]
            if path and isinstance(path[-1], int) and path in self.values:
                return self.values[path]
        return self.values.get((), Mark(1, 1))

    def locate(self, problem: Problem, *, key: bool = False) -> Problem:
        """The problem with its line and column."""
        mark = self.mark(problem.path, key=key)
        return Problem(problem.path, problem.message, mark.line, mark.column, problem.involves)


def parse(data: bytes | str) -> Document:
    """The document of a text. Raises nothing: `problems` of the result has what is wrong."""
    document, text = Document(), ""
    try:
        text = _decoded(data)
        unsupported = list(_unsupported(text))
        if unsupported:
            document.problems = unsupported
            return document
        node = yaml.compose(text, Loader=_LOADER)
        if node is None:
            raise _Unreadable("is empty")
        document.value = _value(document, (), node)
    except _Unreadable as error:
        document.problems.append(Problem((), str(error), 1, 1))
    except yaml.reader.ReaderError as error:
        document.problems.append(_bad_character(error))
    except yaml.MarkedYAMLError as error:
        document.problems.append(_not_yaml(error, text))
    except (ValueError, OverflowError, RecursionError) as error:
        # PyYAML's pure Python reader raises these on some escapes; libyaml never does.
        document.problems.append(Problem((), f"is not YAML that can be read: {error}", 1, 1))
    return document


class _Unreadable(Exception):
    pass


def _decoded(data: bytes | str) -> str:
    if len(data) > LONGEST:
        raise _Unreadable(f"is over {LONGEST // 1024} KiB long: no spec is")
    if isinstance(data, bytes):
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise _Unreadable("is UTF-16: save it as UTF-8")
        try:
            data = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _Unreadable(f"is not UTF-8: byte {error.start + 1} of the file") from error
    elif not _is_unicode(data):
        raise _Unreadable("holds characters that are not Unicode text")
    return data.removeprefix("\ufeff")


def _unsupported(text: str) -> Iterator[Problem]:
    """YAML features that specs do not allow: aliases, anchors, tags, documents, deep nesting."""
    documents = depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents == 2:
                yield _at(event, "a second document: a file holds one spec")
                return
        elif isinstance(event, AliasEvent):
            yield _at(event, f"alias *{event.anchor}: write the value out")
        elif isinstance(event, NodeEvent) and event.anchor:
            yield _at(event, f"anchor &{event.anchor}: specs know no anchors")
        if isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag is not None:
            yield _at(event, f"tag {event.tag}: specs know no tags")
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            yield _at(event, "is nested too deeply")
            return


def _value(document: Document, path: Path, node: Node) -> Any:
    document.values[path] = Mark(node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, MappingNode):
        return _mapping(document, path, node)
    if isinstance(node, SequenceNode):
        return [_value(document, (*path, at), item) for at, item in enumerate(node.value)]
    document.texts[path] = node.value
    if not _is_plain(node.value):
        wrong = Problem(path, "holds a character that is no text, such as NUL")
        document.problems.append(document.locate(wrong))
        return ""
    value, problem = _scalar(node.value, node.tag.removeprefix(_PREFIX))
    if value is None:
        document.empty.append(path)
    if problem:
        document.problems.append(document.locate(Problem(path, problem)))
    return value


def _mapping(document: Document, path: Path, node: MappingNode) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        mark = Mark(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        wrong = _bad_key(key_node, values)
        if wrong:
            document.problems.append(Problem(path, wrong, mark.line, mark.column))
            continue
        key = key_node.value
        document.keys[*path, key] = mark
        values[key] = _value(document, (*path, key), value_node)
    return values


def _bad_key(node: Node, seen: dict[str, Any]) -> str | None:
    if not isinstance(node, ScalarNode) or not _is_plain(node.value):
        return "a key must be text"
    if node.tag == _PREFIX + "merge":
        return "<<: specs know no merge keys"
    if node.tag != _PREFIX + "str":
        return f'YAML reads the key {node.value} as {_kind(node)}: quote it, "{node.value}"'
    if node.value in seen:
        return f'the key "{node.value}" stands here twice'
    return None


def _is_plain(text: str) -> bool:
    """Whether a manifest can contain a text: Unicode without NUL."""
    return "\0" not in text and _is_unicode(text)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _scalar(text: str, tag: str) -> tuple[Any, str | None]:
    """A scalar's value, and a message if YAML reads it in a surprising way."""
    if tag == "int":
        if _PLAIN_WHOLE.fullmatch(text):
            return int(text), None
        if _LONG_WHOLE.fullmatch(text):
            return 0, "has more than 18 digits: write fewer, or quote it"
        return 0, f"YAML reads {text} as another number: write it in plain digits, or quote it"
    if tag == "bool":
        if text in {"true", "false"}:
            return text == "true", None
        return False, f"YAML reads {text} as {_truth(text)}: write {_truth(text)}, or quote it"
    if tag == "timestamp":
        return "", f'YAML reads {text} as a date: quote it, "{text}"'
    if tag == "null":
        return None, None
    if tag == "float":
        if _PLAIN_FRACTION.fullmatch(text):
            return float(text), None
        return 0.5, f"YAML reads {text} as another number: write it in plain digits, or quote it"
    return text, None


def _truth(text: str) -> str:
    return "true" if text.lower() in {"yes", "on", "true", "y"} else "false"


def _kind(node: Node) -> str:
    kinds = {"bool": "true or false", "null": "nothing", "timestamp": "a date"}
    return kinds.get(node.tag.removeprefix(_PREFIX), "a number")


def _at(event: yaml.Event, message: str) -> Problem:
    mark: Any = event.start_mark
    return Problem((), message, mark.line + 1, mark.column + 1)


def _bad_character(error: yaml.reader.ReaderError) -> Problem:
    return Problem((), f"holds the character #x{_code(error):04x}, which YAML does not allow", 1, 1)


def _code(error: yaml.reader.ReaderError) -> int:
    character: Any = error.character
    return character if isinstance(character, int) else ord(character)


def _not_yaml(error: yaml.MarkedYAMLError, text: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.splitlines()
    rest = lines[line][column:] if line < len(lines) else ""
    message = f"is not YAML: {error.problem or error.context}"
    if rest.startswith("\t"):
        message = "is not YAML: a tab stands where YAML wants spaces"
    return Problem((), message, line + 1, column + 1)
