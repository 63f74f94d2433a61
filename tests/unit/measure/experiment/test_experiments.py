"""The file of an experiment: written whole, read again, and what makes two of them the same."""

import json

import pytest

from raykit.errors import RecordError
from raykit.measure.experiment import experiments
from raykit.measure.experiment.experiments import Experiment, Made
from raykit.measure.experiment.plan import Plan, Purpose, Scaling, Step
from raykit.measure.records import RunsFolder


@pytest.fixture
def experiment():
    def make(**changed):
        fields = {
            "id": "try",
            "job": {"name": "fib", "arguments": ["--size", "9"]},
            "plan": Plan(("a", "b"), 2, seed=5),
            "scaling": Scaling.strong,
            "arms": {name: {"asked": f"--on {name}", "p": 2.0, "tasks": 2} for name in "ab"},
            "started": 1795477369.0,
        }
        return Experiment(**{**fields, **changed})

    return make


def test_an_experiment_comes_back_as_it_was_written(experiment, tmp_path):
    written = experiment(made=[Made(Step("a", Purpose.measured, 1), "run-1")])
    experiments.write(RunsFolder(tmp_path), written)
    assert experiments.read(RunsFolder(tmp_path), "try") == written


def test_an_experiment_that_is_not_there_is_none(tmp_path):
    assert experiments.read(RunsFolder(tmp_path), "none") is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "plan": 3}', "\x00", '{"schema": 1}']
)
def test_a_damaged_experiment_is_named(tmp_path, text):
    (tmp_path / "try").mkdir()
    (tmp_path / "try" / experiments.FILE).write_text(text)
    with pytest.raises(RecordError, match="cannot be read"):
        experiments.read(RunsFolder(tmp_path), "try")


def test_a_file_of_an_experiment_is_json_with_its_schema_first(experiment, tmp_path):
    path = experiments.write(RunsFolder(tmp_path), experiment())
    assert next(iter(json.loads(path.read_text()))) == "schema"


def test_runs_of_an_arm_come_by_round_and_without_warm_ups(experiment):
    made = [
        Made(Step("a", Purpose.warm_up, 0), "w"),
        Made(Step("a", Purpose.measured, 2), "second"),
        Made(Step("b", Purpose.measured, 1), "other"),
        Made(Step("a", Purpose.measured, 1), "first"),
    ]
    assert experiment(made=made).runs("a") == [(1, "first"), (2, "second")]
    assert experiment(made=made).runs("a", Purpose.warm_up) == [(0, "w")]


def test_experiments_differ_by_job_arms_and_scaling_but_not_by_rounds_or_seed(experiment):
    same = experiment(plan=Plan(("a", "b"), 9, seed=1), started=0.0)
    assert experiment().differences(same) == []
    other = experiment(job={"name": "fib", "arguments": ["--size", "8"]}, scaling=Scaling.weak)
    assert experiment().differences(other) == [
        "job: ['fib', '--size', '8'], not ['fib', '--size', '9']",
        "scaling: weak, not strong",
    ]
