"""What an experiment was asked for: its job, its arms and how often each runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from raykit.flows.targets.where import Where
from raykit.measure.experiment.plan import Scaling
from raykit.spec.model import ClusterSpec
from raykit.submission.entrypoints import Entrypoint

UNNAMED = "without --on"
"""What `Arm.asked` says of the place where `raykit submit` would run without `--on`."""


@dataclass(frozen=True)
class Arm:
    """One place to measure. spec: the cluster to bring up there; without one it must be up.

    asked: what the user said, by which a resumed experiment is recognised.
    """

    name: str
    where: Where
    asked: str
    spec: ClusterSpec | None = None


@dataclass(frozen=True)
class Request:
    """What `raykit bench` was asked for.

    entrypoint: of a job with given arguments; rounds: measured runs of each arm; warm_ups, cold:
    unmeasured and cold-start runs of each; tasks_per_cpu: for strong and weak scaling;
    p: the task CPUs of arms where they change (autoscaled), by arm; id: to resume or to name the
    experiment; seed: of the order within rounds; timeout: seconds for one run.
    confirm: asked before a cluster is changed in a context that is not raykit's own.
    """

    entrypoint: Callable[[Sequence[str]], Entrypoint]
    job: str
    arguments: tuple[str, ...]
    arms: tuple[Arm, ...]
    rounds: int = 6
    warm_ups: int = 1
    cold: int = 0
    scaling: Scaling = Scaling.given
    tasks_per_cpu: int = 1
    p: Mapping[str, float] = field(default_factory=dict)
    id: str | None = None
    seed: int | None = None
    timeout: float | None = None
    create_namespace: bool = False
    confirm: Callable[[str], bool] = field(default=lambda _: False)


def is_given(option: str, arguments: Sequence[str]) -> bool:
    """Whether a job's arguments hold an option, as `--size 9` or as `--size=9`."""
    return any(word == option or word.startswith(f"{option}=") for word in arguments)
