"""Which runs are old, and which of them stay all the same."""

import pytest

from raykit.measure.keeping.pruning import (
    CANNOT_BE_READ,
    MAY_RUN,
    OF_EXPERIMENT,
    OF_YOUNGER,
    Rule,
    choose,
)
from raykit.measure.keeping.summaries import UNREADABLE, Summary

NOW = 1000.0


def run(name, ended, status="SUCCEEDED"):
    return Summary(name, status, "fib", "fib", "local", ended - 1, ended)


RUNS = [run("a", 100.0), run("b", 200.0), run("c", 300.0), run("d", 900.0)]


@pytest.mark.parametrize(
    ("rule", "gone"),
    [
        (Rule(older_than=500.0), "abc"),
        (Rule(older_than=5000.0), ""),
        (Rule(keep=1), "abc"),
        (Rule(keep=0), "abcd"),
        (Rule(keep=9), ""),
        (Rule(older_than=500.0, keep=2), "ab"),
        (Rule(older_than=850.0, keep=1), "a"),
    ],
)
def test_old_is_what_both_rules_call_old(rule, gone):
    assert "".join(choose(RUNS, {}, rule, NOW).runs) == gone


def test_a_run_of_exactly_that_age_stays():
    assert choose([run("a", 500.0)], {}, Rule(older_than=500.0), NOW).runs == []


def test_a_run_whose_end_was_not_seen_stays_unless_told():
    unseen = Summary("u", "UNFINISHED", "fib", "fib", "", 1.0)
    choice = choose([unseen, *RUNS], {}, Rule(keep=0), NOW)
    assert choice.runs == ["a", "b", "c", "d"]
    assert choice.kept == {"u": MAY_RUN}
    assert choose([unseen], {}, Rule(keep=0, unfinished=True), NOW).runs == ["u"]


def test_what_cannot_be_read_is_never_chosen():
    broken = Summary("x", UNREADABLE, "", "", "", 1.0)
    rule = Rule(older_than=1.0, unfinished=True, experiments=True)
    choice = choose([broken], {}, rule, NOW)
    assert (choice.runs, choice.kept) == ([], {"x": CANNOT_BE_READ})


def test_a_run_that_an_experiment_needs_stays_unless_told():
    choice = choose(RUNS, {"bench": ["a", "c"]}, Rule(older_than=500.0), NOW)
    assert (choice.runs, choice.experiments) == (["b"], [])
    assert choice.kept == {"a": OF_EXPERIMENT, "c": OF_EXPERIMENT}
    choice = choose(RUNS, {"bench": ["a", "c"]}, Rule(older_than=500.0, experiments=True), NOW)
    assert (choice.runs, choice.experiments) == (["a", "b", "c"], ["bench"])


def test_an_experiment_goes_as_a_whole_or_not_at_all():
    choice = choose(RUNS, {"bench": ["a", "d"]}, Rule(older_than=500.0, experiments=True), NOW)
    assert (choice.runs, choice.experiments) == (["b", "c"], [])
    assert choice.kept == {"a": OF_YOUNGER}


def test_an_experiment_without_runs_is_left_alone():
    choice = choose(RUNS, {"begun": []}, Rule(keep=0, experiments=True), NOW)
    assert (len(choice.runs), choice.experiments) == (4, [])
