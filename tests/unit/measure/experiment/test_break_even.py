"""The search for the break-even size: what it tries, what it says, and how often that is true."""

import math
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.measure.experiment.break_even import (
    CLOSE,
    MOST_SIZES,
    Limit,
    Point,
    Search,
    Winner,
    answer,
    next_size,
    point,
    run,
)
from raykit.measure.statistics import Ratio

SOAK = bool(os.environ.get("RAYKIT_SOAK"))
SEARCHES = 1000 if SOAK else 25

WIDE = Search(1_000, 1_000_000, 8)


class Cost:
    """What a job costs by its size: local a·n^k; tasks a share of that and a fixed overhead."""

    def __init__(self, true_size, power=1.5, share=0.6, noise=0.0, tails=False, seed=0):
        self.true_size, self.power, self.share, self.noise = true_size, power, share, noise
        self.tails, self.random = tails, random.Random(seed)

    def local(self, size):
        return self._noisy(1e-6 * size**self.power)

    def tasks(self, size):
        overhead = 1e-6 * self.true_size**self.power * (1 - self.share)
        return self._noisy(1e-6 * size**self.power * self.share + overhead)

    def _noisy(self, seconds):
        step = self.random.gauss(0, self.noise)
        if self.tails:
            step /= abs(self.random.gauss(0, 1)) + 0.05
        return seconds * math.exp(max(-50, min(50, step)))

    def measure(self, search):
        def at(size):
            rounds = range(search.rounds)
            return point(
                search, size, [self.local(size) for _ in rounds], [self.tasks(size) for _ in rounds]
            )

        return at


def searched(cost, search=WIDE):
    points, limit = run(search, cost.measure(search))
    return points, answer(search, points, limit)


def decided(size, ratio):
    """A point at which one side wins."""
    return Point(size, 8, ratio, 1.0, Ratio(ratio, ratio * 0.99, ratio * 1.01))


def open_at(size):
    return Point(size, 8, 1.0, 1.0, Ratio(1.0, 0.9, 1.1))


def holds(found, true_size):
    return (found.low is None or found.low <= true_size) and (
        found.high is None or true_size <= found.high
    )


@pytest.mark.parametrize("true_size", [1_530, 31_000, 40_000, 600_000])
def test_without_noise_the_interval_is_narrow_and_holds_the_size(true_size):
    points, found = searched(Cost(true_size))
    assert found.low <= true_size <= found.high
    assert found.high / found.low <= CLOSE
    assert len(points) <= MOST_SIZES
    assert found.why == "sizes nearer than a factor of 1.2 are not told apart"


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("tails", [False, True])
def test_the_true_size_lies_in_the_interval_as_often_as_claimed(noise, tails):
    """95 % of searches; RAYKIT_SOAK=1 makes forty times as many of them."""
    held = 0
    for seed in range(SEARCHES):
        drawn = random.Random(seed)
        true_size, share = round(10 ** drawn.uniform(3.2, 5.8)), drawn.uniform(0.2, 0.95)
        _, found = searched(Cost(true_size, share=share, noise=noise, tails=tails, seed=seed))
        held += holds(found, true_size)
    assert held / SEARCHES >= 0.95


def test_more_noise_widens_the_interval_and_names_where_nothing_was_seen():
    def width(noise):
        found = [searched(Cost(40_000, noise=noise, seed=seed))[1] for seed in range(10)]
        return [math.log((answer.high or 1e6) / (answer.low or 1e3)) for answer in found], found

    quiet, _ = width(0.01)
    noisy, answers = width(0.2)
    assert sum(noisy) > 2 * sum(quiet)
    assert any("8 rounds show no difference at" in found.why for found in answers)


def test_pure_noise_gives_no_size():
    """Both modes cost the same at every size: nothing to find, and nothing is made up."""

    def at(size):
        draw = random.Random(size)
        times = [[math.exp(draw.gauss(0, 0.3)) for _ in range(8)] for _ in range(2)]
        return point(WIDE, size, *times)

    points, _ = run(WIDE, at)
    found = answer(WIDE, points)
    assert (found.low, found.high) == (None, None)
    assert found.sentence == "No difference was seen from 1,000 to 1,000,000."


