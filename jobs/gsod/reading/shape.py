"""The shape of a file's lines: every quote, comma and line end where the first line has it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from jobs.gsod.reading.patterns import Flags

Bytes = npt.NDArray[np.uint8]

LINES_AT_ONCE = 8
"""Lines that are compared as one row: NumPy starts slowly on each row, so rows are made longer."""

QUOTE_LAST = 0x02
"""With this bit flipped, control characters and then the quote come before all other bytes."""

CONTENT_FROM = (ord('"') ^ QUOTE_LAST) + 1
SAME = 0xFF


class Shape:
    """The structure of one line, with which all lines of a file are compared.

    A column is the same byte of every line. Where the line has a quote, a comma between fields or
    its end, every line must have that byte; elsewhere none may have a quote or a control character.
    So CSV would find the same fields in every line.

    Both are decided by the least byte of each column, which one pass over the file gives: bytes are
    XORed before with a mask of their column, which turns the byte that must be there into 255.
    """

    def __init__(self, structure: bytes) -> None:
        """structure: a line of which every byte of a field is replaced by 0."""
        line = np.frombuffer(structure, np.uint8)
        mask = np.where(line > 0, line ^ SAME, QUOTE_LAST).astype(np.uint8)
        least = np.where(line > 0, SAME, CONTENT_FROM).astype(np.uint8)
        self._mask, self._least = np.tile(mask, LINES_AT_ONCE), np.tile(least, LINES_AT_ONCE)
        self.size = len(line)

    def fits(self, text: Bytes, scratch: Bytes) -> bool:
        """Whether whole lines of the right length, one after the other, have this shape.

        scratch: as much memory as the text and LINES_AT_ONCE lines, or more; it is written over.
        """
        row, size = len(self._mask), len(text)
        done = size - size % row
        # The last row is filled up with a byte that fits everywhere: one comparison for all rows.
        rows = scratch[: done + row].reshape(-1, row)
        np.bitwise_xor(text[:done].reshape(-1, row), self._mask, out=rows[:-1])
        np.bitwise_xor(text[done:], self._mask[: size - done], out=scratch[done:size])
        scratch[size : done + row] = SAME
        wrong = np.minimum.reduce(rows, axis=0) < self._least
        return 1 not in wrong.tobytes()

    def fitting(self, text: Bytes) -> Flags:
        """A flag for each line: whether it has this shape."""
        lines = text.reshape(-1, self.size) ^ self._mask[: self.size]
        fitting: Flags = np.logical_and.reduce(lines >= self._least[: self.size], axis=1)
        return fitting
