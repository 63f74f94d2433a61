"""Read answers of the API server: limit their size, parse the JSON, check the fields we use."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from typing import Any

from raykit.kube.answers.shapes import SHAPES, MalformedError, checked
from raykit.objects import Object

LARGEST_BYTES = 256 * 2**20
"""The limit for one answer. A page of 500 nodes with all their images has about 10 MB."""
LONGEST_SECONDS = 120.0
TRICKLE_SECONDS, SLOWEST = 10.0, 1_000
"""From when on an answer must have brought so many bytes a second."""
QUOTED = 200


class StrangeAnswerError(Exception):
    """No Kubernetes API server gives this answer; the text says why."""


def body(pieces: Iterable[bytes], ends: float = math.inf) -> bytes:
    """The bytes of an answer. ends: the moment (`time.monotonic`) to stop waiting for it.

    Errors: StrangeAnswerError over 256 MiB, after 120 s, and if it only trickles.
    """
    began, held, size = time.monotonic(), [], 0
    latest = min(began + LONGEST_SECONDS, ends)
    for piece in pieces:
        size += len(piece)
        if size > LARGEST_BYTES:
            raise StrangeAnswerError(f"it is longer than {LARGEST_BYTES // 2**20} MiB")
        now = time.monotonic()
        if now > latest:
            raise StrangeAnswerError(f"it has not ended after {latest - began:g} s")
        if now > began + TRICKLE_SECONDS and size < SLOWEST * (now - began):
            raise StrangeAnswerError(f"only {size:,} bytes of it came in {now - began:.0f} s")
        held.append(piece)
    return b"".join(held)


def parsed(data: bytes) -> Object:
    """A JSON object. Errors: StrangeAnswerError for anything else."""
    try:
        content: Any = json.loads(data.decode("utf-8", "replace"))
        if b"\\ud" in data.lower():
            # An escaped half of a character (a lone surrogate) cannot be printed.
            whole = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
            content = json.loads(whole)
    except (ValueError, RecursionError) as wrong:
        raise StrangeAnswerError(f"it is no JSON: {quoted(data)}") from wrong
    if not isinstance(content, dict):
        raise StrangeAnswerError(f"it is no JSON object: {quoted(data)}")
    return dict(content)


def one(kind: str, content: Object) -> Object:
    """An object of a kind; every field that raykit reads has the right type.

    Errors: StrangeAnswerError naming the field that does not.
    """
    try:
        return dict(checked(content, SHAPES[kind], kind))
    except MalformedError as wrong:
        raise StrangeAnswerError(str(wrong)) from wrong


def items(kind: str, content: Object) -> list[Object]:
    """The objects of a list. Errors: StrangeAnswerError as for `one`."""
    entries: Any = content.get("items") or []
    if not isinstance(entries, list):
        raise StrangeAnswerError("items is not a list")
    return [one(kind, item) for item in entries]


def next_page(content: Object) -> str | None:
    """The `continue` token of the next page of a list; None on the last page."""
    metadata = content.get("metadata")
    word = metadata.get("continue") if isinstance(metadata, dict) else None
    return word if isinstance(word, str) and word else None


def message(data: bytes) -> str | None:
    """The message of a Kubernetes `Status`; None if the answer is something else."""
    try:
        content = parsed(data)
    except StrangeAnswerError:
        return None
    if content.get("kind") != "Status":
        return None
    text = content.get("message")
    return text if isinstance(text, str) and text else str(content.get("reason") or "no reason")


def quoted(data: bytes) -> str:
    """The first 200 characters of an answer, on one line."""
    text = " ".join(data[: 4 * QUOTED].decode("utf-8", "replace").split())
    return text[:QUOTED] + ("…" if len(text) > QUOTED or len(data) > 4 * QUOTED else "")
