"""Replace secrets in everything that leaves raykit: texts, JSON data and streams of bytes.

    learn(token)          remembers a secret; every Endpoint calls it for its own
    learn_from(value)     the same for variables in JSON data whose names say that they are secret
    redacted(value)       a text, or JSON data, without secrets and without passwords in URLs
    plain(text)           the same for a text that is shown: control characters are spelled out too
    Redactor()            the same for a stream of bytes, such as a job's log

A process forgets no secret: older text may still contain one that has since been renewed.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import threading
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast
from urllib.parse import quote, quote_plus

from raykit.redaction.finder import Finder, NotRedactedError, check

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
        forms = dict.fromkeys(form for secret in secrets for form in _forms(secret))
        for form in _known:
            forms.pop(form, None)
        if forms:
            _known = (*_known, *forms)


OF_VARIABLES = ("env_vars", "rayStartParams")

MOST_FORMS, MOST_CHARACTERS = 100_000, 16 << 20
"""Of all secrets, where a head teaches them: more would take too much time and memory."""


def learn_from(value: object) -> None:
    """Remember the secret variables in JSON data, also in JSON that stands in it as a text.

    They are those of runtime environments (`env_vars`), of containers (`name` and `value`), and the
    options of `ray start`.
    Errors: NotRedactedError if there are too many to look for.
    """
    values: dict[str, None] = {}
    _find_variables(value, values)
    lines = sum(1 + len(text.splitlines()) for text in values)
    size = sum(map(len, values)) + sum(map(len, _known))
    if lines + len(_known) > MOST_FORMS or size > MOST_CHARACTERS:
        raise NotRedactedError("there are too many secret variables to look for")
    learn(*values)


def known() -> tuple[str, ...]:
    """All forms of all secrets learned so far; another tuple object when there are more."""
    return _known


def redacted(value: Value, *, kept: Container[str] = (), deadline: float = math.inf) -> Value:
    """A copy of the value with every secret replaced.

    value: a text, or lists, tuples and dictionaries of texts; others are returned as they are.
    kept: keys of dictionaries that stay as they are. deadline: monotonic seconds.
    Errors: NotRedactedError after the deadline.
    """
    return cast(Value, _Cleaner(_finder(), kept, deadline).clean(value))


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
        self.held = ""
        self.source = secrets
        self.learned: Sequence[str] | None = None
        self._refresh()

    def feed(self, chunk: bytes) -> bytes:
        """Take the next chunk; return the bytes that are safe to show now."""
        self._refresh()
        if not self.finder.secrets:
            return chunk
        # Latin-1 makes one character of each byte.
        data, safe, done = self.held + chunk.decode("latin-1"), [], 0
        undecided = self.finder.first_cut(data, 0)
        for start, end in self.finder.spans(data):
            # More bytes could still show a longer secret, or an earlier one.
            if start >= undecided:
                break
            safe += [data[done:start], REPLACEMENT]
            done = end
            if done > undecided:
                undecided = self.finder.first_cut(data, done)
        self.held = data[undecided:]
        return "".join([*safe, data[done:undecided]]).encode("latin-1")

    def end(self) -> bytes:
        """The bytes that were held back because they could have been the start of a secret."""
        rest, self.held = self.held, ""
        return self.finder.replaced(rest, REPLACEMENT).encode("latin-1")

    def _refresh(self) -> None:
        secrets = self.source()
        if secrets is not self.learned:
            self.learned = secrets
            encoded = (secret.encode("utf-8", "surrogatepass") for secret in secrets)
            self.finder = Finder(secret.decode("latin-1") for secret in encoded)


@dataclass(frozen=True)
class _Cleaner:
    """Redacts a value. finder: of its secrets; kept, deadline: as for `redacted`."""

    finder: Finder
    kept: Container[str]
    deadline: float

    def clean(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.key(key): self.clean(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.clean(item) for item in value]
        return tuple(map(self.clean, value)) if isinstance(value, tuple) else value

    def key(self, key: object) -> object:
        return self.text(key) if isinstance(key, str) and key not in self.kept else key

    def text(self, text: str) -> str:
        check(self.deadline)
        text = self.finder.replaced(text, REPLACEMENT, self.deadline)
        return URL_CREDENTIALS.sub(f"{REPLACEMENT}@", text) if "://" in text else text


_made: tuple[tuple[str, ...], Finder] = (), Finder(())


def _finder() -> Finder:
    """The finder of all known secrets; another one only when there are more of them."""
    global _made
    secrets, made = _known, _made
    if made[0] is not secrets:
        _made = made = secrets, Finder(secrets)
    return made[1]


def _secret_values(variables: Mapping[str, object]) -> list[str]:
    """The values of variables whose names say that they are secret."""
    values = [value for name, value in variables.items() if SECRET_NAME.search(name)]
    return [value for value in values if isinstance(value, str) and len(value) >= SHORTEST_VALUE]


def _find_variables(value: object, values: dict[str, None]) -> None:
    """Put the values of all secret variables in JSON data into `values`."""
    with contextlib.suppress(RecursionError):
        if isinstance(value, dict):
            groups = [value[key] for key in OF_VARIABLES if isinstance(value.get(key), dict)]
            if isinstance(value.get("name"), str):
                groups.append({value["name"]: value.get("value")})
            for variables in groups:
                values |= dict.fromkeys(_secret_values(variables))
            for item in value.values():
                _find_variables(item, values)
        elif isinstance(value, list):
            for item in value:
                _find_variables(item, values)
        elif isinstance(value, str) and value.startswith("{") and "env_vars" in value:
            with contextlib.suppress(ValueError):
                _find_variables(json.loads(value), values)


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
