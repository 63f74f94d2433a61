"""The Universal Scalability Law: it finds the law that made the times, and says how surely."""

import math
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.measure.experiment import usl
from raykit.measure.experiment.usl import Law, estimates, fit, of_rounds

SOAK = bool(os.environ.get("RAYKIT_SOAK"))
EXPERIMENTS = 1000 if SOAK else 40
SIZES = (1.0, 2.0, 4.0, 8.0)

COEFFICIENTS = st.floats(0, 1)


@given(st.floats(1e-3, 1e4), COEFFICIENTS, COEFFICIENTS)
def test_without_noise_the_fit_is_the_law_itself(one, contention, coherence):
    law = Law(one, contention, coherence)
    found = fit({p: law.seconds(p) for p in SIZES})
    assert found.one == pytest.approx(one, rel=1e-6)
    assert found.contention == pytest.approx(contention, abs=1e-6)
    assert found.coherence == pytest.approx(coherence, abs=1e-6)


@given(st.lists(st.floats(1e-3, 1e3), min_size=4, max_size=4))
def test_whatever_was_measured_no_coefficient_is_negative_and_none_fits_better_nearby(times):
    measured = dict(zip(SIZES, times, strict=True))
    found = fit(measured)
    assert min(found.contention, found.coherence) >= 0

    def error(law):
        return sum((law.seconds(p) / seconds - 1) ** 2 for p, seconds in measured.items())

    best = error(found)
    for factor in (0.99, 1.01):
        assert error(Law(found.one * factor, found.contention, found.coherence)) >= best - 1e-9
        assert error(Law(found.one, found.contention * factor, found.coherence)) >= best - 1e-9
        assert error(Law(found.one, found.contention, found.coherence * factor)) >= best - 1e-9


def test_amdahls_law_is_the_law_without_coherence():
    law = Law(10.0, 0.1, 0.0)
    assert law.seconds(1) / law.seconds(4) == pytest.approx(1 / (0.1 + 0.9 / 4))
    assert law.peak == math.inf


def test_the_peak_is_where_the_time_is_least():
    law = Law(10.0, 0.05, 0.002)
    times = {p: law.seconds(p) for p in range(1, 100)}
    assert min(times, key=times.get) == round(law.peak)
    assert Law(1.0, 1.5, 0.1).peak == 1.0
    assert Law(1.0, 0.0, 5.0).peak == 1.0


def measured(law, generator, noise, tails, rounds=6):
    """Rounds of all sizes; the whole round shares one disturbance, each run has its own."""

    def draw():
        step = generator.gauss(0, noise)
        return step / (abs(generator.gauss(0, 1)) + 0.3) if tails else step

    shared = [draw() for _ in range(rounds)]
    return {p: [law.seconds(p) * math.exp(drift + draw()) for drift in shared] for p in SIZES}


@pytest.mark.parametrize("tails", [False, True])
@pytest.mark.parametrize("coefficients", [(0.0, 0.0), (0.05, 0.0), (0.02, 0.01), (0.3, 0.002)])
def test_intervals_hold_the_true_values_as_often_as_they_say(coefficients, tails, monkeypatch):
    """RAYKIT_SOAK=1 simulates many more experiments."""
    if not SOAK:
        monkeypatch.setattr(usl, "RESAMPLES", 200)
    law = Law(10.0, *coefficients)
    numbers = [
        lambda found: found.contention,
        lambda found: found.coherence,
        lambda found: found.seconds(1) / found.seconds(16),
    ]
    held = [0] * len(numbers)
    for seed in range(EXPERIMENTS):
        samples = measured(law, random.Random(seed), 0.05, tails)
        for index, found in enumerate(estimates(samples, numbers, seed)):
            true = numbers[index](law)
            held[index] += found.low - 1e-9 <= true <= found.high + 1e-9
    assert min(held) / EXPERIMENTS >= (0.94 if SOAK else 0.875), [
        count / EXPERIMENTS for count in held
    ]


def test_below_six_rounds_there_is_no_interval():
    samples = measured(Law(1.0, 0.1, 0.0), random.Random(1), 0.05, False, rounds=5)
    (found,) = estimates(samples, [lambda law: law.peak], 1)
    assert found.low is None


def test_the_same_data_give_the_same_interval_and_another_seed_nearly_the_same():
    samples = measured(Law(1.0, 0.1, 0.01), random.Random(1), 0.05, False)
    first, again, other = (
        estimates(samples, [lambda law: law.contention], seed)[0] for seed in (1, 1, 2)
    )
    assert first == again
    assert other.high == pytest.approx(first.high, rel=0.2)


def test_one_stray_run_of_six_moves_the_law_little():
    law = Law(1.0, 0.05, 0.001)
    samples = measured(law, random.Random(2), 0.01, False)
    samples[4.0][3] *= 30
    assert of_rounds(samples).seconds(8) == pytest.approx(law.seconds(8), rel=0.05)


def test_students_quantile_is_that_of_tables():
    for freedom, expected in ((5, 2.571), (7, 2.365), (11, 2.201), (30, 2.042)):
        assert usl._student(freedom) == pytest.approx(expected, rel=3e-3)


def test_a_law_needs_three_sizes_and_times_above_zero():
    with pytest.raises(ValueError, match="three sizes"):
        fit({1: 1.0, 2: 0.5})
    with pytest.raises(ValueError, match="above 0"):
        fit({1: 1.0, 2: 0.5, 4: 0.0})
