"""The judge of the run under random faults: it notices each way in which raykit could be wrong."""

from dataclasses import replace

import pytest

from tests.chaos import Submission, figures, summary, wrong

GOOD = Submission("a", "operator", 1.0, frozenset({"operator"}), False, 0, "sum is 55\n")
GOOD = replace(GOOD, status="SUCCEEDED", began=1, ended=1)
LOST = replace(
    GOOD,
    fault="Kubernetes node",
    struck=frozenset({"Kubernetes node", "head"}),
    code=20,
    text="FAILED: the head was lost before it said how the driver ended",
    status="FAILED",
    ended=0,
)
AWAY = replace(GOOD, fault="API server", struck=frozenset({"API server"}))
REFUSED = replace(AWAY, code=5, text="error", status=None, began=0, ended=0)
UNFINISHED = replace(AWAY, code=6, text="error", status="UNFINISHED", later=0)


@pytest.mark.parametrize(
    "right",
    [
        GOOD,
        LOST,
        replace(LOST, ended=1),
        replace(LOST, ended=1, earlier=1.0),
        REFUSED,
        replace(REFUSED, code=6, status="NOT_SUBMITTED"),
        UNFINISHED,
        replace(LOST, code=6, text="error", status="UNFINISHED", later=6),
    ],
)
def test_what_raykit_may_say_is_right(right):
    assert wrong(right) is None


@pytest.mark.parametrize(
    "one",
    [
        replace(GOOD, began=2),
        replace(GOOD, began=0, ended=0),
        replace(GOOD, ended=0),
        replace(GOOD, text=""),
        replace(GOOD, status="UNFINISHED"),
        replace(GOOD, code=1),
        replace(GOOD, code=130),
        replace(GOOD, code=None),
        replace(GOOD, code=5, status=None, began=0, ended=0),
        replace(GOOD, code=6, status="NOT_SUBMITTED", began=0, ended=0),
        replace(GOOD, code=20, status="FAILED", text=LOST.text, ended=0),
        replace(LOST, struck=frozenset({"Kubernetes node", "worker"})),
        replace(LOST, text="FAILED with exit status 1"),
        replace(LOST, status="UNFINISHED"),
        replace(LOST, text="FAILED: the head was lost, and its driver with it"),
        replace(LOST, ended=1, earlier=5.0),
        replace(REFUSED, began=1),
        replace(REFUSED, status="UNFINISHED"),
        replace(REFUSED, code=6, status="NOT_SUBMITTED", began=1),
        replace(REFUSED, code=6, status=None),
        replace(UNFINISHED, later=None),
        replace(UNFINISHED, later=6),
        replace(UNFINISHED, ended=0),
        replace(LOST, code=6, status="UNFINISHED", later=0),
        replace(LOST, code=6, text="the head does not know the job a", later=6),
    ],
)
def test_a_job_that_is_lost_runs_twice_or_ends_with_a_wrong_code_is_noticed(one):
    assert wrong(one)


def test_the_figures_count_each_exit_code_of_each_fault():
    late, unseen = replace(GOOD, over=True), replace(LOST, ended=1)
    made = figures([GOOD, late, LOST, unseen, replace(GOOD, began=2)], 125.0)
    assert made["faults"] == {"Kubernetes node": {"20": 2}, "operator": {"0": 3}}
    assert (made["submits"], made["wrong"], made["late"], made["minutes"]) == (5, 1, 1, 2)
    assert made["unseen"] == 1
    assert summary(made).splitlines()[1] == "  Kubernetes node killed in 2: exit 20: 2"
