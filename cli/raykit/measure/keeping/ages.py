"""Lengths of time as users write them: `30d`, `12h`, `1h30m`."""

from __future__ import annotations

import re

from raykit.errors import UsageError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)


def parse(text: str, option: str) -> float:
    """The seconds in a text. option: for the error message.

    Errors: UsageError (2) with the form that is understood.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(
            f"{option} {text!r} is no length of time",
            next=f"{option} takes numbers with s, m, h, d or w, such as 30d or 1h30m",
        )
    return float(sum(int(number) * UNITS[unit] for number, unit in parts))
