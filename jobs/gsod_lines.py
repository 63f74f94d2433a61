"""Lines of many files judged at once, as columns of 64-bit words in NumPy.

Of each line three pieces of 16 bytes are looked at: the end of the line before with STATION, DATE,
and the value with what follows it. Read as little-endian words each has its part of the line:

    `"\\n"01001`  `099999",`    `"2020-01`  `-05",".. `    `,"  70.1`  `","*",..`

so that the quotes and commas around a field are checked together with the field.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from jobs.gsod_counts import HIT, MISSING, REFUSED, Question, days_of
from jobs.gsod_layout import DATE_AT, PIECE_BYTES, STATION_AT, Found

Words = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]
Days = npt.NDArray[np.int16]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]

WORD, PIECE = np.dtype("<u8"), np.dtype(f"V{PIECE_BYTES}")
DAY_BITS = 384
"""Bits for the days of a file: 366, and some that no day has."""

NO_DAY = DAY_BITS - 1
NEWLINE = ord("\n")
KEPT = 100_000
LEADING = "0123456789 -"
"""What may stand for hundreds and tens."""


def word(text: bytes) -> np.uint64:
    """Eight bytes as one number."""
    return np.uint64(int.from_bytes(text, "little"))


# In a mask \xff takes the whole byte, \xf0 the half that all digits share, \0 nothing.
YEAR_MASK = word(b"\xff\xff\xff\xff\xff\xff\xf0\xf0")
DAY_MASK, DAY_IS = word(b"\xff\xf0\xf0\xff\xff\xff\0\0"), word(b'-00","\0\0')
MONTH_DIGITS, DAY_DIGITS = np.uint16(0x0F0F), np.uint16(0xF0F0)
VALUE_MASK, VALUE_IS = word(b"\xff\xff\0\0\0\xf0\xff\xf0"), word(b',"\0\x00\x000.0')
ONES_ADDED, ONES_MASK = word(b"\0\0\0\0\0\x06\0\x06"), word(b"\0\0\0\0\0\xf0\0\xf0")
ONES_ARE = word(b"\0\0\0\0\x000\x000")
"""A byte that begins as digits do is one if it still does with 6 added to it."""

THOUSANDS_MASK, NO_THOUSANDS = word(b"\0\0\xff\0\0\0\0\0"), word(b"\0\0 \0\0\0\0\0")
AFTER_MASK, AFTER_IS = word(b"\xff\xff\0\0\0\0\0\0"), word(b'",\0\0\0\0\0\0')
MARKED_MASK, MARKED_IS = word(b"\xff\xff\xff\0\xff\xff\0\0"), word(b'","\0",\0\0')
MARK_MASK = word(b"\0\0\0\xff\0\0\0\0")
STAR, QUOTE = word(b"\0\0\0*\0\0\0\0"), word(b'\0\0\0"\0\0\0\0')

FileLines = tuple[bool, int, int, int, int]
"""What one file's lines say: whether every line passed its checks, and, if so, the days seen, those
with a missing value, those that are hits, and the hits that are derived, each as bits."""


class LineJudge:
    """Judges the lines of many files together."""

    def __init__(self, year: int, question: Question) -> None:
        self._question = question
        self._pieces = [np.empty(0, PIECE)] * 3
        self._year_is = word(f'"{year:04}-00'.encode())
        self._days = _day_table(year)
        self._kinds = _kind_table(question)
        self._known: dict[int, int] = {}
        self._marked = question.column == "MAX"
        marked, unmarked = (MARKED_MASK, MARKED_IS), (AFTER_MASK, AFTER_IS)
        self._after_mask, self._after_is = marked if self._marked else unmarked

    def judge(self, files: Sequence[tuple[bytearray, Found]]) -> list[FileLines]:
        """What the lines of each file say."""
        if not files:
            return []
        counts = np.array([found.lines for _, found in files], np.intp)
        firsts = np.cumsum(counts) - counts
        (before, station), (month, day), (value, after) = self._gather(files, int(counts.sum()))
        found, good = self._judge_dates(month, day)
        later = found[1:] > found[:-1]
        later &= before[1:] == before[:-1]
        later &= station[1:] == station[:-1]
        later[firsts[1:] - 1] = True
        good[1:] &= later
        kind = self._judge_values(value, after, good)
        whole = np.logical_and.reduceat(good, firsts) & self._ends_alone(files, counts)
        bits = np.repeat(np.arange(len(counts)) * DAY_BITS, counts) + found
        hit = kind == HIT
        derived = hit & ((after & MARK_MASK) == STAR) if self._marked else hit & False
        chosen = (bits, bits[kind == MISSING], bits[hit], bits[derived])
        sets = (_day_sets(each, len(counts)) for each in chosen)
        return list(zip(whole.tolist(), *sets, strict=True))

    def _gather(self, files: Sequence[tuple[bytearray, Found]], lines: int) -> list[Words]:
        """Copy what is looked at of all lines together: the words of each piece."""
        if lines > len(self._pieces[0]):
            self._pieces = [np.empty(lines, PIECE) for _ in range(3)]
        stations, dates, values = self._pieces
        at = 0
        for buffer, (first, step, count, plan) in files:
            end, shape, steps = at + count, (count,), (step,)
            stations[at:end] = np.ndarray(shape, PIECE, buffer, first + STATION_AT, steps)
            dates[at:end] = np.ndarray(shape, PIECE, buffer, first + DATE_AT, steps)
            values[at:end] = np.ndarray(shape, PIECE, buffer, first + plan.value, steps)
            at = end
        return [each[:lines].view(WORD).reshape(lines, 2).T for each in self._pieces]

    def _ends_alone(self, files: Sequence[tuple[bytearray, Found]], counts: Places) -> Flags:
        """Whether each file has no other line ends than those of its lines."""
        ends = []
        for buffer, (first, step, count, _) in files:
            text = np.frombuffer(buffer, np.uint8, step * count, first)
            ends.append(np.count_nonzero(text == NEWLINE))
        alone: Flags = np.array(ends, np.intp) == counts
        return alone

    def _judge_dates(self, month: Words, day: Words) -> tuple[Days, Flags]:
        """The day of each line, and whether it is one, written as NOAA does."""
        digits = (month >> np.uint64(48)).astype(np.uint16) & MONTH_DIGITS
        digits |= (day >> np.uint64(4)).astype(np.uint16) & DAY_DIGITS
        found = self._days.take(digits)
        good = found != NO_DAY
        good &= (month & YEAR_MASK) == self._year_is
        good &= (day & DAY_MASK) == DAY_IS
        return found, good

    def _judge_values(self, value: Words, after: Words, good: Flags) -> Bytes:
        """The kind of each line's value; clears `good` where it is not written as NOAA does."""
        good &= (value & VALUE_MASK) == VALUE_IS
        good &= ((value + ONES_ADDED) & ONES_MASK) == ONES_ARE
        good &= (after & self._after_mask) == self._after_is
        if self._marked:
            good &= (after & MARK_MASK) != QUOTE
        kind = self._kinds.take((value >> np.uint64(24)).astype(np.uint16))
        kind[(value & THOUSANDS_MASK) != NO_THOUSANDS] = REFUSED
        unsure = np.flatnonzero(kind == REFUSED)
        if len(unsure):
            different, which = np.unique(value[unsure], return_inverse=True)
            kinds = np.array([self._kind(each) for each in different.tolist()], np.uint8)
            kind[unsure] = kinds[which]
            good &= kind != REFUSED
        return kind

    def _kind(self, value: int) -> int:
        """The kind of one value, judged by all of its characters."""
        kind = self._known.get(value)
        if kind is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            text = value.to_bytes(8, "little")[2:].decode("latin-1")
            kind = self._known[value] = self._question.classify(text)
        return kind


