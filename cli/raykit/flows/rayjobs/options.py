"""What the options of `--as rayjob` say, for the command line and for Python programs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from raykit.errors import UsageError
from raykit.flows.clusters import consent, up
from raykit.flows.ranges import DEADLINE, KEPT, Range
from raykit.flows.rayjobs.submit import AsRayJob
from raykit.manifests.submission import Deletion, Lifetime

RULE = re.compile(r"(?:(SUCCEEDED|FAILED):)?(workers|cluster|rayjob)=(\d{1,8})", re.ASCII)


def as_rayjob(
    file: Path | str | None,
    namespace: str | None,
    deadline: int | None,
    start_deadline: int | None,
    ttl: int | None,
    delete: Sequence[str],
    confirm: consent.Confirm,
) -> AsRayJob:
    """What the options say. Errors: UsageError (2); SpecError (3) for the spec."""
    _check("deadline", DEADLINE, deadline)
    _check("start_deadline", DEADLINE, start_deadline)
    _check("ttl", KEPT, ttl)
    if ttl is not None and delete:
        raise UsageError(
            "--ttl would do nothing: --delete says what is deleted when", next="leave --ttl out"
        )
    rules = tuple(map(_deletion, delete))
    spec = None if file is None else up.read_spec(Path(file), namespace=namespace)
    return AsRayJob(Lifetime(deadline, start_deadline, ttl, rules), spec, confirm)


def refuse(given: Mapping[str, object]) -> None:
    """Refuse arguments that only RayJobs have. given: their values by their names.

    Errors: UsageError (2) with those that are set.
    """
    # 0 seconds are set, and equal to False.
    names = " and ".join(
        name
        for name, value in given.items()
        if value is not None and value is not False and value != ()
    )
    if names:
        raise UsageError(
            f"{names} would do nothing: only as_='rayjob' uses such arguments",
            next=f"leave {names} out",
        )


def _check(name: str, allowed: Range, given: int | None) -> None:
    allowed.check(name, given)
    if given is not None and (isinstance(given, bool) or not isinstance(given, int)):
        raise UsageError(f"{name}: {given!r} is not a whole number of seconds")


def _deletion(word: str) -> Deletion:
    match = RULE.fullmatch(word)
    if match is None:
        raise UsageError(
            f"--delete {word!r} is no rule",
            next="--delete cluster=600, or --delete FAILED:workers=0",
        )
    return Deletion(match[2], int(match[3]), match[1])
