"""The fields of an experiment's file that raykit reads, with their types; checked where it is
read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raykit.fields import (
    TEXT,
    TEXTS,
    Closed,
    Leaf,
    ListOf,
    MalformedError,
    MapOf,
    Nullable,
    Required,
    check,
)
from raykit.measure.experiment.break_even import LOCAL, TASKS
from raykit.measure.experiment.plan import Purpose, Scaling
from raykit.measure.keeping.shapes import COUNT, NUMBER, RUN_ID, TIME, check_depth

MOST_ROUNDS = 1_000_000
"""Of an experiment: each round is a run, and all of them are listed to find those that are left."""


def _up_to_most(value: float) -> None:
    if not 0 <= value <= MOST_ROUNDS:
        raise ValueError


def _names(value: list[Any]) -> None:
    if not value or not all(isinstance(name, str) for name in value):
        raise ValueError


ROUNDS = Leaf((int,), "a number of rounds", _up_to_most)
P = Leaf((int, float), "a number of task CPUs", _up_to_most)
ARM = {
    "p": Required(P),
    "tasks": Required(Nullable(COUNT)),
    "asked": TEXT,
    "on": TEXT,
}
PLAN = {
    "arms": Required(Leaf((list,), "a list of names of arms", _names)),
    **dict.fromkeys(("rounds", "warm_ups", "cold"), Required(ROUNDS)),
    "seed": Required(Leaf((int,), "a whole number")),
    "joined": MapOf(ROUNDS),
}
MADE = {
    "arm": Required(TEXT),
    "purpose": Required(Leaf((str,), "the purpose of a run", Purpose)),
    "round": Required(ROUNDS),
    "size": Nullable(COUNT),
    "run": Required(RUN_ID),
}
PREDICTION = {
    **dict.fromkeys(("p", "base_p", "speedup"), Required(NUMBER)),
    **dict.fromkeys(("low", "high"), Required(Nullable(NUMBER))),
    "sizes": Required(ListOf(NUMBER)),
}
SEARCH = {
    **dict.fromkeys(("smallest", "largest", "rounds"), Required(COUNT)),
    "most_sizes": ROUNDS,
}
BREAK_EVEN = {
    "search": Required(Closed(SEARCH)),
    "limit": Nullable({"size": Required(COUNT), "why": Required(TEXT)}),
}
EXPERIMENT = {
    "id": Required(RUN_ID),
    "job": Required({"name": Required(TEXT), "arguments": Required(TEXTS)}),
    "plan": Required(Closed(PLAN)),
    "scaling": Required(Leaf((str,), "a word for how the work grows", Scaling)),
    "arms": Required(MapOf(ARM)),
    "started": Required(TIME),
    "made": Required(ListOf(MADE)),
    "predictions": ListOf(Closed(PREDICTION)),
    "break_even": Nullable(BREAK_EVEN),
}


def check_experiment(data: Mapping[str, Any]) -> None:
    """Errors: MalformedError naming the field of an experiment that no raykit writes so."""
    check_depth(data)
    check(data, EXPERIMENT, "")
    named = {*data["plan"]["arms"], *((LOCAL, TASKS) if data.get("break_even") else ())}
    if unknown := sorted(named - set(data["arms"])):
        raise MalformedError(f"arms.{unknown[0]} is missing")
