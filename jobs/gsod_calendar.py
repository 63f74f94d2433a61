"""The days of one year as they stand in a file's DATE column, found for all lines at once."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from jobs.gsod_counts import days_of

Bits = Iterable[int]
"""The bit of each line's day; may be gone through once."""

DATE_BYTES = 10
FIXED = (0, 1, 2, 3, 4, 7)
"""Places of the year and the two hyphens."""

MOVING = (9, 8, 6, 5)
"""Places of day and month; the last digit is the first to tell a gap."""


class Calendar:
    """Knows every day of a year by its bytes."""

    def __init__(self, year: int) -> None:
        days = [(text.encode(), 1 << bit) for text, bit in sorted(days_of(year).items())]
        self._number = {text: number for number, (text, _) in enumerate(days)}
        self._bits = [bit for _, bit in days]
        self._upto = [sum(self._bits[:number]) for number in range(len(days) + 1)]
        self._columns = [bytes(text[at] for text, _ in days) for at in range(DATE_BYTES)]
        self._by_word = {_word(bytes(text[at] for at in MOVING)): bit for text, bit in days}
        self._all = frozenset(self._by_word)

    def days(self, content: bytes, at: int, step: int) -> tuple[int, Bits] | None:
        """All days together, and the bit of each line's day, for a DATE column that begins at `at`.

        None unless every line has a day of this year and no day comes twice.
        """
        first = self._number.get(content[at : at + DATE_BYTES])
        if first is None:
            return None
        for place in FIXED:
            part = content[at + place :: step]
            if not self._columns[place].startswith(part):
                return None
        moving = [content[at + place :: step] for place in MOVING]
        stop = first + len(moving[0])
        for place, part in zip(MOVING, moving, strict=True):
            if not self._columns[place].startswith(part, first):
                return self._scattered(moving)
        return self._upto[stop] - self._upto[first], self._bits[first:stop]

    def _scattered(self, moving: list[bytes]) -> tuple[int, Bits] | None:
        lines = len(moving[0])
        joined = bytearray(len(MOVING) * lines)
        for place, part in enumerate(moving):
            joined[place :: len(MOVING)] = part
        words = memoryview(joined).cast("I").tolist()
        absent = self._all.difference(words)
        # As many days are left over as lines are missing only if all lines are different days.
        if len(absent) + lines != len(self._bits):
            return None
        seen = self._upto[-1] - sum(map(self._by_word.__getitem__, absent))
        return seen, map(self._by_word.__getitem__, words)


def _word(moving: bytes) -> int:
    return int.from_bytes(moving, sys.byteorder)
