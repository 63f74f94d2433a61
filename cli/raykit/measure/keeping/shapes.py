"""The fields of a run record that raykit reads, with their types.

A record is checked once, where its file is read: `runs/` may hold files of other machines, and
files that somebody edited. Code that has a record may rely on these shapes. What a job may print,
or a newer raykit may add, is not listed here and may be anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

from raykit.fields import (
    FLAG,
    TEXT,
    TEXTS,
    By,
    Closed,
    Leaf,
    ListOf,
    MalformedError,
    MapOf,
    Nullable,
    Required,
    Shape,
    check,
)
from raykit.measure import events, run_ids

LARGEST = 1e15
"""Of numbers: larger ones measure nothing, and their sums and ratios overflow."""
SHORTEST = 1e-9
"""Of a makespan, in seconds, if it is not 0: nothing is divided by a smaller one."""


def _refuse_unless(sound: bool) -> None:
    if not sound:
        raise ValueError


def _number(value: float) -> None:
    _refuse_unless(events.is_number(value) and abs(value) < LARGEST)


def _seconds(value: float) -> None:
    _refuse_unless(events.is_seconds(value))


def _count(value: int) -> None:
    _refuse_unless(0 <= value < LARGEST)


def _makespan(value: float) -> None:
    _seconds(value)
    _refuse_unless(value == 0 or abs(value) >= SHORTEST)


def _run_id(value: str) -> None:
    _refuse_unless(run_ids.is_plain(value))


def _path(value: str) -> None:
    value.encode()
    _refuse_unless("\0" not in value)


def _rows(length: int, types: set[type], largest: float) -> Callable[[list[Any]], None]:
    """Checks lists of so many numbers. There may be 100,000 of them: no Python runs for each."""

    def parse(rows: list[Any]) -> None:
        _refuse_unless({*map(type, rows)} <= {list} and {*map(len, rows)} <= {length})
        numbers = list(chain.from_iterable(rows))
        _refuse_unless({*map(type, numbers)} <= types)
        _refuse_unless(not numbers or -largest < min(numbers) <= max(numbers) < largest)

    return parse


def _event(kind: str) -> Leaf:
    """A timing line of the job: what `events` takes, with fields of the job's own."""

    def parse(value: Mapping[str, Any]) -> None:
        whole = {**value, "raykit": events.FORMAT, "event": kind}
        _refuse_unless(events.is_event(whole))

    return Leaf((dict,), f"a {kind} line of a job", parse)


def _plain(value: object) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        _number(value)


NUMBER = Leaf((int, float), "a number", _number)
TIME = Leaf((int, float), "a time or length in seconds", _seconds)
COUNT = Leaf((int,), "a count", _count)
CODE = Leaf((int,), "an exit code", _number)
RUN_ID = Leaf((str,), "the name of a run", _run_id)
PATH = Leaf((str,), "a path", _path)
PLAIN = Leaf((str, bool, int, float), "a text, a number or a truth value", _plain)
PLAINS = MapOf(Nullable(PLAIN))
INTERVALS = Leaf((list,), "a list of starts and ends", _rows(2, {int, float}, events.LARGEST))
ONE_BY_ONE = Leaf((list,), "a list of starts, lengths and names", _rows(3, {int}, LARGEST))
SPAN, RESULT, ERROR, START = map(_event, ("span", "result", "error", "start"))
MAY_BE_TEXT, MAY_BE_NUMBER = Nullable(TEXT), Nullable(NUMBER)

JOB = {
    "name": Required(TEXT),
    "arguments": Required(TEXTS),
    "entrypoint": TEXTS,
}
TARGET = {
    **dict.fromkeys(("chosen", "kind", "context", "url", "route", "rayjob_uid"), MAY_BE_TEXT),
    **dict.fromkeys(("namespace", "cluster", "rayjob"), MAY_BE_TEXT),
    "folder": Nullable(PATH),
}
MACHINE = {
    **dict.fromkeys(("cpu_model", "platform", "boot_id"), MAY_BE_TEXT),
    **dict.fromkeys(("cpu_count", "memory_bytes", "load"), MAY_BE_NUMBER),
}
VERSIONS = MapOf(MAY_BE_TEXT)
PHASE = {
    "name": Required(TEXT),
    "start": Required(TIME),
    "seconds": Required(TIME),
    "source": TEXT,
    "clock": TEXT,
    "resolution": TIME,
}
BRING_UP = {**PHASE, "source": Required(TEXT), "clock": Required(TEXT)}
CLOCK = By(
    lambda clock: dict.fromkeys(
        ("offset_seconds", "uncertainty_seconds"),
        Required(TIME) if isinstance(clock, dict) and clock.get("corrected") else Nullable(TIME),
    )
)

NODE = dict.fromkeys(("name", "boot_id"), MAY_BE_TEXT)
POD = {
    **dict.fromkeys(("name", "role", "group", "node", "image", "image_digest"), MAY_BE_TEXT),
    **dict.fromkeys(("requests", "limits"), Nullable(MapOf(Nullable(PLAIN)))),
}
CLUSTER = {
    **dict.fromkeys(("name", "context", "namespace", "uid"), MAY_BE_TEXT),
    "machines": MAY_BE_NUMBER,
    "nodes": Nullable(ListOf(NODE)),
    "pods": Nullable(ListOf(POD)),
    "bring_up": Nullable(ListOf(BRING_UP)),
}

