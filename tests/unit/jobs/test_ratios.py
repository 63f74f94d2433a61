"""A job's speedup is the one that raykit's own pages show of the same rounds."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import ratios
from raykit.measure import compare, statistics
from raykit.measure.records import RunsFolder

RUNS = Path(__file__).parents[2] / "data" / "runs"
RUN = "20261126-100403-fib-a3cb"
SECONDS = st.floats(1e-6, 1e6)


@given(st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=12))
def test_a_jobs_speedup_is_raykits_whatever_the_rounds_took(rounds):
    local, tasks = zip(*rounds, strict=True)
    raykits = statistics.ratio(local, tasks)
    assert ratios.speedup(local, tasks) == pytest.approx(raykits.value, rel=1e-12)


def test_the_job_prints_the_speedup_and_the_efficiency_that_compare_shows_of_its_run():
    (tasks,) = [arm for arm in compare.arms_of(RunsFolder(RUNS).read(RUN)) if arm.speedup]
    log = (RUNS / RUN / "driver.log").read_text("utf-8").splitlines()
    (result,) = [json.loads(line) for line in log if '"event": "result"' in line]
    data = result["data"]
    speedup = ratios.speedup(data["local_seconds"], data["tasks_seconds"])
    shown = f"Speedup: {tasks.speedup.value:.2f} on p = 2 task CPUs, "
    shown += f"parallel efficiency: {tasks.efficiency.value:.2f}"
    assert ratios.line(speedup, data["p"]) == shown


@pytest.mark.parametrize(
    ("local", "tasks"), [([], []), ([1.0], []), ([1.0, 2.0], [1.0]), ([0.0], [1.0]), ([1.0], [0.0])]
)
def test_there_is_no_speedup_unless_every_round_timed_both_arms(local, tasks):
    assert ratios.speedup(local, tasks) is None


def test_one_slow_round_of_four_does_not_decide_the_speedup():
    assert ratios.speedup([2.0] * 4, [1.0, 1.0, 1.0, 9.0]) == pytest.approx(2.0)
