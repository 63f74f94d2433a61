"""The order of an experiment: warm-ups first, then whole rounds in which every arm runs once.

Arms that alternate share whatever the machine does meanwhile; arms that follow one another do not.
The order within a round is random, so that no arm always runs second, and comes from a seed, so
that it can be repeated.
"""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Purpose(StrEnum):
    """What a run of an experiment is for."""

    warm_up = "warm-up"
    cold = "cold"
    measured = "measured"


class Scaling(StrEnum):
    """How the work follows the task CPUs p: the same work, work that grows with p, or as given."""

    strong = "strong"
    weak = "weak"
    given = "as-given"


@dataclass(frozen=True)
class Step:
    """One run to make. round: from 1 on, 0 for warm-ups. size: where the experiment varies it."""

    arm: str
    purpose: Purpose
    round: int
    size: int | None = None

    def as_dict(self) -> dict[str, object]:
        data = {"arm": self.arm, "purpose": str(self.purpose), "round": self.round}
        return data if self.size is None else {**data, "size": self.size}


@dataclass(frozen=True)
class Plan:
    """What an experiment will run.

    arms: their names; rounds: measured runs of each arm; warm_ups and cold: unmeasured and
    cold-start runs of each arm, before the rounds; seed: of the order within each round.
    joined: the first round of each arm that was added later; the others were there from round 1.
    """

    arms: tuple[str, ...]
    rounds: int
    warm_ups: int = 1
    cold: int = 0
    seed: int = 0
    joined: Mapping[str, int] = field(default_factory=dict)

    def adding(self, arms: Sequence[str], rounds: int) -> Plan:
        """The plan with more arms: they and all others run so many rounds together, after the
        rounds that are planned already."""
        first = self.rounds + 1
        joined = {**self.joined, **dict.fromkeys(arms, first)}
        return replace(self, arms=(*self.arms, *arms), rounds=self.rounds + rounds, joined=joined)

    def steps(self) -> list[Step]:
        """All runs, in their order."""
        cold = [
            Step(arm, Purpose.cold, number)
            for number in range(1, self.cold + 1)
            for arm in self._shuffled(f"cold {number}")
        ]
        warm_ups = [
            Step(arm, Purpose.warm_up, 0) for _ in range(self.warm_ups) for arm in self.arms
        ]
        measured = [
            Step(arm, Purpose.measured, number)
            for number in range(1, self.rounds + 1)
            for arm in self._shuffled(str(number))
            if self.joined.get(arm, 1) <= number
        ]
        return cold + warm_ups + measured

    def remaining(self, done: Sequence[Step]) -> list[Step]:
        """The runs that are not made yet; `done` names those that ended well, in any order."""
        left = list(done)
        steps = []
        for step in self.steps():
            if step in left:
                left.remove(step)
            else:
                steps.append(step)
        return steps

    def _shuffled(self, label: str) -> list[str]:
        def key(arm: str) -> str:
            return hashlib.sha256(f"{self.seed}/{label}/{arm}".encode()).hexdigest()

        return sorted(self.arms, key=key)


def seconds_left(steps: Sequence[Step], seconds: Mapping[str, Sequence[float]]) -> float | None:
    """How long runs will take, from how long runs of each arm took so far (by arm, whole runs).

    An arm that has not run yet counts as the mean of the others; None if no arm has run.
    """
    known = {arm: statistics.median(own) for arm, own in seconds.items() if own}
    if not known:
        return None
    usual = statistics.fmean(known.values())
    return math.fsum(known.get(step.arm, usual) for step in steps)


def tasks(scaling: Scaling, p: Mapping[str, float], per_cpu: int = 1) -> dict[str, int | None]:
    """The number of tasks that each arm runs, by its task CPUs p; None leaves it to the job.

    strong: the largest p in every arm, times `per_cpu`; weak: `per_cpu` for each of its CPUs.
    """
    if scaling is Scaling.given:
        return dict.fromkeys(p)
    cpus = {arm: max(int(value), 1) for arm, value in p.items()}
    if scaling is Scaling.strong:
        return dict.fromkeys(p, max(cpus.values()) * per_cpu)
    return {arm: value * per_cpu for arm, value in cpus.items()}
