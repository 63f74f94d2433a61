"""What the values of one column are, for all lines of a file at once."""

from __future__ import annotations

import sys

from jobs.gsod_counts import COLD, Question

WORD = 8
KEPT = 100_000
USUAL_WIDTH = 6
"""NOAA writes temperatures as `%6.1f`."""


class Values:
    """Tells the kind of each value, and remembers the kinds of those it has seen."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self._kinds: dict[int, Kinds] = {}
        self._cold = bytes(each for each in b" -0123456789" if self._is_cold(each))

    def _is_cold(self, character: int) -> bool:
        """Whether `  ?0.0` to `  ?9.9` are all valid and not asked for."""
        ends = (f"  {character:c}0.0", f"  {character:c}9.9")
        return all(self.question.classify(text) == COLD for text in ends)

    def kinds(self, body: bytes, at: int, step: int, width: int) -> bytes | None:
        """COLD, HIT, MISSING or REFUSED of each line's value, one byte a line; b"" where all are
        COLD; None for a column that is too wide."""
        parts = [body[at + place :: step] for place in range(width)]
        if width == USUAL_WIDTH and self._all_cold(parts):
            return b""
        if not 0 < width <= WORD:
            return None
        if width not in self._kinds:
            self._kinds[width] = Kinds(self.question, width)
        joined = bytearray(WORD * len(parts[0]))
        for place, part in enumerate(parts):
            joined[place::WORD] = part
        known = self._kinds[width]
        return bytes(map(known.__getitem__, memoryview(joined).cast("Q").tolist()))

    def _all_cold(self, parts: list[bytes]) -> bool:
        """Whether all are `  ?d.d` with a tens digit that cannot answer the question."""
        thousands, hundreds, tens, ones, point, tenths = parts
        blank = b" " * len(tens)
        return (
            thousands == blank
            and hundreds == blank
            and not tens.translate(None, self._cold)
            and ones.isdigit()
            and tenths.isdigit()
            and point == b"." * len(tens)
        )


class Kinds(dict[int, int]):
    """The kind of each value met so far, by the value's bytes as one integer."""

    def __init__(self, question: Question, width: int) -> None:
        super().__init__()
        self.question, self.width = question, width

    def __missing__(self, word: int) -> int:
        if len(self) >= KEPT:
            self.clear()
        text = word.to_bytes(WORD, sys.byteorder)[: self.width].decode("latin-1")
        kind = self[word] = self.question.classify(text)
        return kind
