"""Lines of many files judged at once, as columns of 64-bit words in NumPy.

Of each line three pieces of 16 bytes are looked at: the end of the line before with STATION, DATE,
and the value with what follows it. Read as little-endian words each has its part of the line:

    `"\\n"01001`  `099999",`    `","2020-`  `01-05","`    `,"  70.1`  `","*",..`

so that the quotes and commas around a field are checked together with the field.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from jobs.gsod.counts import HIT, MISSING, REFUSED, Question, days_of
from jobs.gsod.reading.layout import DATE_AT, PIECE_BYTES, SPACE, STATION_AT, Found

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
FIELD_BEGINS = b',"'
VALUE_MASK, VALUE_IS = word(b"\xff\xff\xff\0\0\xf0\xff\xf0"), word(b',"\x20\0\x000.0')
SIX_ADDED = word(b"\0\0\0\0\0\x06\0\x06")
"""A byte is a digit if it begins as digits do, and still does with 6 added to it."""

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
        self._year_is = word(f'","{year:04}-'.encode())
        self._days, self._dates = _day_tables(year)
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
        (before, station), (year, day), (value, after) = self._gather(files, int(counts.sum()))
        found, good = self._judge_dates(year, day)
        later = found[1:] > found[:-1]
        later &= before[1:] == before[:-1]
        later &= station[1:] == station[:-1]
        later[firsts[1:] - 1] = True
        good[1:] &= later
        kind = self._judge_values(value, after, good)
        hit = kind == HIT
        derived = (after & MARK_MASK) == STAR if self._marked else np.zeros_like(hit)
        bits = np.repeat(np.arange(len(counts)) * DAY_BITS, counts) + found
        chosen = (bits, bits[kind == MISSING], bits[hit], bits[hit & derived])
        sets = (_day_sets(each, len(counts)) for each in chosen)
        whole = np.logical_and.reduceat(good, firsts).tolist()
        plain = (ok and _is_plain(*each) for ok, each in zip(whole, files, strict=True))
        return list(zip(plain, *sets, strict=True))

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

    def _judge_dates(self, year: Words, day: Words) -> tuple[Days, Flags]:
        """The day of each line, and whether it is one, written as NOAA does."""
        slots = _slots(day)
        good = self._dates.take(slots) == day
        good &= year == self._year_is
        return self._days.take(slots), good

    def _judge_values(self, value: Words, after: Words, good: Flags) -> Bytes:
        """The kind of each line's value; clears `good` where it is not written as NOAA does."""
        good &= (after & self._after_mask) == self._after_is
        if self._marked:
            good &= (after & MARK_MASK) != QUOTE
        digits = value + SIX_ADDED
        digits &= value
        digits &= VALUE_MASK
        kind = self._kinds.take((value >> np.uint64(24)).astype(np.uint16))
        kind[digits != VALUE_IS] = REFUSED
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
            field = value.to_bytes(8, "little")
            text = field[len(FIELD_BEGINS) :].decode("latin-1")
            kind = self._question.classify(text) if field.startswith(FIELD_BEGINS) else REFUSED
            self._known[value] = kind
        return kind


def _is_plain(buffer: bytearray, found: Found) -> bool:
    """Whether lines, each known to end where it should, hold no other control characters.

    So no line is really two, and nothing stands there that CSV takes for something else. For a
    moment the line ends are spaces: one minimum over all bytes is faster than counting newlines.
    """
    first, step, lines, _ = found
    text = np.frombuffer(buffer, np.uint8, step * lines, first)
    ends = text[step - 1 :: step]
    ends[:] = SPACE
    lowest: np.uint8 = np.minimum.reduce(text)
    ends[:] = NEWLINE
    return bool(lowest >= SPACE)


def _day_tables(year: int) -> tuple[Days, Words]:
    """The number of each day's bit, and how month and day are written, by their slot.

    NO_DAY and zero where a slot is no day's.
    """
    bits, dates = np.full(2**16, NO_DAY, np.int16), np.zeros(2**16, WORD)
    words = np.array([word(f'{text[5:]}","'.encode()) for text in days_of(year)], WORD)
    slots = _slots(words)
    bits[slots], dates[slots] = list(days_of(year).values()), words
    return bits, dates


def _slots(words: Words) -> npt.NDArray[np.uint16]:
    """A slot for each `01-05","`, another one for each day: the four digits lie side by side."""
    return (words ^ (words >> np.uint64(20))).astype(np.uint16)


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
