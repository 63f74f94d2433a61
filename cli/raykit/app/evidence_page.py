"""What an archive of evidence holds, as text."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from raykit.app import output
from raykit.redaction import plain

if TYPE_CHECKING:
    from raykit.measure.keeping.evidence import Collected

MOST_GAPS = 10


def page(collected: Collected) -> str:
    """Everything that an archive holds, and what it lacks."""
    lines = [summary(collected), plain(output.wrapped(f"for: {collected.why}"))]
    full = [file for file in collected.files if file["bytes"]]
    lines += [f"{file['bytes']:>12,}  {plain(file['name'])}" for file in full]
    if len(full) < len(collected.files):
        lines.append(f"{len(collected.files) - len(full):>12,}  files are empty")
    lines += gaps(collected, most=None)
    lines.append(f"next: raykit runs show {collected.id} --file NAME")
    return "\n".join(lines)


def summary(collected: Collected) -> str:
    """One line: of what, how much, and when."""
    target = collected.target
    title = plain(str(target.get("cluster") or target.get("url") or "a head"))
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(collected.at))
    count, size = len(collected.files), collected.bytes / 1e6
    return output.wrapped(
        f"evidence of {title}: {count} files, {size:.1f} MB, {moment}, {collected.seconds:.1f} s"
    )


def gaps(collected: Collected, most: int | None = MOST_GAPS) -> list[str]:
    """What is not whole or missing, a line each. most: lines of each kind; None: all."""
    cut = [f"cut: {one['name']}: {one['why']}" for one in collected.cut]
    missing = [f"missing: {one}" for one in collected.missing]
    return [output.wrapped(plain(line)) for lines in (missing, cut) for line in _some(lines, most)]


def _some(lines: list[str], most: int | None) -> list[str]:
    if most is None or len(lines) <= most:
        return lines
    return [*lines[:most], f"{lines[0].partition(':')[0]}: {len(lines) - most} more"]
