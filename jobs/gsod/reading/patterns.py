"""Compares text in many lines at once: eight bytes are one 64-bit word of a NumPy array."""

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
    """A pattern of eight characters: `#` is any digit, `?` any byte, all others are themselves.

    >>> Pattern(',"  ##.#').matches(words)
    """

    def __init__(self, text: str) -> None:
        assert len(text) == WORD_BYTES, text
        # Digits are 0x30 to 0x39: only their upper half is 3 before and after adding 6.
        self._mask = word("".join({DIGIT: "\xf0", ANY: "\0"}.get(char, "\xff") for char in text))
        self._is = word("".join({DIGIT: "\x30", ANY: "\0"}.get(char, char) for char in text))
        self._six = word("".join("\x06" if char == DIGIT else "\0" for char in text))

    def matches(self, words: Words) -> Flags:
        """A flag for each word: whether it has the pattern."""
        masked = words + self._six
        masked &= words
        masked &= self._mask
        matching: Flags = masked == self._is
        return matching
