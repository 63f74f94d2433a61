"""Conditions for CI, such as `speedup<1.5`: what must not hold of any arm."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raykit.errors import ConditionError, UsageError

NAMES = ("speedup", "efficiency", "ratio", "seconds")
_FORM = re.compile(r"\s*([a-z]+)\s*(<=|>=|<|>)\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*", re.ASCII)
_COMPARES: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Condition:
    """One condition: a name of NAMES, an operator, a bound."""

    name: str
    operator: str
    bound: float

    def holds(self, value: float) -> bool:
        return _COMPARES[self.operator](value, self.bound)

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.bound:g}"


def parse(text: str) -> Condition:
    """The condition in a text. Errors: UsageError (2) naming what is known."""
    found = _FORM.fullmatch(text)
    if found is None or found[1] not in NAMES:
        raise UsageError(
            f"--fail-if {text!r} is no condition",
            next=f"a name ({', '.join(NAMES)}), one of < <= > >=, a number: 'speedup<1.5'",
        )
    return Condition(found[1], found[2], float(found[3]))


def check(conditions: Sequence[Condition], rows: Sequence[Mapping[str, Any]]) -> None:
    """Hold every condition against every row that has a value for it.

    rows: with the key `arm` and values by name, None if there is none.

    Errors: ConditionError (10) naming each arm for which one holds, and each condition that no arm
    has a value for: what was not measured has not passed.
    """
    holding, unmeasured = [], []
    for condition in conditions:
        measured = [row for row in rows if row.get(condition.name) is not None]
        if not measured:
            unmeasured.append(f"{condition}: {condition.name} was measured for no arm")
        holding += [
            f"{condition} holds for {row['arm']}: {condition.name} {row[condition.name]:.4g}"
            for row in measured
            if condition.holds(float(row[condition.name]))
        ]
    if holding or unmeasured:
        what = "holds" if holding else "cannot be checked"
        raise ConditionError(f"a condition of --fail-if {what}", evidence=[*holding, *unmeasured])