def test_one_size_without_a_difference_is_named_once():
    assert answer(WIDE, [open_at(32_000)]).sentence == "No difference was seen at 32,000."


def test_tasks_that_never_win_are_an_answer():
    points, found = searched(Cost(10**9))
    assert found.sentence == "Tasks never win up to 1,000,000."
    assert (found.low, found.high) == (1_000_000, None)
    assert found.why == "no larger size was to be tried"
    assert [p.size for p in points] == [32_000, 130_000, 520_000, 1_000_000]


def test_tasks_that_always_win_are_an_answer():
    points, found = searched(Cost(10))
    assert found.sentence == "Tasks win at every size from 1,000 on."
    assert (found.low, found.high) == (None, 1_000)
    assert [p.size for p in points] == [32_000, 8_000, 2_000, 1_000]


def test_a_size_at_which_the_job_fails_bounds_the_search():
    cost = Cost(10**9)

    def at(size):
        return Limit(size, "would not fit") if size > 200_000 else cost.measure(WIDE)(size)

    points, limit = run(WIDE, at)
    found = answer(WIDE, points, limit)
    assert found.sentence == "Tasks never win up to 130,000."
    assert limit.size <= 2 * 130_000
    assert "the job failed: would not fit" in found.why


def test_two_crossings_give_no_single_size():
    points = [decided(8_000, 1.5), open_at(32_000), decided(130_000, 0.5)]
    found = answer(WIDE, points)
    assert found.mixed
    assert found.sentence == (
        "There is no single break-even size: tasks win at 8,000, local at 130,000."
    )
    assert next_size(WIDE, points) is None


def test_where_the_first_size_decides_nothing_both_directions_are_tried():
    assert next_size(WIDE, [open_at(32_000)]) == 130_000
    assert next_size(WIDE, [open_at(32_000), decided(130_000, 2.0)]) == 8_000


def test_around_a_size_without_a_difference_both_gaps_are_narrowed():
    points = [decided(8_000, 0.5), open_at(32_000), decided(64_000, 2.0)]
    assert next_size(WIDE, points) == 16_000
    points.append(decided(16_000, 0.8))
    assert next_size(WIDE, points) in (23_000, 45_000)


def test_sizes_that_are_used_up_are_the_reason_of_the_width():
    search = Search(1_000, 1_000_000, 8, most_sizes=2)
    _, found = searched(Cost(40_000), search)
    assert "all of the 2 sizes are used up" in found.why


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ((5, 5, 8), "not from small to large"),
        ((0, 5, 8), "not from small to large"),
        ((1, 5, 7), "10 sizes at 95% need 8"),
    ],
)
def test_a_search_that_could_find_nothing_is_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        Search(*fields)


def test_the_fewest_rounds_can_decide_and_one_fewer_could_not():
    search = Search(1, 2, 8)
    assert point(search, 1, [2.0] * 8, [1.0] * 8).winner is Winner.tasks
    assert point(search, 1, [2.0] * 7, [1.0] * 7).winner is Winner.undecided
    assert point(search, 1, [2.0] * 7 + [0.5], [1.0] * 8).winner is Winner.undecided
    assert point(search, 1, [2.0] * 8, [0.0] * 8) is None


SIDES = st.sampled_from([0.5, 2.0, None])


@given(
    smallest=st.integers(1, 10**6),
    factor=st.integers(2, 10**6),
    sides=st.lists(SIDES, min_size=MOST_SIZES, max_size=MOST_SIZES),
    fails=st.one_of(st.none(), st.integers(2, 10**12)),
)
def test_a_search_ends_within_its_sizes_and_range_whatever_it_meets(smallest, factor, sides, fails):
    search = Search(smallest, smallest * factor, 8)
    left, worked = list(sides), []

    def at(size):
        assert search.smallest <= size <= search.largest
        if fails is not None and size >= fails and worked and size > max(worked):
            return Limit(size, "failed")
        worked.append(size)
        side = left.pop()
        return open_at(size) if side is None else decided(size, side)

    points, limit = run(search, at)
    sizes = [p.size for p in points]
    assert len(set(sizes)) == len(sizes) <= MOST_SIZES
    found = answer(search, points, limit)
    assert found.why != "the search was not finished"
    assert found.mixed or found.low is None or found.high is None or found.low < found.high
