"""Text compared in many lines at once: eight bytes are one 64-bit word of a NumPy array."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

WORD = np.dtype("<u8")
WORD_BYTES = WORD.itemsize
DIGIT, ANY = "#", "?"


def word(text: str) -> np.uint64:
    """Eight characters as one number."""
    return np.uint64(int.from_bytes(text.encode("latin-1"), "little"))


class Pattern:
    """Eight characters as they look: `#` is any digit, `?` any byte, others stand for themselves.

    >>> Pattern(',"  ##.#').matches(words)
    """

    def __init__(self, text: str) -> None:
        assert len(text) == WORD_BYTES, text
        # Digits are 0x30 to 0x39, and no other byte begins with 3 and still does with 6 added.
        self._mask = word("".join({DIGIT: "\xf0", ANY: "\0"}.get(each, "\xff") for each in text))
        self._is = word("".join({DIGIT: "\x30", ANY: "\0"}.get(each, each) for each in text))
        self._six = word("".join("\x06" if each == DIGIT else "\0" for each in text))

    def matches(self, words: Words) -> Flags:
        """Which words look like that."""
        found = words + self._six
        found &= words
        found &= self._mask
        matching: Flags = found == self._is
        return matching
