"""An experiment's order: whole rounds, every arm once in each, repeatable from its seed."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.measure.experiment.plan import Plan, Purpose, Scaling, Step, seconds_left, tasks

plans = st.builds(
    Plan,
    arms=st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=5, unique=True).map(tuple),
    rounds=st.integers(1, 6),
    warm_ups=st.integers(0, 2),
    cold=st.integers(0, 2),
    seed=st.integers(0, 2**32),
)


@given(plans)
def test_every_round_runs_every_arm_once(plan):
    measured = [step for step in plan.steps() if step.purpose is Purpose.measured]
    assert Counter((step.round, step.arm) for step in measured) == Counter(
        (number, arm) for number in range(1, plan.rounds + 1) for arm in plan.arms
    )
    assert [step.round for step in measured] == sorted(step.round for step in measured)


@given(plans)
def test_the_same_seed_gives_the_same_order(plan):
    again = Plan(plan.arms, plan.rounds, plan.warm_ups, plan.cold, plan.seed)
    assert again.steps() == plan.steps()


def test_the_order_differs_from_round_to_round():
    measured = Plan(("a", "b"), 40, 0, seed=7).steps()
    first = Counter(step.arm for step in measured[::2])
    assert min(first["a"], first["b"]) >= 10


@given(plans, st.data())
def test_what_is_done_is_not_done_again(plan, data):
    steps = plan.steps()
    done = data.draw(st.lists(st.sampled_from(range(len(steps))), unique=True))
    left = plan.remaining([steps[index] for index in done])
    assert Counter(left) + Counter(steps[index] for index in done) == Counter(steps)


def test_more_rounds_keep_the_order_of_the_finished_ones():
    short, long = Plan(("a", "b", "c"), 2, seed=3), Plan(("a", "b", "c"), 5, seed=3)
    assert long.steps()[: len(short.steps())] == short.steps()


def test_arms_that_join_share_their_rounds_with_all_others():
    plan = Plan(("a", "b"), 2, 0, seed=3)
    grown = plan.adding(("c",), 3)
    assert grown.steps()[: len(plan.steps())] == plan.steps()
    rounds = [(step.round, step.arm) for step in grown.steps()]
    assert sorted(rounds)[4:] == [(number, arm) for number in (3, 4, 5) for arm in "abc"]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({}, None),
        ({"a": [2.0], "b": [4.0]}, 6.0),
        ({"a": [2.0, 2.0, 50.0], "b": []}, 4.0),
    ],
)
def test_the_time_left_comes_from_the_runs_so_far(seconds, expected):
    steps = [Step("a", Purpose.measured, 1), Step("b", Purpose.measured, 1)]
    assert seconds_left(steps, seconds) == expected


def test_strong_scaling_gives_every_arm_the_work_of_the_largest():
    assert tasks(Scaling.strong, {"one": 1, "four": 4}) == {"one": 4, "four": 4}
    assert tasks(Scaling.strong, {"one": 1, "four": 4}, per_cpu=3) == {"one": 12, "four": 12}


def test_weak_scaling_gives_each_cpu_the_same_work():
    assert tasks(Scaling.weak, {"one": 1, "four": 4}, per_cpu=2) == {"one": 2, "four": 8}


def test_work_as_given_is_left_to_the_job():
    assert tasks(Scaling.given, {"one": 1}) == {"one": None}
