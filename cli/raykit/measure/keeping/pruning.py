"""Which runs `raykit runs prune` may delete, and why others stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from raykit.measure.keeping.summaries import UNREADABLE, Summary
from raykit.measure.records import UNFINISHED

OF_EXPERIMENT = "needed by an experiment (--experiments deletes both)"
OF_YOUNGER = "of an experiment whose other runs stay"
MAY_RUN = "whose end raykit did not see, so they may still run (--unfinished deletes them)"
CANNOT_BE_READ = "that cannot be read: look at them, then delete them by hand"


@dataclass(frozen=True)
class Rule:
    """What is too old: older than so many seconds, and not among the newest `keep`.

    At least one of the two is given. unfinished: also runs that raykit did not see end.
    experiments: also runs that an experiment needs; such an experiment goes as a whole.
    """

    older_than: float | None = None
    keep: int | None = None
    unfinished: bool = False
    experiments: bool = False


@dataclass(frozen=True)
class Choice:
    """What to delete: ids of runs and of experiments. kept: why old ones stay, by id."""

    runs: list[str] = field(default_factory=list)
    experiments: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)


def choose(
    runs: Sequence[Summary], experiments: Mapping[str, Sequence[str]], rule: Rule, now: float
) -> Choice:
    """What the rule names.

    runs: oldest first; experiments: ids of the runs that each needs; now: Unix seconds.
    """
    old = {run.id: run for run in _old(runs, rule, now)}
    kept = {name: reason for name, run in old.items() if (reason := _protected(run, rule))}
    there = {run.id for run in runs}
    gone = []
    for experiment, needs in experiments.items():
        present = [name for name in needs if name in there]
        all_old = all(name in old and name not in kept for name in present)
        if rule.experiments and all_old and present:
            gone.append(experiment)
        else:
            why = OF_YOUNGER if rule.experiments else OF_EXPERIMENT
            kept |= {name: why for name in present if name in old and name not in kept}
    return Choice([name for name in old if name not in kept], gone, kept)


def _old(runs: Sequence[Summary], rule: Rule, now: float) -> list[Summary]:
    beyond = runs if rule.keep is None else runs[: max(len(runs) - rule.keep, 0)]
    if rule.older_than is None:
        return list(beyond)
    limit = now - rule.older_than
    return [run for run in beyond if (run.ended or run.started) < limit]


def _protected(run: Summary, rule: Rule) -> str | None:
    if run.status == UNREADABLE:
        return CANNOT_BE_READ
    if run.status == UNFINISHED and not rule.unfinished:
        return MAY_RUN
    return None
