"""Names of runs: makes them, checks them, and finds the run that a user's word names.

20261126-072040-fib-a1b2    a run's id: UTC time of its start, the job's name, four characters
last, last~1, last~2        the newest run, the one before it, and so on
20261126-07                 the beginning of one run's id or submission id
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from raykit.errors import UsageError

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Names that are allowed for a run's folder; Ray accepts all of them as submission ids."""

STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)(?=-)", re.ASCII)
LAST = re.compile(r"last(?:~(\d{1,6}))?")
SHORTEST_BEGINNING = 4
MOST_NAMED = 10


def is_plain(name: str) -> bool:
    """Whether a name is that of one folder inside the runs folder on every file system."""
    return PLAIN.fullmatch(name) is not None


def new(job: str, started: float, mark: str) -> str:
    """A new run's id. started: Unix seconds; mark: random characters, which avoid clashes."""
    stamp = datetime.fromtimestamp(started, UTC).strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-{label(job)}-{mark}"


def label(job: str) -> str:
    """A job's name as its ids have it."""
    kept = (letter if letter.isascii() and letter.isalnum() else "-" for letter in job)
    return "".join(kept)[:40].strip("-") or "job"


def started(run_id: str) -> float | None:
    """The start in an id, Unix seconds; None if it has none."""
    stamp = STAMP.match(run_id)
    if stamp is None:
        return None
    # strptime would take half of the time of a list of 10,000 runs.
    year, month, day, hour, minute, second = map(int, stamp.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def is_last(word: str) -> bool:
    return LAST.fullmatch(word) is not None


def find(word: str, ids: Sequence[str], submission_id: Callable[[str], object]) -> str | None:
    """The id of the run that a word names; None if there is none.

    ids: of all runs, oldest first. submission_id: returns that of a run; None if it is unreadable.

    Errors: UsageError (2) if several runs begin with the word.
    """
    back = LAST.fullmatch(word)
    if back:
        return ids[-1 - int(back[1] or 0)] if int(back[1] or 0) < len(ids) else None
    if word in ids:
        return word
    names = {run_id: run_id for run_id in ids}
    for run_id in reversed(ids):
        submitted = str(submission_id(run_id) or run_id)
        if submitted == word:
            return run_id
        names.setdefault(submitted, run_id)
    matches = sorted({names[name] for name in beginning_with(word, names)})
    if len(matches) > 1:
        raise UsageError(
            f"{word} is the beginning of {len(matches)} runs",
            evidence=matches[-MOST_NAMED:],
            next="give more characters of the id",
        )
    return matches[0] if matches else None


def beginning_with(word: str, names: Iterable[str]) -> list[str]:
    """The names that begin with a word; none for a word of fewer than four characters."""
    if len(word) < SHORTEST_BEGINNING:
        return []
    return [name for name in names if name.startswith(word)]
