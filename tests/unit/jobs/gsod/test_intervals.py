"""The functions under the intervals, against exact sums and, where it is there, against SciPy."""

import math
import random

import pytest

from jobs.gsod.intervals import (
    beta_quantile,
    clopper_pearson,
    effective_stations,
    incomplete_beta,
    rate_interval,
    student_t,
)


def at_least(hits, size, share):
    """The probability of at least so many hits, summed term by term."""
    return math.fsum(
        math.comb(size, k) * share**k * (1 - share) ** (size - k) for k in range(hits, size + 1)
    )


@pytest.mark.parametrize("size", [1, 2, 7, 40, 200])
def test_the_incomplete_beta_function_sums_binomial_terms(size):
    for hits in {1, size // 3 or 1, size}:
        for share in (1e-6, 0.01, 0.3, 0.5, 0.97):
            exact = at_least(hits, size, share)
            assert incomplete_beta(hits, size - hits + 1, share) == pytest.approx(exact, rel=1e-10)


def test_a_quantile_gives_its_probability_back():
    luck = random.Random(5)
    for _ in range(300):
        a, b = (10 ** luck.uniform(-1, 5) for _ in range(2))
        probability = luck.uniform(0.001, 0.999)
        x = beta_quantile(probability, a, b)
        if x < 1 - 1e-6:
            assert incomplete_beta(a, b, x) == pytest.approx(probability, abs=1e-7)


@pytest.mark.parametrize(
    ("freedom", "exact"), [(1, 12.706205), (4, 2.776445), (9, 2.262157), (29, 2.045230)]
)
def test_students_t_is_that_of_the_tables(freedom, exact):
    assert student_t(freedom) == pytest.approx(exact, abs=1e-6)


def test_quantiles_are_those_of_scipy():
    stats = pytest.importorskip("scipy.stats", reason="SciPy comes with the extra [sklearn]")
    luck = random.Random(6)
    for _ in range(300):
        a, b = (10 ** luck.uniform(-2, 6) for _ in range(2))
        for probability in (0.005, 0.025, 0.975):
            expected = stats.beta.ppf(probability, a, b)
            assert beta_quantile(probability, a, b) == pytest.approx(expected, rel=1e-6, abs=1e-30)
    for freedom in (1, 1.5, 3, 11.25, 365, 1e6):
        assert student_t(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-8)


def test_the_exact_interval_of_some_of_ten():
    assert clopper_pearson(0, 10) == (0, pytest.approx(0.308497, abs=1e-6))
    assert clopper_pearson(3, 10) == (
        pytest.approx(0.066739, abs=1e-6),
        pytest.approx(0.652453, abs=1e-6),
    )
    assert clopper_pearson(10, 10) == (pytest.approx(0.691503, abs=1e-6), 1)


def test_stations_of_equal_weight_count_each_and_one_that_has_all_counts_alone():
    assert effective_stations([3, 3, 3, 3]) == 4
    assert effective_stations([9, 0, 0, 0]) == 1
    assert effective_stations([0, 0]) == 0


@pytest.mark.parametrize(
    "stations",
    [
        [(0, 365)] * 9,
        [(365, 365)] * 9,
        [(36, 365)] * 9,
        [(131, 365)] + [(0, 365)] * 4,
        [(365, 365)] + [(0, 365)] * 400,
        [(364, 365)] * 8 + [(365, 365)],
        [(1, 1), (0, 1)],
    ],
)
def test_an_interval_has_a_width_holds_the_rate_and_stays_within_its_range(stations):
    low, high = rate_interval(stations)
    share = sum(hits for hits, _ in stations) / sum(days for _, days in stations)
    assert 0 <= low <= share <= high <= 1
    assert low < high
    assert (low > 0) == (share > 0)
    assert (high < 1) == (share < 1)
