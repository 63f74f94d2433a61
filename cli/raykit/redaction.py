"""Replace secrets in everything that leaves raykit: texts, JSON data and streams of bytes.

    learn(token)          remembers a secret; every Endpoint calls it for its own
    learn_variables(env)  the same for environment variables whose names say that they are secret
    learn_from(value)     the same for all variables that stand somewhere in JSON data
    redacted(value)       a text, or JSON data, without secrets and without passwords in URLs
    plain(text)           the same for a text that is shown: control characters are spelled out too
    Redactor()            the same for a stream of bytes, such as a job's log

A process forgets no secret: older text may still contain one that has since been renewed.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast
from urllib.parse import quote, quote_plus

REPLACEMENT = "[redacted]"
SHORTEST = 4
"""Shorter texts protect nothing, and replacing them would garble the output."""
SHORTEST_LINE = 8
"""Each line of a secret is a secret too, except short ones such as `}` in a key file."""

SECRET_NAME = re.compile(
    r"passw|passphrase|_pwd$|secret|token|credential|private|"
    r"(?:api|access|account|encryption|master|shared|signing|storage)_?key",
    re.IGNORECASE,
)
SHORTEST_VALUE = 8
"""Shorter values of such variables are settings, such as `true`."""

URL_CREDENTIALS = re.compile(r"""(?<=://)[^\s/?#"'<>]+@""")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that a screen obeys instead of showing; tabs and line ends are harmless."""

Value = TypeVar("Value")

_learning = threading.Lock()
_known: tuple[str, ...] = ()


def learn(*secrets: str) -> None:
    """Remember secrets, with the forms that they take in URLs, JSON and error messages."""
    global _known
    with _learning:
        forms = [form for secret in secrets for form in _forms(secret)]
        _known = tuple(dict.fromkeys((*_known, *forms)))


def learn_variables(variables: Mapping[str, object]) -> None:
    """Remember the values of environment variables whose names say that they are secret."""
    named = {name: value for name, value in variables.items() if SECRET_NAME.search(name)}
    values = [value for value in named.values() if isinstance(value, str)]
    learn(*(value for value in values if len(value) >= SHORTEST_VALUE))


OF_VARIABLES = ("env_vars", "rayStartParams")


def learn_from(value: object) -> None:
    """Remember the secret variables in JSON data, also in JSON that stands in it as a text.

    They are those of runtime environments (`env_vars`), of containers (`name` and `value`), and the
    options of `ray start`.
    """
    with contextlib.suppress(RecursionError):
        if isinstance(value, dict):
            for key in OF_VARIABLES:
                if isinstance(value.get(key), dict):
                    learn_variables(value[key])
            if isinstance(value.get("name"), str):
                learn_variables({value["name"]: value.get("value")})
            for item in value.values():
                learn_from(item)
        elif isinstance(value, list):
            for item in value:
                learn_from(item)
        elif isinstance(value, str) and value.startswith("{") and "env_vars" in value:
            with contextlib.suppress(ValueError):
                learn_from(json.loads(value))


def known() -> tuple[str, ...]:
    """All forms of all secrets learned so far; a new tuple object whenever `learn` is called."""
    return _known


def redacted(value: Value) -> Value:
    """A copy of the value with every secret replaced.

    value: a text, or lists, tuples and dictionaries of texts; others are returned as they are.
    """
    return cast(Value, _redacted(value))


def plain(text: str) -> str:
    """The text without secrets, and with control characters spelled out: ESC becomes `\\x1b`."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), redacted(text))


class Redactor:
    """Redacts a stream of bytes that comes in chunks, and holds back as few bytes as it can.

    Where several secrets begin at the same byte, the longest is replaced. The result depends only
    on the bytes, not on how they are split into chunks. secrets: called at every chunk; it must
    return the same object as long as the secrets are the same.
    """

    def __init__(self, secrets: Callable[[], Sequence[str]] = known) -> None:
        self.held = b""
        self.source = secrets
        self.learned: Sequence[str] | None = None
        self._refresh()

    def feed(self, chunk: bytes) -> bytes:
        """Take the next chunk; return the bytes that are safe to show now."""
        self._refresh()
        if not self.secrets:
            return chunk
        data, safe, done = self.held + chunk, [], 0
        while match := self._next(data, done):
            safe += [data[done : match.start()], REPLACEMENT.encode()]
            done = match.end()
        undecided = self._undecided(data, done)
        self.held = data[undecided:]
        return b"".join([*safe, data[done:undecided]])

    def end(self) -> bytes:
        """The bytes that were held back because they could have been the start of a secret."""
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
        """The next secret; None if more bytes could still show a longer or an earlier one."""
        # Almost no chunk contains a secret, and this test is faster than the pattern.
        if not any(secret in data for secret in self.secrets):
            return None
        match = self.pattern.search(data, position)
        return match if match and match.start() < self._undecided(data, position) else None

    def _undecided(self, data: bytes, position: int) -> int:
        """The position of the first secret that the end of the data may have cut."""
        first = max(position, len(data) - self.longest + 1)
        starts = (beginning(data, secret, first) for secret in self.secrets)
        return min(starts, default=len(data))


def beginning(data: bytes, text: bytes, first: int = 0) -> int:
    """The position, from `first` on, of a beginning of `text` that the end of the data cuts.

    Returns the length of the data if there is none.
    """
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
    """A secret, its lines, and both as they look in URLs, JSON and error messages."""
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
