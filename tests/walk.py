"""The commands of `docs/tutorial.md` and the output that it shows, part by part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"
ON_KUBERNETES = "## 8. A cluster"
STABLE = (
    "Sequence size: ",
    "Speedup: ",
    "Local and remote results agree",
    "Number of stations in common: ",
    "2020 - High temp count",
    "2024 - High temp count",
)
"""How lines of output begin that any machine prints, with other figures."""

BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.M | re.S)


@dataclass(frozen=True)
class Step:
    """One command with what the page shows below it."""

    command: str
    shown: str

    def lacks(self, printed: str) -> list[str]:
        """Lines of the page that the output should have, with any figures, and has not."""
        wanted = [line for line in self.shown.splitlines() if line.startswith(STABLE)]
        there = {without_figures(line) for line in printed.splitlines()}
        return [line for line in wanted if without_figures(line) not in there]


def without_figures(line: str) -> str:
    return re.sub(r"\d+(\.\d+)?", "N", line)


def steps(on_kubernetes: bool) -> list[Step]:
    """The steps of the laptop, or those of the cluster, in order."""
    laptop, heading, cluster = PAGE.read_text("utf-8").partition(ON_KUBERNETES)
    assert heading
    return list(_steps(cluster if on_kubernetes else laptop))


def _steps(text: str) -> Iterator[Step]:
    """Each line of a block of shell; the block of output behind it belongs to its last line."""
    for block, shown in BLOCK.findall(text):
        *before, last = block.splitlines()
        yield from (Step(_plain(line), "") for line in before)
        yield Step(_plain(last), shown)


def _plain(line: str) -> str:
    return line.partition("  #")[0].strip()
