"""`raykit bench` as one types it: how options become arms."""

import csv

import pytest

from raykit.app.commands.measuring import bench

SPEC = """
name: shape
head: {memory: 2Gi}
workers: [{name: small, replicas: 1, taskCpus: 1, memory: 2Gi}]
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--on", "a"], "a comparison needs two arms"),
        (["--on", "a", "--on", "a"], "an arm is named twice"),
        (["--on", "a", "--on", "b", "--workers", "1,2"], "--workers needs a spec"),
        (["-f", "SPEC", "--workers", "1,x"], "whole numbers of workers"),
        (["-f", "SPEC", "--workers", "1,1"], "whole numbers of workers"),
        (["-f", "SPEC", "--workers", "0,1"], "whole numbers of workers"),
        (["--on", "a", "--on", "b", "--cold", "1"], "--cold would do nothing"),
        (["--on", "a", "--on", "b", "--p", "a"], "an arm and its task CPUs"),
        (["--on", "a", "--on", "b", "--p", "a=nan"], "an arm and its task CPUs"),
    ],
)
def test_options_that_make_no_experiment_are_refused(raykit, tmp_path, words, said):
    spec = tmp_path / "shape.yaml"
    spec.write_text(SPEC)
    words = [spec if word == "SPEC" else word for word in words]
    code, _, err = raykit("bench", "fib", *words)
    assert (code, said in err) == (2, True), err


def test_a_number_of_workers_is_an_arm_of_its_own(raykit, tmp_path, monkeypatch):
    spec = tmp_path / "shape.yaml"
    spec.write_text(SPEC)
    monkeypatch.setenv("RAYKIT_RUNS", str(tmp_path))
    words = ["-f", spec, "--workers", "1,2", "--dry-run", "--seed", "4", "--id", "x"]
    code, out, err = raykit("bench", "fib", *words, "--", "--size", "9")
    assert code == 0, err
    assert out == (
        "experiment x: fib --size 9\n"
        "6 rounds of 2 arms, 1 warm-up each; seed 4; strong scaling\n"
        "\n"
        "ARM      ON       P  TASKS  DONE\n"
        "shape-1  shape-1  1      2     0\n"
        "shape-2  shape-2  2      2     0\n"
        "14 runs to make\n"
        "how long: unknown, no run of fib is on record here\n"
    )


@pytest.fixture
def measured(tmp_path, monkeypatch, make_record):
    """An experiment of six rounds on disk; `two` takes half of the time of `one`."""
    from raykit.measure.experiment import experiments
    from raykit.measure.experiment.experiments import Experiment, Made
    from raykit.measure.experiment.plan import Plan, Purpose, Scaling, Step
    from raykit.measure.records import RunsFolder

    monkeypatch.setenv("RAYKIT_RUNS", str(tmp_path))
    runs, made = RunsFolder(tmp_path), []
    for arm, factor in (("one", 1.0), ("two", 0.5)):
        for number in range(1, 7):
            run = f"20261126-00000{number}-{arm}"
            span = {"name": "t", "arm": "tasks", "start": 0.0, "seconds": factor * (2 + number / 9)}
            runs.write(make_record(id=run, status="SUCCEEDED", spans=[span], ended=1795477379.0))
            made.append(Made(Step(arm, Purpose.measured, number), run))
    arms = {arm: {"p": p, "tasks": 2, "asked": arm} for arm, p in (("one", 1.0), ("two", 2.0))}
    plan, job = Plan(("one", "two"), 6), {"name": "fib", "arguments": ["--size", "9"]}
    experiments.write(runs, Experiment("try", job, plan, Scaling.strong, arms, 0.0, made))


def test_compare_shows_an_experiment_the_answer_first(raykit, measured):
    code, out, err = raykit("compare", "try")
    assert code == 0, err
    assert out.startswith("two took 0.50 (0.50-0.50) of one's time (6 rounds): faster.\n")
    assert max(map(len, out.splitlines())) <= 80


def test_the_beginning_of_an_experiments_id_names_it_where_no_other_begins_so(
    raykit, measured, tmp_path
):
    folder = (tmp_path / "try").rename(tmp_path / "20261126-bench")
    text = (folder / "experiment.json").read_text()
    (folder / "experiment.json").write_text(text.replace('"try"', f'"{folder.name}"'))
    for words in (["compare"], ["runs", "export", "--output-file", str(tmp_path / "x.tar.gz")]):
        code, _, err = raykit(*words, "20261126-b")
        assert code == 0, err
    code, _, err = raykit("compare", "20261126-")
    assert code == 2
    assert "is the beginning of 12 runs" in err
    assert raykit("compare", "2026")[0] == 2
    assert raykit("compare", "nothing")[0] == 7


def test_the_beginning_of_a_run_and_of_an_experiment_names_neither(raykit, measured, tmp_path):
    (tmp_path / "20261126-000001-once").mkdir()
    text = (tmp_path / "try/experiment.json").read_text()
    (tmp_path / "20261126-000001-once/experiment.json").write_text(text)
    code, _, err = raykit("compare", "20261126-000001-on")
    assert code == 2
    assert "20261126-000001-once" in err
    assert "20261126-000001-one, a run" in err


@pytest.mark.parametrize("words", [("runs", "show"), ("compare", "20261126-000001-one")])
def test_an_experiment_where_a_run_is_meant_is_called_one(raykit, measured, words):
    code, _, err = raykit(*words, "try")
    assert code == 7
    assert "try is an experiment, not a run" in err
    assert "raykit compare try" in err


def test_a_condition_that_holds_ends_with_10_after_the_table(raykit, measured):
    code, out, err = raykit("compare", "try", "-o", "markdown", "--fail-if", "speedup<2.5")
    assert code == 10
    assert "| two | 2 | 6 |" in out
    assert "speedup<2.5 holds for two" in err


def test_a_price_adds_the_cost_of_a_run_and_says_what_is_counted(raykit, measured):
    out = raykit("compare", "try", "--price", "3600")[1]
    assert "two: cost 20 a run" in out
    assert "CPUs requested" in out
    assert max(map(len, out.splitlines())) <= 80
    rows = raykit("compare", "try", "--price", "3600", "-o", "csv")[1].splitlines()
    assert rows[1].endswith(",20.0")  # two CPUs, ten seconds, 1 a CPU second
    page = raykit("compare", "try", "--price", "3600", "-o", "markdown")[1]
    assert "- two: 20 a run" in page


@pytest.mark.parametrize("price", ["nan", "-1", "inf", "much"])
def test_a_price_is_a_number(raykit, measured, price):
    assert raykit("compare", "try", "--price", price)[0] == 2


def test_without_a_price_nothing_is_said_of_costs(raykit, measured):
    assert "cost" not in raykit("compare", "try")[1]


def test_the_table_as_csv_has_a_row_an_arm(raykit, measured):
    code, out, _ = raykit("compare", "try", "-o", "csv")
    assert code == 0
    assert [line.split(",")[0] for line in out.splitlines()] == ["arm", "one", "two"]
    two = list(csv.DictReader(out.splitlines()))[1]
    for name, value in (("ratio", 0.5), ("seconds", float(two["seconds"]))):
        assert float(two[f"{name}_low"]) <= value <= float(two[f"{name}_high"])


def test_conditions_need_an_experiment(raykit, measured):
    words = ("20261126-000001-one", "20261126-000001-two", "--fail-if", "speedup<1")
    assert raykit("compare", *words)[0] == 2


def test_a_password_in_an_address_is_in_no_arm_that_an_experiment_keeps():
    (arm,) = bench._arms(["https://me:s3cr3t@host/ray"], [], None, None, None)
    assert (arm.name, arm.asked) == (
        "https://[redacted]@host/ray",
        "--on https://[redacted]@host/ray",
    )
    assert arm.where.on == "https://me:s3cr3t@host/ray"
