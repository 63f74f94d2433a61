"""`raykit runs prune` on a folder of runs: what goes, what stays, and what is said."""

import json
import re
import shutil

import pytest

from raykit.flows.keeping import pruning
from raykit.measure.experiment import experiments
from raykit.measure.experiment.experiments import Experiment, Made
from raykit.measure.experiment.plan import Plan, Purpose, Scaling, Step
from raykit.measure.keeping.evidence import EVIDENCE
from raykit.measure.records import EVENTS, LOG

OLD, NEW = 1.0, 4e9
"""Ends long ago, and in a hundred years."""


@pytest.fixture
def run(runs, make_record):
    """`run(day, ended)`: a run with log and events; its id."""

    def make(day, ended=OLD, **fields):
        name = f"202601{day:02}-000000-fib-aaaa"
        fields = {"status": "SUCCEEDED", "ended": ended} | fields
        runs.write(make_record(id=name, submission_id=name, **fields))
        (runs.folder(name) / LOG).write_bytes(b"x" * 1000)
        (runs.folder(name) / EVENTS).write_bytes(b"{}\n")
        return name

    return make


def names(runs):
    return sorted(path.name for path in runs.path.iterdir())


def test_old_runs_go_and_what_that_freed_is_said(raykit, runs, run):
    old, new = run(1), run(2, NEW)
    size = sum(path.stat().st_size for path in runs.folder(old).iterdir())
    code, out, err = raykit("runs", "prune", "--older-than", "30d", "--yes")
    assert (code, err) == (0, "")
    assert out == f"{old}\ndeleted 1 run, freed {size / 1e6:.1f} MB\n"
    assert names(runs) == [new]


def test_old_evidence_of_clusters_goes_and_that_of_runs_goes_with_them(raykit, runs, run):
    old, new = run(1), run(2, NEW)
    (runs.folder(old) / EVIDENCE).write_bytes(b"x" * 100)
    for name in ("20260101-000000-one-aaaa", "29990101-000000-one-aaaa"):
        runs.folder(name).mkdir()
        (runs.folder(name) / EVIDENCE).write_bytes(b"x" * 100)
    code, out, _ = raykit("runs", "prune", "--older-than", "30d", "--yes")
    assert code == 0, out
    assert names(runs) == [new, "29990101-000000-one-aaaa"]


def test_a_dry_run_deletes_nothing_and_asks_nobody(raykit, runs, run):
    old = run(1)
    code, out, _ = raykit("runs", "prune", "--older-than", "30d", "--dry-run")
    assert code == 0
    assert re.fullmatch(rf"{old}\nwould delete 1 run, 0\.0 MB\n", out)
    assert names(runs) == [old]


def test_without_a_yes_nothing_is_deleted(raykit, runs, run):
    old = run(1)
    code, out, err = raykit("runs", "prune", "--keep", "0")
    assert (code, out) == (2, "")
    assert "error: not confirmed: delete 1 folders" in err
    assert names(runs) == [old]


def test_without_a_rule_nothing_is_old(raykit, runs, run):
    run(1)
    code, _, err = raykit("runs", "prune", "--yes")
    assert (code, "--older-than 30d, or --keep 100" in err) == (2, True)
    assert len(names(runs)) == 1


def test_where_nothing_is_old_nobody_is_asked(raykit, runs, run):
    run(1, NEW)
    assert raykit("runs", "prune", "--older-than", "30d")[:2] == (
        0,
        "deleted 0 runs, freed 0.0 MB\n",
    )


def test_a_run_that_is_followed_stays(raykit, runs, run):
    busy, idle = run(1), run(2)
    with runs.followed(busy):
        code, out, _ = raykit("runs", "prune", "--keep", "0", "--yes")
    assert code == 0
    assert "kept 1 run that a raykit follows right now" in out
    assert names(runs) == [busy]
    assert idle not in names(runs)


def test_a_run_that_may_still_run_stays_until_told(raykit, runs, run):
    name = run(1, None, status="UNFINISHED")
    code, out, _ = raykit("runs", "prune", "--keep", "0", "--yes")
    assert (code, "--unfinished" in out) == (0, True)
    assert names(runs) == [name]
    assert raykit("runs", "prune", "--keep", "0", "--yes", "--unfinished")[0] == 0
    assert names(runs) == []


