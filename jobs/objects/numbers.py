"""Large numerical objects without a numerical library: doubles that are shared, not copied."""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Callable
from typing import Any, SupportsIndex

DOUBLE = 8
PAGE = 4096


class Numbers:
    """Many doubles in one block of memory.

    Pickled out of band, so that Ray puts the block into its object store as it is, and readers on
    the same node look at the same memory instead of unpacking a copy.
    """

    def __init__(self, block: Any) -> None:
        self.view = memoryview(block).cast("B").cast("d")

    @classmethod
    def make(cls, size: int) -> Numbers:
        """`size` bytes, rounded up to whole pages, of numbers that differ from page to page."""
        pages = -(-size // PAGE)
        first = array("d", [float(page) for page in range(pages)])
        block = bytearray(pages * PAGE)
        memoryview(block).cast("d")[:: PAGE // DOUBLE] = memoryview(first)
        return cls(block)

    def total(self) -> float:
        """The sum of one number of each page: every page is read, little is computed."""
        step = PAGE // DOUBLE
        return float(sum(self.view[::step]))

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Callable[[Any], Numbers], Any]:
        return Numbers, (pickle.PickleBuffer(self.view.cast("B")),)
