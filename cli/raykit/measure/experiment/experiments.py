"""Experiments: which runs belong together, in which order they were made, and for what.

    runs/<experiment id>/experiment.json    plan, arms, and the run of each finished step

The runs themselves are ordinary records in the same folder. The file is written after every run, so
that an experiment that broke off continues where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from raykit.errors import ConflictError, RecordError, UsageError
from raykit.files import read_own
from raykit.measure import events, run_ids
from raykit.measure.experiment.outlook import Prediction
from raykit.measure.experiment.plan import Plan, Purpose, Scaling, Step
from raykit.measure.experiment.shape import check_experiment
from raykit.measure.records import EXPERIMENT, LARGEST_RECORD, RunsFolder, write_atomically

SCHEMA = 1
FILE = EXPERIMENT


@dataclass(frozen=True)
class Made:
    """One finished step and the id of its run."""

    step: Step
    run: str


@dataclass
class Experiment:
    """One experiment.

    job: the job's name, and `arguments` as the user gave them. arms: by name, what is known of
    each: `p` (task CPUs), `tasks` (the number of tasks raykit asked for, or None), `on` (where it
    runs), `images` (digests). scaling: how the work follows p. started: Unix seconds.
    predictions: what was expected of sizes that were not measured yet.
    break_even: of a search for the break-even size: `search` (what may be tried), `points` (a size
    each), `limit` (a size that failed, or None), `answer` (None while it goes on); else None.
    """

    id: str
    job: dict[str, Any]
    plan: Plan
    scaling: Scaling
    arms: dict[str, dict[str, Any]]
    started: float
    made: list[Made] = field(default_factory=list)
    break_even: dict[str, Any] | None = None
    predictions: list[Prediction] = field(default_factory=list)
    schema: int = SCHEMA

    def remaining(self) -> list[Step]:
        """The steps that have no run yet, in their order."""
        return self.plan.remaining([each.step for each in self.made])

    def runs(
        self, arm: str, purpose: Purpose = Purpose.measured, size: int | None = None
    ) -> list[tuple[int, str]]:
        """Round and run id of each finished run of an arm, and of a size, by round."""
        wanted = (arm, purpose, size)
        own = [m for m in self.made if (m.step.arm, m.step.purpose, m.step.size) == wanted]
        return sorted((made.step.round, made.run) for made in own)

    def differences(self, other: Experiment) -> list[str]:
        """What two definitions of an experiment do not have in common, a line each."""
        mine, theirs = self._definition(), other._definition()
        return [
            f"{key}: {theirs[key]}, not {mine[key]}" for key in mine if mine[key] != theirs[key]
        ]

    def without(self, arms: Iterable[str]) -> Experiment:
        """The same experiment as if it did not have these arms."""
        left = {name: arm for name, arm in self.arms.items() if name not in set(arms)}
        return replace(self, arms=left, plan=replace(self.plan, arms=tuple(left)))

    def as_dict(self) -> dict[str, Any]:
        """The experiment as JSON data, `schema` first."""
        data = asdict(self)
        data["scaling"] = str(self.scaling)
        data["made"] = [{**each.step.as_dict(), "run": each.run} for each in self.made]
        return {"schema": data.pop("schema"), **data}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Experiment:
        """The experiment of JSON data. Errors: ValueError naming what is wrong with it."""
        if data.get("schema") != SCHEMA:
            raise ValueError(f"schema {data.get('schema')}, this raykit reads {SCHEMA}")
        check_experiment(data)
        plan = data["plan"]
        made = [
            Made(
                Step(each["arm"], Purpose(each["purpose"]), each["round"], each.get("size")),
                each["run"],
            )
            for each in data["made"]
        ]
        return cls(
            id=data["id"],
            job=data["job"],
            plan=Plan(**{**plan, "arms": tuple(plan["arms"])}),
            scaling=Scaling(data["scaling"]),
            arms=data["arms"],
            started=data["started"],
            made=made,
            break_even=data.get("break_even"),
            predictions=[Prediction.from_dict(each) for each in data.get("predictions", [])],
        )

    def _definition(self) -> dict[str, Any]:
        asked = {name: arm.get("asked") for name, arm in self.arms.items()}
        return {
            "job": [self.job["name"], *self.job["arguments"]],
            "arms": asked,
            "scaling": str(self.scaling),
            "warm-ups": self.plan.warm_ups,
            "cold starts": self.plan.cold,
            "break-even": (self.break_even or {}).get("search"),
        }


def check_id(runs: RunsFolder, experiment_id: str) -> None:
    """Check the name that a user gives an experiment.

    Errors: UsageError (2) for one that no folder can have, or that means the newest run;
    ConflictError (8) for that of a run.
    """
    if run_ids.is_last(experiment_id):
        raise UsageError(
            f"--id {experiment_id}: that word names the newest run", next="choose another id"
        )
    if not run_ids.is_plain(experiment_id):
        raise UsageError(
            f"--id {experiment_id!r} cannot be the name of an experiment",
            next="letters, digits, '.', '_' and '-', at most 128",
        )
    if runs.has(experiment_id):
        raise ConflictError(
            f"--id {experiment_id}: there is a run of that name", next="choose another id"
        )


def write(runs: RunsFolder, experiment: Experiment) -> Path:
    """Write an experiment's file. Errors: RecordError (7) if the disk refuses."""
    text = json.dumps(experiment.as_dict(), indent=2, allow_nan=False) + "\n"
    path = runs.folder(experiment.id) / FILE
    write_atomically(path, text.encode())
    return path


def read(runs: RunsFolder, experiment_id: str) -> Experiment | None:
    """The experiment of that id; None if there is none.

    Errors: RecordError (7) if its file is damaged or of another schema.
    """
    path = runs.folder(experiment_id) / FILE
    try:
        data = events.loads(read_own(path, LARGEST_RECORD))
        if not isinstance(data, dict):
            raise ValueError("it is no JSON object")
        return Experiment.from_dict(data)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(
            f"the experiment {path} cannot be read",
            evidence=[str(error)],
            next="start another with --id NAME",
        ) from error
