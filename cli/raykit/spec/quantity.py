"""Read Kubernetes quantities, such as `500m`, `2` and `1536Mi`."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
DECIMAL = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)},
}
FORM = re.compile(
    r"(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:(?P<unit>[KMGTPE]i|[numkMGTPE])|[eE](?P<exponent>[+-]?\d{1,3}))?",
    re.ASCII,
)
JSON_PATTERN = r"\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?"
"""The same for JSON Schema: without named groups and without a minus."""
LARGEST = 2**63 - 1
"""The largest quantity of Kubernetes; it cuts larger ones down without a message."""
SMALLEST = DECIMAL["n"]
LONGEST_TEXT = 64
MIB, GIB, TIB = 2**20, 2**30, 2**40


def parse(text: str) -> Decimal:
    """The amount of a quantity, in CPUs or bytes.

    Errors: ValueError with what is wrong and, if possible, a suggestion.
    """
    match = FORM.fullmatch(text) if len(text) <= LONGEST_TEXT else None
    if match is None:
        raise ValueError(f'"{text}" is not a Kubernetes quantity{_suggestion(text)}')
    amount = Decimal(match["number"]) * _factor(match["unit"], match["exponent"])
    if amount < 0:
        raise ValueError(f'"{text}" is negative')
    if amount > LARGEST:
        raise ValueError(f'"{text}" is more than Kubernetes can count, which is 2^63 - 1')
    if 0 < amount < SMALLEST:
        raise ValueError(f'"{text}" is less than Kubernetes can count, which is 1n')
    return amount


def unit(text: str) -> str:
    """The suffix of a quantity, such as `Mi`; empty if it has none."""
    match = FORM.fullmatch(text)
    return (match["unit"] or "") if match else ""


def millicpus(text: str) -> int:
    """A quantity of CPUs in thousandths, rounded up as the scheduler does.

    Errors: ValueError.
    """
    return int((parse(text) * 1000).to_integral_value(ROUND_CEILING))


def size(text: str) -> int:
    """A quantity in bytes, rounded up. Errors: ValueError."""
    return int(parse(text).to_integral_value(ROUND_CEILING))


def _factor(suffix: str | None, exponent: str | None) -> Decimal:
    if exponent is not None:
        return Decimal(10) ** int(exponent)
    return Decimal(BINARY[suffix]) if suffix in BINARY else DECIMAL[suffix or ""]


def _suggestion(text: str) -> str:
    loose = re.fullmatch(r"\s*([0-9]+(?:[.,][0-9]+)?)\s*([A-Za-z]*)\s*", text)
    if loose is None:
        return ""
    number, letters = loose[1].replace(",", "."), loose[2].lower()
    if letters in {"core", "cores", "cpu", "cpus"}:
        return f'; did you mean "{number}"?'
    prefix = letters.removesuffix("b").removesuffix("i")
    if prefix not in {"", "k", "m", "g", "t", "p"}:
        return ""
    valid = f"{number}{prefix.upper()}i" if prefix else number
    return f'; did you mean "{valid}"?' if FORM.fullmatch(valid) else ""