def _day_table(year: int) -> Days:
    """The number of each day's bit, by the digits of month and day: NO_DAY for what is none."""
    table = np.full(2**16, NO_DAY, np.int16)
    for text, bit in days_of(year).items():
        month_tens, month_ones, day_tens, day_ones = (int(text[at]) for at in (5, 6, 8, 9))
        table[month_tens | day_tens << 4 | month_ones << 8 | day_ones << 12] = bit
    return table


def _kind_table(question: Question) -> Bytes:
    """The kind of all values with the same hundreds and tens; REFUSED where they differ."""
    table = np.full(2**16, REFUSED, np.uint8)
    for hundreds in LEADING:
        for tens in LEADING:
            kinds = {question.classify(f" {hundreds}{tens}{rest}") for rest in ("0.0", "9.9")}
            if len(kinds) == 1:
                table[ord(hundreds) | ord(tens) << 8] = kinds.pop()
    return table


def _day_sets(bits: Places, files: int) -> list[int]:
    """One integer a file, of the bits that are named."""
    if not len(bits):
        return [0] * files
    marks = np.zeros(files * DAY_BITS, np.uint8)
    marks[bits] = 1
    packed, size = np.packbits(marks, bitorder="little").tobytes(), DAY_BITS // 8
    return [int.from_bytes(packed[at : at + size], "little") for at in range(0, len(packed), size)]
