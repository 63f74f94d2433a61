"""Finds secrets in texts: where each begins and ends, and what the end of a text may cut."""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import AnyStr

FEW = 16
"""So many secrets are found faster one by one than all at once."""
BLOCK = 1 << 14
"""So many places are looked at between two looks at the clock."""


class NotRedactedError(Exception):
    """A value was not redacted, and must not be shown or kept; the text says why."""


class Finder:
    """Finds secrets in texts.

    Of secrets that begin at the same place, the longest is found, and the next one begins behind
    it. A few secrets are looked for one by one. For many, short pieces of the text are looked up
    among theirs, which takes as long for 10,000 as for 1,000 (benchmarks/redaction.py).
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self.secrets = frozenset(secret for secret in secrets if secret)
        self.longest = max(map(len, self.secrets), default=0)
        self.is_few = len(self.secrets) <= FEW
        if not self.is_few:
            self._arrange()

    def spans(self, text: str, deadline: float = math.inf) -> Iterator[tuple[int, int]]:
        """Where secrets begin and end, in order. Errors: NotRedactedError after the deadline."""
        return self._few(text, deadline) if self.is_few else self._many(text, deadline)

    def replaced(self, text: str, by: str, deadline: float = math.inf) -> str:
        """The text with every secret replaced. Errors: NotRedactedError after the deadline."""
        pieces, done = [], 0
        for start, end in self.spans(text, deadline):
            pieces += [text[done:start], by]
            done = end
        return "".join([*pieces, text[done:]]) if pieces else text

    def first_cut(self, text: str, position: int) -> int:
        """Where, from a position on, the end of the text may cut a secret; else its length."""
        first = max(position, len(text) - self.longest + 1)
        if self.is_few:
            places = (beginning(text, secret, first) for secret in self.secrets)
            return min(places, default=len(text))
        return next((at for at in range(first, len(text)) if self._may_begin(text, at)), len(text))

    def _few(self, text: str, deadline: float) -> Iterator[tuple[int, int]]:
        places = {secret: text.find(secret) for secret in self.secrets if secret in text}
        while places:
            start, size = min((place, -len(secret)) for secret, place in places.items())
            done = start - size
            yield start, done
            for secret in [secret for secret, place in places.items() if place < done]:
                check(deadline)
                places[secret] = text.find(secret, done)
            places = {secret: place for secret, place in places.items() if place >= 0}

    def _arrange(self) -> None:
        """Prepare to look for many secrets: wherever one begins, the next place that `step`
        divides has one of its `pieces`."""
        shortest = min(map(len, self.secrets))
        self.piece = max(min(shortest, 4), min(shortest // 2, 8))
        self.step = min(shortest - self.piece + 1, 8)
        starts = range(self.step)
        self.pieces = {secret[at : at + self.piece] for secret in self.secrets for at in starts}
        self.ordered = sorted(self.secrets)
        self.begins = {secret[: self.piece] for secret in self.secrets}
        self.shorter = _beginnings(self.ordered)

    def _many(self, text: str, deadline: float) -> Iterator[tuple[int, int]]:
        done, piece, step, pieces = 0, self.piece, self.step, self.pieces
        for first in range(0, len(text), step * BLOCK):
            check(deadline)
            places = range(first, min(first + step * BLOCK, len(text)), step)
            for last in [place for place in places if text[place : place + piece] in pieces]:
                for start in range(max(done, last - step + 1), last + 1):
                    if start >= done and (size := self._size(text, start, deadline)):
                        done = start + size
                        yield start, done

    def _size(self, text: str, start: int, deadline: float) -> int:
        """The length of the longest secret at a place; 0 if there is none."""
        if text[start : start + self.piece] not in self.begins:
            return 0
        check(deadline)
        rest = text[start : start + self.longest]
        after = bisect_right(self.ordered, rest)
        secret = self.ordered[after - 1] if after else ""
        while not rest.startswith(secret):
            secret = self.shorter[secret]
        return len(secret)

    def _may_begin(self, text: str, start: int) -> bool:
        """Whether the end of a text, from a place on, is the beginning of a longer secret."""
        if len(text) - start >= self.piece and text[start : start + self.piece] not in self.begins:
            return False
        rest = text[start:]
        after = bisect_right(self.ordered, rest)
        return after < len(self.ordered) and self.ordered[after].startswith(rest)


def _beginnings(ordered: Sequence[str]) -> dict[str, str]:
    """Of sorted secrets, the longest other one that each begins with; empty if there is none."""
    shorter: dict[str, str] = {}
    above: list[str] = []
    for secret in ordered:
        while above and not secret.startswith(above[-1]):
            above.pop()
        shorter[secret] = above[-1] if above else ""
        above.append(secret)
    return shorter


def beginning(data: AnyStr, text: AnyStr, first: int = 0) -> int:
    """Where, from `first` on, the end of the data cuts `text`; else the length of the data."""
    start = data.find(text[:1], max(first, len(data) - len(text) + 1))
    while start >= 0:
        if text.startswith(data[start:]):
            return start
        start = data.find(text[:1], start + 1)
    return len(data)


def check(deadline: float) -> None:
    """Errors: NotRedactedError after the deadline."""
    if time.monotonic() > deadline:
        raise NotRedactedError("no time was left to look for secrets in it")
