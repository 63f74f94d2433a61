"""The jobs on a real Ray of two task CPUs, run as their own processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.local
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def job():
    """Run a job against one Ray: (exit status, its text, its events, its errors)."""
    ray = pytest.importorskip("ray", reason="needs Ray, which the extra [local] installs")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - clean.keys():
            patch.delenv(name)
        patch.setenv("PYTHONPATH", str(ROOT))
        found = ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        clean |= {"RAY_ADDRESS": found.address_info["address"], "PYTHONPATH": str(ROOT)}
        # Ray turns its token mode on by itself and says so in the environment.
        clean |= {"RAY_AUTH_MODE": os.environ.get("RAY_AUTH_MODE", "disabled")}

        def run(*words):
            done = subprocess.run(
                [sys.executable, "-m", *map(str, words)],
                env=clean,
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=500,
            )
            lines = done.stdout.splitlines()
            events = [json.loads(line) for line in lines if line.startswith('{"raykit"')]
            text = [line for line in lines if not line.startswith('{"raykit"')]
            for result in of(events, "result"):  # without these two, compare can refuse nothing
                assert (result["task_cpus"], bool(result["work"])) == (2, True)
            return done.returncode, text, events, done.stderr

        yield run
        ray.shutdown()


def of(events, kind):
    return [event for event in events if event["event"] == kind]


def test_fib_prints_the_tutorials_lines_and_a_result_that_agrees(job):
    status, text, events, _ = job("jobs.fib", "--size", 20_000, "--repeat", 2)
    assert status == 0
    assert text[0].startswith("Sequence size: 20000, Local execution time: ")
    assert text[1].startswith("Sequence size: 20000, Remote execution time: ")
    assert "on p = 2 task CPUs, parallel efficiency: " in text[2]
    assert [event["event"] for event in events] == ["start", *["span"] * 5, "result"]
    arms = [(span["arm"], span["repeat"]) for span in of(events, "span") if "arm" in span]
    assert arms == [("local", 0), ("tasks", 0), ("local", 1), ("tasks", 1)]
    data = events[-1]["data"]
    assert (data["size"], data["tasks"], data["p"], data["agree"]) == (20_000, 4, 2, True)
    assert data["local_ran_as"] == "driver"
    assert len(data["local_seconds"]) == len(data["tasks_seconds"]) == 2
    assert data["efficiency"] == pytest.approx(data["speedup"] / 2)


def test_fib_returns_whole_sequences_that_agree(job):
    status, text, events, _ = job(
        "jobs.fib", "--size", 3_000, "--tasks", 5, "--returns", "sequence", "--repeat", 1
    )
    assert status == 0
    assert "Local and remote results agree (whole sequences)." in text
    assert events[-1]["data"]["tasks"] == 5


def test_fibs_warm_up_takes_a_task_for_each_cpu_and_not_for_each_task(job):
    status, _, events, _ = job("jobs.fib", "--size", 1_000, "--tasks", 40, "--repeat", 1)
    assert status == 0
    (warm_up,) = [span for span in of(events, "span") if span["name"] == "warm-up"]
    assert warm_up["tasks_at_once"] == 2


def test_fib_runs_one_arm_alone(job):
    for mode in ("local", "tasks"):
        status, _, events, _ = job("jobs.fib", "--size", 1_000, "--mode", mode, "--repeat", 1)
        assert status == 0
        assert {span["arm"] for span in of(events, "span") if "arm" in span} == {mode}
        assert events[-1]["data"]["speedup"] is None


def test_fib_refuses_a_size_that_would_not_fit_before_any_work(job):
    status, text, events, errors = job("jobs.fib", "--size", 5_000_000)
    assert status == 3
    assert text == []
    assert [event["event"] for event in events] == ["start", "error"]
    assert events[-1]["cause"] == "memory"
    assert "the largest --size that fits here is" in errors


@pytest.mark.parametrize("method", ["tasks", "actors"])
def test_gsod_answers_over_the_sample(job, method):
    status, text, events, _ = job("jobs.gsod", "--method", method)
    assert status == 0
    assert text[:4] == [
        "No --data: the sample's years are compared (2020 2024, TEMP >= 80 °F).",
        "Number of stations in common: 2",
        "2020 - High temp count for common stations: 108",
        "2024 - High temp count for common stations: 18",
    ]
    data = events[-1]["data"]
    assert [year["hits"] for year in data["years"]] == [108, 18]
    assert [year["rows"] for year in data["years"]] == [731, 438]
    assert any("coverage decides" in warning for warning in data["warnings"])
    names = {span["name"] for span in of(events, "span")}
    assert {"load:2020", "load:2024", "makespan"} <= names
    if method == "actors":
        assert data["actors"]["common_hits"] == [108, 18]


def test_gsod_loads_more_actors_than_there_are_cpus(job):
    status, _, events, _ = job("jobs.gsod", "--method", "actors", "--years", "2015..2024")
    assert status == 0
    assert len(events[-1]["data"]["actors"]["rows"]) == 10


def test_gsod_lists_the_years_that_are_there_and_exits_with_9(job):
    sample = ROOT / "jobs" / "data" / "gsod"
    status, text, events, errors = job("jobs.gsod", "--data", sample)
    assert status == 9
    assert not any("High temp count" in line for line in text)
    assert events[-1]["event"] == "error"
    assert events[-1]["cause"] == "data"
    assert "years there: 2015..2024" in errors


@pytest.mark.parametrize("method", ["tasks", "actors"])
def test_gsod_refuses_a_damaged_archive_and_gives_no_number(job, tmp_path, method):
    for year in (2020, 2024):
        whole = (ROOT / f"jobs/data/gsod/{year}.tar.gz").read_bytes()
        (tmp_path / f"{year}.tar.gz").write_bytes(whole[:-100] if year == 2024 else whole)
    status, text, events, errors = job(
        "jobs.gsod", "--method", method, "--data", tmp_path, "--years", 2020, 2024
    )
    assert status == 9
    assert text == []
    assert [event["event"] for event in events] == ["start", "error"]
    assert "2024.tar.gz is cut short" in errors


def test_the_tutorials_loader_answers_too_and_says_what_it_is(job):
    status, text, events, _ = job("jobs.gsod", "--method", "tutorial")
    assert status == 0
    assert text[1:4] == [
        "Number of stations in common: 2",
        "2020 - High temp count for common stations: 108",
        "2024 - High temp count for common stations: 18",
    ]
    assert "nothing is checked" in text[4]
    assert events[-1]["data"]["years"][0]["rows"] == 731


def test_the_tutorials_loader_is_refused_where_it_would_not_fit(job, tmp_path):
    for year in (2020, 2024):
        size = (3 * 10**9).to_bytes(4, "little")
        (tmp_path / f"{year}.tar.gz").write_bytes(bytes(100) + size)
    status, _, events, errors = job(
        "jobs.gsod", "--method", "tutorial", "--data", tmp_path, "--years", 2020, 2024
    )
    assert status == 3
    assert events[-1]["cause"] == "memory"
    assert "6.0 GB of CSV" in errors


def test_objects_are_read_both_ways_and_the_sums_agree(job):
    status, text, events, _ = job("jobs.objects", "--mib", 20, "--readers", 3, "--repeat", 2)
    assert status == 0
    data = events[-1]["data"]
    assert data["agree"]
    assert [row["way"] for row in data["rows"]] == ["put once", "send copies"]
    assert all(len(row["seconds"]) == 2 for row in data["rows"])
    assert text[-1] == "There is one Ray node: nothing was read across nodes."


def test_objects_that_would_not_fit_are_refused_before_any_work(job):
    status, text, events, errors = job("jobs.objects", "--mib", 900_000)
    assert status == 3
    assert text == []
    assert events[-1]["cause"] == "memory"
    assert "the smallest object store takes" in errors


def test_scikit_learn_gives_the_same_scores_with_and_without_ray(job):
    pytest.importorskip("sklearn", reason="scikit-learn comes with an extra of its own")
    status, text, events, errors = job("jobs.sklearn", "--trees", 3, "--folds", 3, "--rows", 600)
    assert status == 0, errors
    data = events[-1]["data"]
    assert data["agree"]
    assert (data["rows"], data["p"], len(data["scores"])) == (600, 2, 3)
    assert text[-1] == "The scores of all folds are the same."
