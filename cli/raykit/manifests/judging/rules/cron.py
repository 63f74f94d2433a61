"""Rules for a RayCronJob: its schedule and its time zone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from raykit.manifests.judging.rules.values import at, since_1_7, text
from raykit.objects import Object
from raykit.spec.problems import Problem

FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    (
        "month",
        *(1, 12),
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    ),
    ("day of the week", 0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
"""The five fields of a schedule: name, least and largest number, and names for the numbers."""
EVERY = ("yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly")
_INTERVAL = re.compile(r"@every (?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+")
_ZONE_BEFORE = re.compile(r"(?:CRON_)?TZ=\S+ +")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")


def problems(manifest: Object, kuberay: str) -> Iterator[Problem]:
    """What KubeRay refuses in a cron job, besides its job's template."""
    schedule = text(manifest, "spec", "schedule")
    if since_1_7(kuberay) and "TZ" in schedule:
        yield Problem(("spec", "schedule"), "a time zone belongs into timeZone")
    else:
        yield from _schedule(_ZONE_BEFORE.sub("", schedule, count=1))
    zone = at(manifest, "spec", "timeZone")
    if isinstance(zone, str) and not _ZONE.fullmatch(zone):
        wrong = f'"{zone}" is no time zone such as Europe/Paris; left out, that of the operator'
        yield Problem(("spec", "timeZone"), wrong)


def _schedule(schedule: str) -> Iterator[Problem]:
    here = ("spec", "schedule")
    if schedule.startswith("@"):
        if schedule[1:] not in EVERY and not _INTERVAL.fullmatch(schedule):
            known = ", ".join(f"@{name}" for name in EVERY)
            yield Problem(here, f'"{schedule}" is none of {known}, @every 5m')
        return
    words = schedule.split()
    if len(words) != len(FIELDS):
        yield Problem(here, f'"{schedule}" has {len(words)} fields instead of 5, as in 0 3 * * *')
        return
    for word, (name, least, most, known_names) in zip(words, FIELDS, strict=True):
        if not all(_is_part(part, least, most, known_names) for part in word.split(",")):
            yield Problem(here, f'"{word}" is no {name} ({least} to {most})')


def _is_part(part: str, least: int, most: int, known: tuple[str, ...]) -> bool:
    """Whether a part of a field is a number, a range or `*`, with or without a step."""
    span, slash, step = part.partition("/")
    if slash and not (step.isascii() and step.isdigit() and int(step[:9]) > 0):
        return False
    if span in {"*", "?"}:
        return True
    first, dash, last = span.partition("-")
    low = _number(first, least, known)
    high = _number(last, least, known) if dash else low
    return low is not None and high is not None and least <= low <= high <= most


def _number(word: str, least: int, known: tuple[str, ...]) -> int | None:
    if word.lower() in known:
        return known.index(word.lower()) + least
    return int(word[:9]) if word.isascii() and word.isdigit() else None
