"""Checks the lines of many files at once, as columns of 64-bit words in NumPy.

Of each line, the 32 bytes that hold STATION and DATE are copied, and the 8 or 16 that hold the
value. They are read as words of 8 bytes:

    `…"\\n"010`  `01099999`  `","2020-`  `01-05","`        `,"  70.1`  `","*",..`
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jobs.gsod.counts import HIT, MISSING, REFUSED, Question, days_of
from jobs.gsod.reading.layout import Lines
from jobs.gsod.reading.patterns import WORD, WORD_BYTES, Flags, Pattern, Words, word
from jobs.gsod.reading.shape import LINES_AT_ONCE, Bytes

Days = npt.NDArray[np.int16]
Places = npt.NDArray[np.intp]

BEGINNING, BEGINNING_AT = np.dtype("V32"), -4
"""The copied beginning of a line. It starts 4 bytes earlier, so that no word is split."""

STATION_BEGINS = np.uint64(8 * 5)
"""Bits of the first word before STATION: the end of the line before, and a quote."""

DAY_BITS = 384
"""Bits for the days of a file: 366, and some that no day has."""

NO_DAY = DAY_BITS - 1
VALUES_KEPT = 100_000
LEADING = "0123456789 -"
"""The characters that the hundreds and tens of a temperature may have."""

VALUE = Pattern('," ??#.#')
"""A value of which the hundreds and tens are often enough to compare it with the threshold."""

TENS_AT = np.uint64(8 * 3)
MARK_AT, STAR = np.uint64(8 * 3), ord("*")
"""The mark of a maximum from hourly readings, in the word after the value."""

FileLines = tuple[int, int, int, int]
"""The lines of a file that all passed, as days in bits: days seen, days with a missing value, hits,
and derived hits."""


class LineFlags(NamedTuple):
    """For each line of a file that did not pass: whether it is good, and whether it follows.

    good: it passes every check that needs no other line. follows: it is a later day of the same
    station as the line before.
    """

    good: Flags
    follows: Flags


class _Examined(NamedTuple):
    """The lines of several files: of each its day, the kind of its value, and what it passed.

    good: DATE and value are valid. follows: it is a later day of the same station as the line
    before, or the first of its file. derived: a maximum from hourly readings; None without MAX.
    """

    days: Days
    kind: Bytes
    good: Flags
    follows: Flags
    derived: Flags | None


class LineChecker:
    """Checks and counts the lines of many files together."""

    def __init__(self, year: int, question: Question) -> None:
        self._question = question
        self._marked = question.column == "MAX"
        value = np.dtype(f"V{2 * WORD_BYTES if self._marked else WORD_BYTES}")
        self._beginnings, self._values = np.empty(0, BEGINNING), np.empty(0, value)
        self._scratch = np.empty(0, np.uint8)
        self._year = word(f'","{year:04}-')
        self._days, self._dates = _day_tables(year)
        self._kinds = _kind_table(question)
        self._known: dict[int, int] = {}

    def check(self, files: Sequence[tuple[bytearray, Lines]]) -> list[FileLines | LineFlags]:
        """Check the lines of each file, and count them if all of them pass."""
        if not files:
            return []
        counts = np.array([lines.rows for _, lines in files], np.intp)
        firsts = np.cumsum(counts) - counts
        days, kind, good, follows, derived = self._examine(files, firsts, int(counts.sum()))
        hit = kind == HIT
        bits = np.repeat(np.arange(len(counts)) * DAY_BITS, counts) + days
        chosen = [bits, bits[kind == MISSING], bits[hit]]
        chosen.append(bits[:0] if derived is None else bits[hit & derived])
        sets = zip(*(_day_sets(places, len(counts)) for places in chosen), strict=True)
        passed = np.logical_and.reduceat(good & follows, firsts).tolist()
        return [
            counted if ok and self._fits(*file) else _flags(*file, good[first:], follows[first:])
            for file, first, ok, counted in zip(files, firsts.tolist(), passed, sets, strict=True)
        ]

    def _examine(
        self, files: Sequence[tuple[bytearray, Lines]], firsts: Places, count: int
    ) -> _Examined:
        (before, station, year, day), (value, *after) = self._copy(files, count)
        days, good = self._check_dates(year, day)
        kind = self._check_values(value, good)
        derived = (after[0] >> MARK_AT).astype(np.uint8) == STAR if after else None
        return _Examined(days, kind, good, _follows(days, before, station, firsts), derived)

    def _copy(self, files: Sequence[tuple[bytearray, Lines]], count: int) -> list[Words]:
        """Copy the needed parts of all lines together: a row for each word, a column a line."""
        if count > len(self._values):
            self._beginnings = np.empty(count, self._beginnings.dtype)
            self._values = np.empty(count, self._values.dtype)
        beginnings, values, at = self._beginnings, self._values, 0
        for buffer, (first, step, lines, plan) in files:
            end, shape, steps = at + lines, (lines,), (step,)
            place = first + BEGINNING_AT
            beginnings[at:end] = np.ndarray(shape, BEGINNING, buffer, place, steps)
            values[at:end] = np.ndarray(shape, values.dtype, buffer, first + plan.value, steps)
            at = end
        copies = beginnings[:count], values[:count]
        return [copy.view(WORD).reshape(count, -1).T for copy in copies]

    def _check_dates(self, year: Words, day: Words) -> tuple[Days, Flags]:
        """The day of each line, and whether its DATE is a day, written as NOAA writes it."""
        slots = _slots(day)
        good = self._dates.take(slots) == day
        good &= year == self._year
        return self._days.take(slots), good

    def _check_values(self, value: Words, good: Flags) -> Bytes:
        """The kind of each line's value; clears `good` for values that are no temperature.

        The hundreds and tens decide most values; of the others, each different text is classified
        once.
        """
        kind = self._kinds.take((value >> TENS_AT).astype(np.uint16))
        kind[~VALUE.matches(value)] = REFUSED
        unsure = np.flatnonzero(kind == REFUSED)
        if len(unsure):
            different, which = np.unique(value[unsure], return_inverse=True)
            kinds = np.array([self._kind(text) for text in different.tolist()], np.uint8)
            kind[unsure] = kinds[which]
            good &= kind != REFUSED
        return kind

    def _kind(self, value: int) -> int:
        """The kind of one value, by all of its characters."""
        kind = self._known.get(value)
        if kind is None:
            if len(self._known) >= VALUES_KEPT:
                self._known.clear()
            text = value.to_bytes(WORD_BYTES, "little").decode("latin-1").removeprefix(',"')
            kind = self._known[value] = self._question.classify(text)
        return kind

    def _fits(self, buffer: bytearray, lines: Lines) -> bool:
        """Whether every line has the shape of the first, so that CSV finds the same fields."""
        needed = lines.step * (lines.rows + LINES_AT_ONCE)
        if needed > len(self._scratch):
            self._scratch = np.empty(needed, np.uint8)
        return lines.plan.shape.fits(_text(buffer, lines), self._scratch)


def _text(buffer: bytearray, lines: Lines) -> Bytes:
    return np.frombuffer(buffer, np.uint8, lines.step * lines.rows, lines.first)


def _flags(buffer: bytearray, lines: Lines, good: Flags, follows: Flags) -> LineFlags:
    fitting = lines.plan.shape.fitting(_text(buffer, lines))
    return LineFlags(fitting & good[: lines.rows], follows[: lines.rows])


def _follows(days: Days, before: Words, station: Words, firsts: Places) -> Flags:
    """Whether each line is a later day of the same station as the line before.

    The first line of a file follows none, so it passes.
    """
    follows = np.empty(len(days), np.bool_)
    later = follows[1:]
    np.greater(days[1:], days[:-1], out=later)
    later &= (before[1:] ^ before[:-1]) >> STATION_BEGINS == 0
    later &= station[1:] == station[:-1]
    follows[firsts] = True
    return follows


def _day_tables(year: int) -> tuple[Days, Words]:
    """The number of each day's bit, and how month and day are written, by their slot.

    NO_DAY and zero for slots that belong to no day.
    """
    bits, dates = np.full(2**16, NO_DAY, np.int16), np.zeros(2**16, WORD)
    words = np.array([word(f'{text[5:]}","') for text in days_of(year)], WORD)
    slots = _slots(words)
    bits[slots], dates[slots] = list(days_of(year).values()), words
    return bits, dates


def _slots(words: Words) -> npt.NDArray[np.uint16]:
    """A slot for each `01-05","`, another one for each day.

    Shifted by two and a half bytes, the digits of the day fall between those of the month.
    """
    return (words ^ (words >> np.uint64(20))).astype(np.uint16)


def _kind_table(question: Question) -> Bytes:
    """The kind of all values with the same hundreds and tens; REFUSED if their kinds differ."""
    table = np.full(2**16, REFUSED, np.uint8)
    for hundreds in LEADING:
        for tens in LEADING:
            kinds = {question.classify(f" {hundreds}{tens}{rest}") for rest in ("0.0", "9.9")}
            if len(kinds) == 1:
                table[ord(hundreds) | ord(tens) << 8] = kinds.pop()
    return table


def _day_sets(bits: Places, files: int) -> list[int]:
    """One integer a file, with these bits set."""
    if not len(bits):
        return [0] * files
    marks = np.zeros(files * DAY_BITS, np.uint8)
    marks[bits] = 1
    packed, size = np.packbits(marks, bitorder="little").tobytes(), DAY_BITS // 8
    return [int.from_bytes(packed[at : at + size], "little") for at in range(0, len(packed), size)]
