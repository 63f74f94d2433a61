"""`raykit bench --break-even` as one types it, and how a search is shown."""

import json

import pytest

from raykit.measure.experiment import break_even_result, experiments
from raykit.measure.experiment.break_even import Search
from raykit.measure.experiment.experiments import Experiment, Made
from raykit.measure.experiment.plan import Plan, Purpose, Scaling, Step
from raykit.measure.records import RunsFolder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--break-even", "--on", "a", "--on", "b"], "searches at one place"),
        (["--break-even", "--workers", "1,2"], "--workers would do nothing"),
        (["--break-even", "--fail-if", "speedup<1"], "--fail-if would do nothing"),
        (["--on", "a", "--on", "b", "--sizes", "1..2"], "--sizes would do nothing"),
        (["--break-even", "--sizes", "9"], "two whole numbers"),
        (["--break-even", "--sizes", "1..٣"], "two whole numbers"),
        (["--break-even", "--sizes", "9..3"], "not from small to large"),
        (["--break-even", "--repeat", "6"], "need 8"),
    ],
)
def test_options_that_make_no_search_are_refused(raykit, words, said):
    code, _, err = raykit("bench", "fib", *words)
    assert (code, said in err) == (2, True), err


def test_a_job_without_sizes_is_refused_with_what_it_would_need(raykit):
    code, _, err = raykit("bench", "gsod", "--break-even")
    assert code == 2
    assert "the job gsod takes no --size and no --mode" in err
    assert "these have both: fib" in err


@pytest.fixture
def searched(tmp_path, monkeypatch, make_record):
    """A search on disk that has measured two sizes."""
    monkeypatch.setenv("RAYKIT_RUNS", str(tmp_path))
    runs, made, search = RunsFolder(tmp_path), [], Search(1_000, 50_000, 8, most_sizes=2)
    for size, local in ((7_100, 0.25), (28_000, 2.0)):
        for mode, seconds in (("local", local), ("tasks", 1.0)):
            for number in range(1, 9):
                run = f"20261126-00000{number}-{mode}-{size}"
                took = seconds * (1 + number / 100)
                span = {"name": mode, "arm": mode, "start": 0.0, "seconds": took}
                work = {"work": {"size": size, "tasks": 4}, "data": {}}
                fields = {"status": "SUCCEEDED", "ended": 1795477379.0}
                runs.write(make_record(id=run, spans=[span], results=[work], **fields))
                made.append(Made(Step(mode, Purpose.measured, number, size), run))
    arm = {"p": 2.0, "tasks": None, "asked": "--on one", "on": "one"}
    experiment = Experiment(
        "try",
        {"name": "fib", "arguments": []},
        Plan(("local", "tasks"), 8),
        Scaling.given,
        {"local": arm, "tasks": arm},
        0.0,
        made,
        {"search": search.as_dict()},
    )
    records = {each.run: runs.read(each.run) for each in made}
    found = break_even_result.of_experiment(experiment, records)
    experiment.break_even = found.stored(None)
    experiments.write(runs, experiment)


def test_compare_shows_a_search_the_answer_first(raykit, searched):
    code, out, err = raykit("compare", "try")
    assert code == 0, err
    assert out.splitlines()[:3] == [
        "Tasks begin to win between 7,100 and 28,000.",
        "Why no closer: all of the 2 sizes are used up. The work was 4 tasks at every",
        "    size.",
    ]
    assert " 7,100  8  0.261  1.045  0.25 (0.25-0.25)  local" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_search_as_json_has_its_points_and_its_answer(raykit, searched):
    data = json.loads(raykit("compare", "try", "-o", "json")[1])["data"]
    assert data["answer"]["low"] == 7_100
    assert [point["winner"] for point in data["points"]] == ["local", "tasks"]
    assert data["points"][0]["ratio"]["low"] is not None


def test_a_search_as_csv_and_markdown_has_a_row_a_size(raykit, searched):
    rows = raykit("compare", "try", "-o", "csv")[1].splitlines()
    assert [row.split(",")[0] for row in rows] == ["size", "7100", "28000"]
    page = raykit("compare", "try", "-o", "markdown")[1]
    assert page.startswith("**Tasks begin to win between 7,100 and 28,000.**\n")
    assert "| 28,000 | 8 | 2.090 | 1.045 | 2.00 (2.00-2.00) | tasks |" in page


def test_options_of_arms_are_refused_for_a_search(raykit, searched):
    code, _, err = raykit("compare", "try", "--baseline", "one")
    assert code == 2
    assert "--baseline would do nothing" in err