def test_files_of_somebody_else_are_never_deleted(raykit, runs, run):
    name, mine = run(1), "my notes.txt"
    (runs.folder(name) / mine).write_text("keep")
    code, out, _ = raykit("runs", "prune", "--keep", "0", "--yes", "-o", "json")
    assert code == 0
    assert json.loads(out)["data"]["kept"] == {name: pruning.FOREIGN}
    assert (runs.folder(name) / mine).read_text() == "keep"
    assert (runs.folder(name) / LOG).exists()


def test_a_folder_that_goes_meanwhile_is_no_bug(raykit, runs, run, monkeypatch):
    name = run(1)
    chosen = pruning.choose

    def slow(*given):
        shutil.rmtree(runs.folder(name))
        return chosen(*given)

    monkeypatch.setattr(pruning, "choose", slow)
    assert raykit("runs", "prune", "--keep", "0", "--yes")[0] == 0


def test_a_folder_whose_name_no_run_has_stays(raykit, runs, run):
    content = (runs.folder(run(1)) / "record.json").read_bytes()
    (runs.path / "my run").mkdir()
    (runs.path / "my run" / "record.json").write_bytes(content)
    assert raykit("runs", "prune", "--keep", "0", "--yes")[0] == 0
    assert names(runs) == ["my run"]


def test_a_folder_behind_a_link_stays(raykit, runs, run, tmp_path):
    name = run(1)
    elsewhere = runs.folder(name).rename(tmp_path / "elsewhere")
    runs.folder(name).symlink_to(elsewhere)
    assert raykit("runs", "prune", "--keep", "0", "--yes")[0] == 0
    assert (elsewhere / LOG).exists()


def experiment(runs, name, *ids):
    made = [Made(Step("one", Purpose.measured, n), each) for n, each in enumerate(ids, 1)]
    job, arms = {"name": "fib", "arguments": []}, {"one": {"p": 1.0, "tasks": None}}
    plan = Plan(("one",), len(ids))
    experiments.write(runs, Experiment(name, job, plan, Scaling.given, arms, 0.0, made))


def test_an_experiment_keeps_its_runs_until_told_and_then_goes_whole(raykit, runs, run):
    experiment(runs, "bench-1", run(1), run(2))
    lone = run(3)
    code, out, _ = raykit("runs", "prune", "--keep", "0", "--yes")
    assert (code, lone not in names(runs)) == (0, True)
    assert "kept 2 runs needed by an experiment (--experiments deletes both)" in out
    out = raykit("runs", "prune", "--keep", "1", "--dry-run", "--experiments")[1]
    assert "kept 1 run of an experiment whose other runs stay" in out
    code, out, _ = raykit("runs", "prune", "--keep", "0", "--yes", "--experiments")
    assert "deleted 2 runs and 1 experiment" in out
    assert names(runs) == []


def test_an_experiment_with_files_of_somebody_else_keeps_its_runs(raykit, runs, run):
    needed = [run(1), run(2)]
    experiment(runs, "bench-1", *needed)
    (runs.folder("bench-1") / "notes.txt").write_text("keep")
    words = ("runs", "prune", "--keep", "0", "--yes", "--experiments", "-o", "json")
    code, out, _ = raykit(*words)
    expected = {"bench-1": pruning.FOREIGN} | dict.fromkeys(needed, pruning.BESIDE_FOREIGN)
    assert (code, json.loads(out)["data"]["kept"]) == (0, expected)
    assert names(runs) == sorted([*needed, "bench-1"])


def test_a_report_goes_with_its_run(raykit, runs, run):
    (runs.folder(run(1)) / "report.html").write_text("<html>")
    assert raykit("runs", "prune", "--keep", "0", "--yes")[0] == 0
    assert names(runs) == []


def test_an_experiment_that_cannot_be_read_stops_everything(raykit, runs, run):
    name = run(1)
    experiment(runs, "bench-1", name)
    (runs.folder("bench-1") / "experiment.json").write_text("{")
    code, _, err = raykit("runs", "prune", "--keep", "0", "--yes")
    assert (code, "cannot be read" in err) == (7, True)
    assert name in names(runs)


def test_options_of_the_list_are_refused_beside_another_command(raykit, runs, run):
    run(1)
    code, _, err = raykit("runs", "--limit", "1", "prune", "--keep", "0", "--yes")
    assert (code, "--limit would do nothing" in err) == (2, True)
    assert len(names(runs)) == 1
