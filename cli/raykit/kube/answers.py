"""What the API server answers, read with suspicion: bounded, JSON, and of the shape we rely on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from raykit.kube.shapes import SHAPES, MalformedError, checked
from raykit.objects import Object

LARGEST_BYTES = 256 * 2**20
"""Of one answer. A page of 500 nodes is about 10 MB where nodes list all their images."""
LONGEST_SECONDS = 120.0
QUOTED = 200


class StrangeAnswerError(Exception):
    """The answer is none that Kubernetes gives; the text says in what way."""


def body(pieces: Iterable[bytes]) -> bytes:
    """The bytes of an answer. Errors: StrangeAnswerError where they do not end."""
    began, held, size = time.monotonic(), [], 0
    for piece in pieces:
        size += len(piece)
        if size > LARGEST_BYTES:
            raise StrangeAnswerError(f"it is longer than {LARGEST_BYTES // 2**20} MiB")
        if time.monotonic() - began > LONGEST_SECONDS:
            raise StrangeAnswerError(f"it has not ended after {LONGEST_SECONDS:g} s")
        held.append(piece)
    return b"".join(held)


def parsed(data: bytes) -> Object:
    """A JSON object. Errors: StrangeAnswerError for anything else."""
    try:
        content: Any = json.loads(data.decode("utf-8", "replace"))
        if b"\\ud" in data.lower():
            # An escaped half of a character cannot be printed.
            whole = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
            content = json.loads(whole)
    except (ValueError, RecursionError) as wrong:
        raise StrangeAnswerError(f"it is no JSON: {quoted(data)}") from wrong
    if not isinstance(content, dict):
        raise StrangeAnswerError(f"it is no JSON object: {quoted(data)}")
    return dict(content)


def one(kind: str, content: Object) -> Object:
    """An object of a kind, with every field that raykit reads of the right type."""
    try:
        return dict(checked(content, SHAPES[kind], kind))
    except MalformedError as wrong:
        raise StrangeAnswerError(str(wrong)) from wrong


def items(kind: str, content: Object) -> list[Object]:
    """The objects of a list."""
    found: Any = content.get("items") or []
    if not isinstance(found, list):
        raise StrangeAnswerError("items is not a list")
    return [one(kind, item) for item in found]


def next_page(content: Object) -> str | None:
    """By which word the API server gives the next page of a list."""
    metadata = content.get("metadata")
    word = metadata.get("continue") if isinstance(metadata, dict) else None
    return word if isinstance(word, str) and word else None


def message(data: bytes) -> str | None:
    """What a `Status` of Kubernetes says; None where the answer is none."""
    try:
        content = parsed(data)
    except StrangeAnswerError:
        return None
    if content.get("kind") != "Status":
        return None
    text = content.get("message")
    return text if isinstance(text, str) and text else str(content.get("reason") or "no reason")


def quoted(data: bytes) -> str:
    """The beginning of an answer, on one line."""
    text = " ".join(data[: 4 * QUOTED].decode("utf-8", "replace").split())
    return text[:QUOTED] + ("…" if len(text) > QUOTED or len(data) > 4 * QUOTED else "")
