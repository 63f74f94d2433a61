"""`raykit report` as one types it: where the file goes, and what is refused."""

import builtins
import json

import pytest

from raykit.measure.experiment import experiments
from raykit.measure.records import RunsFolder
from tests.measured import experiment, run

SIX = [2.0, 2.1, 2.2, 2.3, 2.4, 2.5]


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A folder with one run, and an experiment of two arms called `try`."""
    folder = RunsFolder(tmp_path / "runs")
    monkeypatch.setenv("RAYKIT_RUNS", str(folder.path))
    monkeypatch.chdir(tmp_path)
    folder.write(run("20261125-072122-fib-4c15"))
    found, records = experiment({"one": SIX, "two": [seconds / 2 for seconds in SIX]})
    for record in records.values():
        folder.write(record)
    experiments.write(folder, found)
    return folder


def test_the_report_lies_beside_the_record_unless_told_otherwise(raykit, runs, tmp_path):
    code, out, err = raykit("report", "20261125-072122-fib-4c15")
    path = runs.path / "20261125-072122-fib-4c15" / "report.html"
    assert (code, out, err) == (0, f"{path}\n", "")
    assert path.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert raykit("report", "last", "--output", "here.html")[:2] == (0, "here.html\n")
    assert (tmp_path / "here.html").is_file()


def test_words_that_name_a_run_by_its_age_name_it_here_too(raykit, runs):
    before, *_ = runs.ids()
    code, out, _ = raykit("report", f"last~{len(runs.ids()) - 1}")
    assert (code, out) == (0, f"{runs.path / before / 'report.html'}\n")


def test_an_experiment_has_its_arms_and_the_command_that_repeats_it(raykit, runs):
    assert raykit("report", "try", "--baseline", "two")[0] == 0
    page = (runs.path / "try" / "report.html").read_text("utf-8")
    again = "raykit bench fib --on one --on two --repeat 6 --warm-up 1 --seed 7"
    assert f"{again} --scaling strong -- --size 9\nraykit report try" in page
    assert "one took 2.00 (2.00-2.00) of two&#x27;s time" in page


def test_a_price_adds_what_a_run_of_each_arm_cost(raykit, runs):
    assert raykit("report", "try", "--price", "3600")[0] == 0
    page = (runs.path / "try" / "report.html").read_text("utf-8")
    assert "cost a run" in page
    assert "at 3600 per CPU hour" in page
    assert "raykit report try --price 3600" in page


def test_specs_and_numbers_of_workers_are_named_once(runs):
    from raykit.flows.experiments.report import _bench_again

    found, _ = experiment({"a-1": SIX, "a-2": SIX})
    for number, arm in enumerate(found.arms.values(), 1):
        arm["asked"] = f"-f a.yaml --workers {number}"
    assert "fib -f a.yaml --workers 1,2 --repeat 6" in _bench_again(found)


@pytest.mark.parametrize(
    ("asked", "place"),
    [("without --on", ""), ("-f my spec.yaml", " -f 'my spec.yaml'"), ("--on a", " --on a")],
)
def test_what_was_asked_for_is_asked_for_again_word_by_word(runs, asked, place):
    from raykit.flows.experiments.report import _search_again

    found, _ = experiment({"local": SIX, "tasks": SIX})
    found.break_even = {"search": {"smallest": 1, "largest": 9, "rounds": 8}}
    for arm in found.arms.values():
        arm["asked"] = asked
    assert f"--break-even{place} --sizes 1..9" in _search_again(found)


def test_a_search_for_the_break_even_size_is_repeated_by_its_own_command(runs):
    from raykit.flows.experiments.report import _search_again

    found, _ = experiment({"local": SIX, "tasks": SIX})
    found.break_even = {"search": {"smallest": 4000, "largest": 256000, "rounds": 8}}
    for arm in found.arms.values():
        arm["asked"] = "--on one"
    again = "raykit bench fib --break-even --on one --sizes 4000..256000 --repeat 8"
    assert _search_again(found) == f"{again} --warm-up 1 --seed 7 -- --size 9"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nothing",), 7, "there is no run nothing"),
        (("20261125-072122-fib-4c15", "--output", "."), 2, "is a folder"),
        (("20261125-072122-fib-4c15", "--baseline", "one"), 2, "has no arms"),
        (("20261125-072122-fib-4c15", "--price", "1"), 2, "has no arms"),
        (("try", "--price", "nan"), 2, "--price"),
        (("try", "--baseline", "three"), 2, "there is no arm three"),
        (("try", "--output", "/dev/full/x"), 7, "could not be written"),
    ],
)
def test_what_cannot_be_reported_is_said(raykit, runs, words, code, said):
    found, out, err = raykit("report", *words)
    assert (found, out, said in err) == (code, "", True), err


def test_without_the_extra_it_says_what_to_install(raykit, runs, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError("No module named 'matplotlib'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    code, _, err = raykit("report", "try")
    assert code == 4
    assert "pip install 'matplotlib>=3.10,<4'" in err


def test_a_record_keeps_each_list_of_numbers_on_one_line_and_reads_the_same(runs):
    path = runs.path / "20261125-072122-fib-4c15" / "record.json"
    text = path.read_text("utf-8")
    data = json.loads(text)
    tasks = data["tasks"]["lanes"][0]["tasks"]
    assert f"[{', '.join(map(str, tasks[0]))}]" in text
    assert runs.read("20261125-072122-fib-4c15").as_dict() == data
