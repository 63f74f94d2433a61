"""Intervals from ranks: against tables, against counting, and by how often they hold."""

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.measure import statistics
from raykit.measure.statistics import (
    Ratio,
    Timing,
    independent_ratio,
    paired_ratio,
    ratio,
    serial_fraction,
)


def counted_rank_sum_cut(n, m):
    """The cut of Mann and Whitney's U by counting all arrangements."""
    counts = [0] * (n * m + 1)
    for ranks in itertools.combinations(range(n + m), n):
        counts[sum(rank - index for index, rank in enumerate(ranks))] += 1
    return statistics._cut(counts)


def counted_signed_rank_cut(n):
    counts = [0] * (n * (n + 1) // 2 + 1)
    for signs in itertools.product((0, 1), repeat=n):
        counts[sum(rank for rank, sign in enumerate(signs, 1) if sign)] += 1
    return statistics._cut(counts)


def test_cuts_are_those_of_counting_every_arrangement():
    for n, m in itertools.product(range(1, 7), repeat=2):
        assert statistics._rank_sum_cut(n, m) == counted_rank_sum_cut(n, m)
    for n in range(1, 12):
        assert statistics._signed_rank_cut(n) == counted_signed_rank_cut(n)


def test_cuts_are_those_of_printed_tables():
    """Two-sided 5 %: critical values plus one (Wilcoxon; Mann and Whitney; the sign test)."""
    assert [statistics._signed_rank_cut(n) for n in (5, 6, 7, 8, 10, 20)] == [0, 1, 3, 4, 9, 53]
    assert [statistics._rank_sum_cut(n, n) for n in (3, 4, 5, 8, 10, 20)] == [0, 1, 3, 14, 24, 128]
    assert [statistics._binomial_cut(n) for n in (5, 6, 8, 9, 12, 20)] == [0, 1, 1, 2, 3, 6]


def test_above_fifty_samples_the_approximation_goes_on_where_the_count_ends():
    for cut in (statistics._signed_rank_cut, lambda n: statistics._rank_sum_cut(n, n)):
        steps = [cut(n + 1) - cut(n) for n in range(45, 56)]
        assert all(before - 1 <= after for before, after in itertools.pairwise(steps))


def test_an_interval_begins_at_six_pairs_at_four_against_four_and_at_six_for_a_median():
    five, six = [1.0, 1.1, 1.2, 1.3, 1.4], [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]
    assert paired_ratio(five, five).low is None
    assert paired_ratio(six, six).low == 1
    assert independent_ratio(five[:3], five[:3]).low is None
    assert independent_ratio(five[:4], five[:4]).low is not None
    assert Timing.of(five).low is None
    assert (Timing.of(six).low, Timing.of(six).high) == (1.0, 1.5)


@pytest.mark.parametrize("estimate", [paired_ratio, independent_ratio])
@pytest.mark.parametrize("noise", ["normal", "long tails"])
def test_intervals_hold_as_often_as_they_say(estimate, noise):
    rounds, trials, generator = 8, 1500, random.Random(7)

    def draw():
        step = generator.gauss(0, 0.1)
        tails = 1.0 if noise == "normal" else abs(generator.gauss(0, 1)) + 1e-3
        return math.exp(step / tails)

    held = 0
    for _ in range(trials):
        found = estimate([2 * draw() for _ in range(rounds)], [draw() for _ in range(rounds)])
        held += found.low <= 2 <= found.high
    assert held / trials >= 0.94


TIMES = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=12)


@given(TIMES, TIMES)
def test_an_estimate_lies_within_its_interval_and_turns_round_with_its_sides(over, under):
    found = independent_ratio(over, under)
    if found.low is not None:
        assert found.low <= found.value <= found.high
    turned = independent_ratio(under, over)
    assert turned.value == pytest.approx(1 / found.value)
    assert turned.inverted().value == pytest.approx(found.value)


def test_arms_of_one_run_are_paired_where_each_round_has_both():
    over, under = [10.0, 20.0, 30.0], [5.0, 10.0, 15.0]
    assert ratio(over, under) == Ratio(pytest.approx(2.0))
    assert ratio(over, under[:2]) == independent_ratio(over, under[:2])


def test_no_ratio_is_made_over_nothing_or_of_nothing():
    assert paired_ratio([1.0], [0.0]) is None
    assert independent_ratio([0.0, 1.0], [1.0]) is None
    assert independent_ratio([], [1.0]) is None
    with pytest.raises(ValueError, match="no samples"):
        Timing.of([])


def test_times_of_which_no_float_holds_the_ratio_still_have_an_estimate():
    longest, shortest = [1e300] * 6, [5e-324] * 6
    for estimate in (paired_ratio, independent_ratio, statistics.median_ratio):
        ratio = estimate(longest, shortest)
        assert ratio is not None
        assert math.isfinite(ratio.value)
        assert math.isfinite(ratio.inverted().value)


def test_a_ratio_prints_its_interval_and_nothing_where_it_has_none():
    assert str(Ratio(1.776, 1.7, 1.85)) == "1.78 (1.70-1.85)"
    assert str(Ratio(1.776)) == "1.78"
    assert Ratio(4.0, 2.0, 8.0).divided(2) == Ratio(2.0, 1.0, 4.0)


@pytest.mark.parametrize(
    ("low", "high", "decided"),
    [(1.1, 1.2, True), (0.8, 0.9, True), (0.9, 1.1, False), (None, None, False)],
)
def test_a_difference_is_decided_where_the_interval_leaves_out_one(low, high, decided):
    assert Ratio(1.0, low, high).decided is decided


@pytest.mark.parametrize(
    ("speedup", "p", "expected"),
    [
        (2, 2, 0),
        (1, 2, 1),
        (1.6, 2, 0.25),
        (3, 1, None),
        (2.7, 2, None),
        (0.004, 2, None),
        (1.24, 1, None),
    ],
)
def test_karp_and_flatts_serial_fraction_only_where_it_means_something(speedup, p, expected):
    assert serial_fraction(speedup, p) == (
        expected if expected is None else pytest.approx(expected)
    )
