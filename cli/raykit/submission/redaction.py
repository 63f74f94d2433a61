"""Known secrets are replaced in a stream of bytes, wherever its chunks were cut."""

from __future__ import annotations

from collections.abc import Sequence

REPLACEMENT = b"[redacted]"


class Redactor:
    """Feed chunks in order; what comes out never holds a secret, and lags as little as can be.

    The result depends on the bytes alone, not on how they were cut into chunks.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self.secrets = [secret.encode() for secret in secrets if secret]
        self.held = b""

    def feed(self, chunk: bytes) -> bytes:
        """The bytes that are safe to show now."""
        data = self.held + chunk
        for secret in self.secrets:
            data = data.replace(secret, REPLACEMENT)
        keep = max((_overlap(data, secret) for secret in self.secrets), default=0)
        self.held = data[len(data) - keep :]
        return data[: len(data) - keep]

    def end(self) -> bytes:
        """What was held back because a secret could have begun there."""
        rest, self.held = self.held, b""
        return rest


def _overlap(data: bytes, secret: bytes) -> int:
    """Length of the longest end of `data` with which `secret` begins."""
    longest = min(len(data), len(secret) - 1)
    return next((size for size in range(longest, 0, -1) if data.endswith(secret[:size])), 0)
