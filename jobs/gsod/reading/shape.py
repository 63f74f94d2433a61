"""The shape of a file's lines: every quote, comma and line end where the first line has it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
        self._mask = np.tile(mask, LINES_AT_ONCE)
        self._least = np.where(line > 0, SAME, CONTENT_FROM).astype(np.uint8)

    def fits(self, text: Bytes, scratch: Bytes) -> bool:
        """Whether whole lines of the right length, one after the other, have this shape.

        scratch: as much memory as the text, or more; it is written over.
        """
        row = len(self._mask)
        rows = len(text) // row
        done = rows * row
        masked = scratch[: len(text)]
        np.bitwise_xor(text[done:], self._mask[: len(text) - done], out=masked[done:])
        lines = masked[done:].reshape(-1, len(self._least))
        if rows:
            block = masked[:done].reshape(rows, row)
            np.bitwise_xor(text[:done].reshape(rows, row), self._mask, out=block)
            lowest = np.minimum.reduce(block, axis=0).reshape(-1, len(self._least))
            if not (lowest >= self._least).all():
                return False
        return bool((lines >= self._least).all())
