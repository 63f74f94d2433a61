"""The days of one year as they stand in a file's DATE column, found for all lines at once."""

from __future__ import annotations

from binascii import Error, unhexlify
from calendar import monthrange

from jobs.gsod_counts import days_of
from jobs.gsod_layout import pairs

DATE_BYTES = 10
FIXED = (0, 1, 2, 3, 4, 7)
"""Places of the year and the two hyphens."""

MOVING = (9, 8, 6, 5)
"""Places of day and month; the last digit is the first to tell a gap."""

PATTERNS_KEPT = 1_000

Days = tuple[int, list[int]]
"""All days together, and the bit of each line's day where that was wanted."""


class Calendar:
    """Knows every day of a year by its bytes."""

    def __init__(self, year: int) -> None:
        days = [(text.encode(), 1 << bit) for text, bit in sorted(days_of(year).items())]
        self._number = {text: number for number, (text, _) in enumerate(days)}
        self._bits = [bit for _, bit in days]
        self._upto = [sum(self._bits[:number]) for number in range(len(days) + 1)]
        self._columns = [bytes(text[at] for text, _ in days) for at in range(DATE_BYTES)]
        months = [Month(year, month) for month in range(1, 13)]
        self._months = [(each.code, each.block, each.patterns, each) for each in months]

    def days(self, content: bytes, at: int, step: int, wanted: bool) -> Days | None:
        """The days of a DATE column that begins at `at`, those of each line only where wanted.

        None unless every line has a day of this year, no day comes twice, and months come in order.
        """
        first = self._number.get(content[at : at + DATE_BYTES])
        if first is None:
            return None
        for place in FIXED:
            if not self._columns[place].startswith(content[at + place :: step]):
                return None
        moving = [content[at + place :: step] for place in MOVING]
        for place, part in zip(MOVING, moving, strict=True):
            if not self._columns[place].startswith(part, first):
                return self._by_month(moving, wanted)
        stop = first + len(moving[0])
        return self._upto[stop] - self._upto[first], self._bits[first:stop] if wanted else []

    def _by_month(self, moving: list[bytes], wanted: bool) -> Days | None:
        """Days with gaps, month by month: many files have the same days in a month."""
        ones, tens, month_ones, month_tens = moving
        try:
            months = unhexlify(pairs(month_tens, month_ones))
            days = unhexlify(pairs(tens, ones))
        except Error:
            return None
        seen, bits, blocks, at = 0, list[int](), [], 0
        for code, block, patterns, month in self._months:
            lines = months.count(code)
            if lines:
                codes = days[at : at + lines]
                found = patterns.get(codes) or month.learn(codes)
                if found is None:
                    return None
                seen += found[0]
                if wanted:
                    bits += found[1]
                blocks.append(block[:lines])
                at += lines
        return (seen, bits) if b"".join(blocks) == months else None


class Month:
    """One month, and the sets of its days that were met so far.

    Two digits are held in one byte, as a hexadecimal number.
    """

    def __init__(self, year: int, month: int) -> None:
        self.code = int(str(month), 16)
        self.block = bytes([self.code]) * 31
        numbers = days_of(year)
        self._bit = {
            int(str(day), 16): 1 << numbers[f"{year:04}-{month:02}-{day:02}"]
            for day in range(1, monthrange(year, month)[1] + 1)
        }
        self.patterns: dict[bytes, Days] = {}

    def learn(self, codes: bytes) -> Days | None:
        """The days with these codes; None unless all are days of the month, each once."""
        try:
            bits = list(map(self._bit.__getitem__, codes))
        except KeyError:
            return None
        seen = sum(bits)
        # A sum of powers of two has as many ones as it has terms only if all of them differ.
        if seen.bit_count() != len(bits):
            return None
        if len(self.patterns) >= PATTERNS_KEPT:
            self.patterns.clear()
        self.patterns[codes] = seen, bits
        return seen, bits
