"""Secrets stay inside: every text, value and stream of bytes that leaves raykit passes here.

    learn(token)          where a secret enters the process; every Endpoint does this by itself
    redacted(value)       a text, or JSON data, without the secrets and without URLs' passwords
    Redactor()            the same for a stream of bytes, such as a job's log

A process forgets no secret: one that was renewed since may still stand in an older text.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar, cast
from urllib.parse import quote, quote_plus

REPLACEMENT = "[redacted]"
SHORTEST = 4
"""A text of fewer characters guards nothing, and replacing it would garble what is shown."""
SHORTEST_LINE = 8
"""Lines of a secret are secrets too, but for short ones such as `}` in a key file."""

URL_CREDENTIALS = re.compile(r"""(?<=://)[^\s/?#"'<>]+@""")

Value = TypeVar("Value")

_learning = threading.Lock()
_known: tuple[str, ...] = ()


def learn(*secrets: str) -> None:
    """Remember texts that must never leave this process, in every form that they may take."""
    global _known
    with _learning:
        forms = [form for secret in secrets for form in _forms(secret)]
        _known = tuple(dict.fromkeys((*_known, *forms)))


def known() -> tuple[str, ...]:
    """All forms of all secrets learned so far; another object once there are more."""
    return _known


def redacted(value: Value) -> Value:
    """The value with every secret replaced: a text, or lists and dictionaries of texts."""
    return cast(Value, _redacted(value))


class Redactor:
    """Feed chunks in order; what comes out never holds a secret, and lags as little as can be.

    Of secrets that begin at the same byte the longest is replaced. The result depends on the
    bytes alone, not on how they were cut into chunks. `secrets` is called at every chunk: it
    must return the same object as long as the secrets are the same.
    """

    def __init__(self, secrets: Callable[[], Sequence[str]] = known) -> None:
        self.held = b""
        self.source = secrets
        self.learned: Sequence[str] | None = None
        self._refresh()

    def feed(self, chunk: bytes) -> bytes:
        """The bytes that are safe to show now."""
        self._refresh()
        if not self.secrets:
            return chunk
        data, safe, done = self.held + chunk, [], 0
        while found := self._next(data, done):
            safe += [data[done : found.start()], REPLACEMENT.encode()]
            done = found.end()
        undecided = self._undecided(data, done)
        self.held = data[undecided:]
        return b"".join([*safe, data[done:undecided]])

    def end(self) -> bytes:
        """What was held back because a secret could have begun there."""
        rest, self.held = self.held, b""
        return self.pattern.sub(REPLACEMENT.encode(), rest) if self.secrets else rest

    def _refresh(self) -> None:
        secrets = self.source()
        if secrets is self.learned:
            return
        self.learned = secrets
        encoded = {secret.encode("utf-8", "surrogatepass") for secret in secrets if secret}
        self.secrets = sorted(encoded, key=lambda secret: (-len(secret), secret))
        self.pattern = re.compile(b"|".join(map(re.escape, self.secrets)))
        self.longest = max(map(len, self.secrets), default=0)

    def _next(self, data: bytes, position: int) -> re.Match[bytes] | None:
        """The next secret, unless more bytes could make it a longer one, or an earlier."""
        # Nearly no chunk holds a secret, and this test is faster than the pattern.
        if not any(secret in data for secret in self.secrets):
            return None
        found = self.pattern.search(data, position)
        return found if found and found.start() < self._undecided(data, position) else None

    def _undecided(self, data: bytes, position: int) -> int:
        """Where the first secret could begin that the data's end may have cut."""
        first = max(position, len(data) - self.longest + 1)
        starts = (beginning(data, secret, first) for secret in self.secrets)
        return min(starts, default=len(data))


def beginning(data: bytes, text: bytes, first: int = 0) -> int:
    """Where, from `first` on, the data ends within the text; the data's length if nowhere."""
    start = data.find(text[:1], max(first, len(data) - len(text) + 1))
    while start >= 0:
        if text.startswith(data[start:]):
            return start
        start = data.find(text[:1], start + 1)
    return len(data)


def _redacted(value: object) -> object:
    if isinstance(value, str):
        return _redacted_text(value)
    if isinstance(value, dict):
        return {_redacted(key): _redacted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return tuple(map(_redacted, value)) if isinstance(value, tuple) else value


def _redacted_text(text: str) -> str:
    secrets = sorted((secret for secret in known() if secret in text), key=len, reverse=True)
    if secrets:
        text = re.sub("|".join(map(re.escape, secrets)), REPLACEMENT, text)
    return URL_CREDENTIALS.sub(f"{REPLACEMENT}@", text) if "://" in text else text


def _forms(secret: str) -> list[str]:
    """A secret as it is, and as it stands in addresses, JSON and error messages."""
    lines = [line for line in secret.splitlines() if len(line) >= SHORTEST_LINE]
    plain = [text for text in (secret, secret.strip(), *lines) if len(text.strip()) >= SHORTEST]
    escaped = [
        form
        for text in plain
        for form in (
            json.dumps(text)[1:-1],
            json.dumps(text, ensure_ascii=False)[1:-1],
            repr(text)[1:-1],
            quote(text, safe="", errors="replace"),
            quote_plus(text, errors="replace"),
        )
    ]
    return [*plain, *escaped]