LANE = {
    "node": Required(TEXT),
    "cpu": Required(COUNT),
    "busy_seconds": Required(TIME),
    "intervals": Required(INTERVALS),
    "kind": TEXT,
    "name": TEXT,
    "failed": INTERVALS,
    "tasks": ONE_BY_ONE,
}
ACTOR_LANE = {**LANE, "name": Required(TEXT)}
ENDED = {"time": Required(TIME), "why": MAY_BE_TEXT, "lost": Required(FLAG)}
ARM = dict.fromkeys(("times", "seconds", "tasks", "cpus"), Required(NUMBER))
COUNTED: Mapping[str, Any] = {
    "count": Required(COUNT),
    "task_cpus": Required(NUMBER),
    **dict.fromkeys(("dropped", "failed", "retried"), COUNT),
    "nodes": MapOf(NUMBER),
    "came": MapOf(TIME),
    "ended": MapOf(ENDED),
    "names": MapOf(COUNT),
    "arms": MapOf(ARM),
    "lanes": ListOf(By(lambda lane: ACTOR_LANE if _is_actors(lane) else LANE)),
    **dict.fromkeys(("most_at_once", "cpus_used", "lanes_used"), COUNT),
    **dict.fromkeys(("first_start", "last_end", "busy_seconds"), TIME),
    **dict.fromkeys(("most_cpus_asked", "least_cpus_asked", "cpu_seconds"), NUMBER),
    **dict.fromkeys(("cpu_seconds_offered", "least_wait"), NUMBER),
    "makespan": Leaf((int, float), "a time in seconds", _makespan),
    "last_finished": Nullable(TIME),
    "waited_for_each_other": FLAG,
}
IN_LANES = ("first_start", "makespan")
MEASURED = (
    *("first_start", "last_end", "makespan", "busy_seconds", "most_cpus_asked", "cpus_used"),
    *("cpu_seconds", "cpu_seconds_offered", "waited_for_each_other"),
)
"""Fields that come with lanes, and with `cpu_seconds`; records of the first days have none."""


def _summary(tasks: Any) -> Shape:
    """The shape of a summary of tasks, which says more the more Ray knew of them."""
    if not isinstance(tasks, dict) or not tasks:
        return {}
    needed = (IN_LANES if tasks.get("lanes") else ()) + (MEASURED if "cpu_seconds" in tasks else ())
    return {**COUNTED, **{name: Required(COUNTED[name]) for name in needed}}


def _is_actors(lane: Any) -> bool:
    return isinstance(lane, dict) and lane.get("kind") == "actor"


HEAD: Mapping[str, Any] = {
    "id": Required(RUN_ID),
    "submission_id": Required(TEXT),
    "job": Required(JOB),
    "target": Required(TARGET),
    "started": Required(TIME),
    "status": TEXT,
    "ended": Nullable(TIME),
}
IN_A_LIST = {
    **{name: shape for name, shape in HEAD.items() if name != "id"},
    "target": Required(dict.fromkeys(("kind", "cluster"), MAY_BE_TEXT)),
}
"""The fields that a list of runs shows: of 10,000 runs, no more is checked."""

RECORD = Closed(
    {
        "schema": COUNT,
        **HEAD,
        "versions": Required(VERSIONS),
        "machine": Required(MACHINE),
        "message": TEXT,
        "error_type": MAY_BE_TEXT,
        **dict.fromkeys(("driver_exit_code", "exit_code"), Nullable(CODE)),
        "phases": ListOf(Closed(PHASE)),
        "start": Nullable(START),
        "spans": ListOf(SPAN),
        "results": ListOf(RESULT),
        "errors": ListOf(ERROR),
        "cluster": CLUSTER,
        "tasks": By(_summary),
        "log": PLAINS,
        "notes": TEXTS,
        "clock": CLOCK,
        "cause": MAY_BE_TEXT,
    }
)


def check_depth(data: Any) -> None:
    """Errors: MalformedError for data that is nested deeper than any raykit writes it."""
    level = [data]
    for _ in range(DEEPEST):
        level = [
            item
            for part in level
            for item in (part.values() if isinstance(part, dict) else part)
            if isinstance(item, dict | list)
        ]
        if not level:
            return
    raise MalformedError(f"it is nested more than {DEEPEST} levels deep")


DEEPEST = events.DEEPEST + 10
"""Levels of a whole record: a timing line may have most of them."""


def check_record(data: Any) -> None:
    """Errors: MalformedError naming the field of a record that no raykit writes so."""
    if isinstance(data, dict):
        check_depth(data)
    check(data, RECORD, "")


def check_head(data: Any) -> None:
    """Errors: as for `check_record`, of the fields that a list shows."""
    check(data, IN_A_LIST, "")
