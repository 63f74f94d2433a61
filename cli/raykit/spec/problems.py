"""A problem of a spec: its place and its message."""

from __future__ import annotations

from dataclasses import dataclass

Path = tuple[str | int, ...]
LONGEST_SHOWN = 300
"""The most characters shown of a message or path: a value in it may be as long as a file."""


@dataclass(frozen=True)
class Problem:
    """One problem of a spec, or one warning.

    path: keys and list positions from the top of the spec.
    line, column: counted from 1; 0 if the spec did not come from a text.
    involves: paths of other values that this problem depends on; if one of them is wrong itself,
    this problem is left out.
    """

    path: Path
    message: str
    line: int = 0
    column: int = 0
    involves: tuple[Path, ...] = ()

    def __str__(self) -> str:
        where = dotted(self.path)
        at = f"line {self.line}:{self.column}" if self.line else ""
        place = " ".join(part for part in (at, where) if part)
        return f"{_cut(place)}: {_cut(self.message)}" if place else _cut(self.message)

    def as_dict(self) -> dict[str, object]:
        """The problem for `-o json`."""
        return {
            "path": dotted(self.path),
            "line": self.line,
            "column": self.column,
            "message": _cut(self.message),
        }


def _cut(text: str) -> str:
    """A text; if it is too long, without its middle."""
    half = LONGEST_SHOWN // 2
    return text if len(text) <= LONGEST_SHOWN else f"{text[:half]} … {text[-half:]}"


def dotted(path: Path) -> str:
    """`("workers", 0, "memory")` as `workers[0].memory`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
