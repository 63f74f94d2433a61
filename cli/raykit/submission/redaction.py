"""Known secrets are replaced in a stream of bytes, wherever its chunks were cut."""

from __future__ import annotations

import re
from collections.abc import Sequence

REPLACEMENT = b"[redacted]"


class Redactor:
    """Feed chunks in order; what comes out never holds a secret, and lags as little as can be.

    Of secrets that begin at the same byte the longest is replaced. The result depends on the
    bytes alone, not on how they were cut into chunks.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self.held = b""
        self.given: Sequence[str] = ()
        self.learn(secrets)

    def learn(self, secrets: Sequence[str]) -> None:
        """These are the secrets from here on; the caller keeps the old ones among them."""
        if secrets is self.given and self.given:
            return
        self.given = secrets
        known = {secret.encode() for secret in secrets if secret}
        self.secrets = sorted(known, key=lambda secret: (-len(secret), secret))
        self.pattern = re.compile(b"|".join(map(re.escape, self.secrets)))
        self.longest = max(map(len, self.secrets), default=0)

    def feed(self, chunk: bytes) -> bytes:
        """The bytes that are safe to show now."""
        if not self.secrets:
            return chunk
        data, safe, done = self.held + chunk, [], 0
        while found := self._next(data, done):
            safe += [data[done : found.start()], REPLACEMENT]
            done = found.end()
        undecided = self._undecided(data, done)
        self.held = data[undecided:]
        return b"".join([*safe, data[done:undecided]])

    def end(self) -> bytes:
        """What was held back because a secret could have begun there."""
        rest, self.held = self.held, b""
        return self.pattern.sub(REPLACEMENT, rest) if self.secrets else rest

    def text(self, text: str) -> str:
        """A whole text without the secrets."""
        return (self.feed(text.encode()) + self.end()).decode("utf-8", "replace")

    def _next(self, data: bytes, position: int) -> re.Match[bytes] | None:
        """The next secret, unless more bytes could make it a longer one, or an earlier."""
        if not any(secret in data for secret in self.secrets):  # nearly always, and found out fast
            return None
        found = self.pattern.search(data, position)
        return found if found and found.start() < self._undecided(data, position) else None

    def _undecided(self, data: bytes, position: int) -> int:
        """Where the first secret could begin of which the data ends too early to tell."""
        first = max(position, len(data) - self.longest + 1)
        return min((_beginning(data, secret, first) for secret in self.secrets), default=len(data))


def _beginning(data: bytes, secret: bytes, first: int) -> int:
    """Where, from `first` on, the data ends within this secret; the data's length if nowhere."""
    start = data.find(secret[:1], max(first, len(data) - len(secret) + 1))
    while start >= 0:
        if secret.startswith(data[start:]):
            return start
        start = data.find(secret[:1], start + 1)
    return len(data)
