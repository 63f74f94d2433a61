"""What the values of one column are, for all lines of a file at once."""

from __future__ import annotations

import sys
from binascii import unhexlify

from jobs.gsod_counts import HIT, MISSING, REFUSED, Question
from jobs.gsod_layout import ALL_ARE, pairs

WORD = 8
KEPT = 100_000
USUAL_WIDTH = 6
"""NOAA writes temperatures as `%6.1f`."""

ALL_BLANK, ALL_POINTS = ALL_ARE[ord(" ")], ALL_ARE[ord(".")]
LEADING = "0123456789 -"
"""What may stand for hundreds and tens; as hexadecimal digits: 0 to 9, a, b, and f for others."""

TO_HEX = bytes(
    b"0123456789ab"[LEADING.index(chr(each))] if chr(each) in LEADING else ord("f")
    for each in range(256)
)
IF_FILLED = bytes(0 if each == ord(" ") else REFUSED for each in range(256))
"""REFUSED has every bit that a kind may have, so that or-ing it onto any gives REFUSED."""

SINGLE_OUT_AT_MOST = 20


class Values:
    """Tells the kind of each value, and remembers the kinds of those it has seen."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self._kinds: dict[int, Kinds] = {}
        self._by_tens = bytes(map(self._kind_of_tens, range(256)))

    def _kind_of_tens(self, code: int) -> int:
        """The kind of all values with these hundreds and tens; REFUSED where they differ."""
        hundreds, tens = divmod(code, 16)
        if max(hundreds, tens) >= len(LEADING):
            return REFUSED
        start = f" {LEADING[hundreds]}{LEADING[tens]}"
        kinds = {self.question.classify(f"{start}{rest}") for rest in ("0.0", "9.9")}
        return kinds.pop() if len(kinds) == 1 else REFUSED

    def kinds(self, content: bytes, column: slice, step: int) -> bytes | None:
        """COLD, HIT, MISSING or REFUSED of each line's value, one byte a line.

        b"" where all are COLD; None for a column that is too wide.
        """
        width = column.stop - column.start
        if not 0 < width <= WORD:
            return None
        parts = [content[at::step] for at in range(column.start, column.stop)]
        kinds = self._usual(parts) if width == USUAL_WIDTH else b""
        if not kinds or kinds.count(REFUSED) > SINGLE_OUT_AT_MOST:
            return self._each(parts, width)
        if REFUSED in kinds:
            kinds = self._single_out(kinds, parts)
        return kinds if HIT in kinds or MISSING in kinds or REFUSED in kinds else b""

    def _usual(self, parts: list[bytes]) -> bytes:
        """The kinds of values that read ` ??d.d`, by their hundreds and tens.

        REFUSED for those that have something before, or whose kind depends on the rest; b"" where
        any has another form behind.
        """
        thousands, hundreds, tens, ones, point, tenths = parts
        if not (ALL_POINTS(point) and ones.isdigit() and tenths.isdigit()):
            return b""
        leading = pairs(hundreds.translate(TO_HEX), tens.translate(TO_HEX))
        kinds = unhexlify(leading).translate(self._by_tens)
        if ALL_BLANK(thousands):
            return kinds
        filled = int.from_bytes(thousands.translate(IF_FILLED), "little")
        return (int.from_bytes(kinds, "little") | filled).to_bytes(len(kinds), "little")

    def _single_out(self, kinds: bytes, parts: list[bytes]) -> bytes:
        """The same kinds, with those that are REFUSED judged by the whole value."""
        judged, line = bytearray(kinds), kinds.find(REFUSED)
        while line >= 0:
            text = bytes(part[line] for part in parts).decode("latin-1")
            judged[line] = self.question.classify(text)
            line = kinds.find(REFUSED, line + 1)
        return bytes(judged)

    def _each(self, parts: list[bytes], width: int) -> bytes:
        joined = bytearray(WORD * len(parts[0]))
        for place, part in enumerate(parts):
            joined[place::WORD] = part
        if width not in self._kinds:
            self._kinds[width] = Kinds(self.question, width)
        known = self._kinds[width]
        return bytes(map(known.__getitem__, memoryview(joined).cast("Q").tolist()))


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
