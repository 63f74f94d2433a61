"""What limited the reading: source, CPU limit, processors or other programs on them. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobs.gsod.loading import Loaded

SOURCE, CPU_LIMIT, PROCESSORS = "the source", "the CPU limit", "the processors"
OTHERS = "other programs on the processors"
WAITING_SHARE, HELD_BACK_SHARE = 0.5, 0.1
"""From these shares of the tasks' time on, it is the source or the CPU limit that limits."""

USED_SHARE, NOTICEABLE_SECONDS = 0.5, 1.0
"""Below this share of their CPUs' time, tasks that took noticeable time did not get their CPUs."""

KB, MB = 1e3, 1e6

WITHOUT_NUMPY = (
    "A Ray node has no NumPy, so a CSV parser read every file, which takes some 15 times as long; "
    "next: pip install numpy isal (on a cluster: raykit image build)"
)


@dataclass(frozen=True)
class Effort:
    """What reading took: compressed bytes, and seconds.

    waited: for bytes of the source; processor: of all threads; held_back: by the CPU limit of the
    container, with everything else that ran in it; numpy: whether it was there for the reader.
    """

    bytes: int = 0
    waited: float = 0.0
    processor: float = 0.0
    held_back: float = 0.0
    numpy: bool = True


def summary(loaded: Sequence[Loaded], makespan: float) -> dict[str, Any]:
    """Bytes, bytes a second over the makespan, and shares of the tasks' time, for the result.

    waiting: for bytes that had not come; processor: of the tasks' CPUs; held_back: by the CPU limit
    of their containers. numpy: whether every task had it.
    """
    seconds = sum(year.seconds for year in loaded)
    cpu_seconds = sum(year.seconds * year.cpus for year in loaded)
    size = sum(year.effort.bytes for year in loaded)
    processor = sum(year.effort.processor for year in loaded)
    shares = {
        "waiting_share": sum(year.effort.waited for year in loaded) / seconds,
        "processor_share": processor / cpu_seconds,
        "held_back_share": min(1.0, sum(year.effort.held_back for year in loaded) / seconds),
    }
    return {
        "bytes": size,
        "bytes_per_second": size / makespan,
        "processor_seconds": processor,
        **shares,
        "limited_by": _limit(shares, seconds),
        "numpy": all(year.effort.numpy for year in loaded),
    }


def _limit(shares: dict[str, float], seconds: float) -> str:
    if shares["waiting_share"] >= WAITING_SHARE:
        return SOURCE
    if shares["held_back_share"] >= HELD_BACK_SHARE:
        return CPU_LIMIT
    used = shares["waiting_share"] + shares["processor_share"]
    return OTHERS if used < USED_SHARE and seconds > NOTICEABLE_SECONDS else PROCESSORS


def lines(reading: dict[str, Any], makespan: float, columns: int) -> list[str]:
    """The summary as sentences."""
    text = (
        f"Read {_size(reading['bytes'])} in {makespan:.2f} s, "
        f"{_size(reading['bytes_per_second'])}/s. Of the tasks' time: "
        f"waiting for data {reading['waiting_share']:.0%}, on a CPU "
        f"{reading['processor_share']:.0%}, held back by a CPU limit "
        f"{reading['held_back_share']:.0%}. It was limited by {reading['limited_by']}."
    )
    without = [] if reading["numpy"] else [WITHOUT_NUMPY]
    return [
        line
        for sentence in (text, *without)
        for line in textwrap.wrap(sentence, columns, subsequent_indent="  ")
    ]


def _size(count: float) -> str:
    return f"{count / MB:,.1f} MB" if count >= MB else f"{count / KB:,.1f} kB"
