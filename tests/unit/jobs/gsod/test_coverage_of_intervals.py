"""How often the 95 % intervals hold the true value: measured, not assumed.

Stations are drawn from a beta distribution whose spread gives the correlation of days within one.
RAYKIT_SOAK=1 draws 1,500 samples for each case instead of 40.
"""

import os
from itertools import product

import pytest

from jobs.gsod.rates import change, rate

np = pytest.importorskip("numpy", reason="NumPy comes with the extra [gsod]")

SOAK = bool(os.environ.get("RAYKIT_SOAK"))
SAMPLES = 1_500 if SOAK else 40
LEAST = 0.9 if SOAK else 0.85
SHARES, STATIONS = (0.002, 0.01, 0.05, 0.2, 0.95), (5, 20, 100) if SOAK else (5, 20)
CASES = list(product(SHARES, STATIONS, (0.0, 0.05, 0.3, 0.6)))


def chances(luck, share, stations, correlation):
    if not correlation:
        return np.full(stations, share)
    strength = (1 - correlation) / correlation
    return luck.beta(share * strength, (1 - share) * strength, stations)


def year(luck, chance):
    days = luck.integers(60, 366, len(chance))
    return list(zip(luck.binomial(days, chance).tolist(), days.tolist(), strict=True))


def test_a_rates_interval_holds_the_true_rate_at_least_90_times_in_100():
    luck, held = np.random.default_rng(7), {}
    for share, stations, correlation in CASES:
        samples = [
            rate(year(luck, chances(luck, share, stations, correlation))) for _ in range(SAMPLES)
        ]
        inside = [each.low <= share * 1000 <= each.high for each in samples]
        held[share, stations, correlation] = sum(inside) / SAMPLES
    assert {case: part for case, part in held.items() if part < LEAST} == {}
    assert sum(held.values()) / len(held) > 0.94


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_a_changes_interval_holds_the_true_change_at_least_90_times_in_100(factor):
    luck, held = np.random.default_rng(8), {}
    for share, stations, correlation in CASES:
        true, inside = share * (factor - 1) * 1000, 0
        for _ in range(SAMPLES // 2):
            chance = chances(luck, share, stations, correlation)
            found = change(year(luck, chance), year(luck, chance * factor))
            inside += found.low <= true <= found.high
        held[share, stations, correlation] = inside / (SAMPLES // 2)
    assert {case: part for case, part in held.items() if part < LEAST} == {}
    assert sum(held.values()) / len(held) > 0.94


def test_few_unlucky_samples_call_an_unchanged_rate_changed():
    luck, called, drawn = np.random.default_rng(9), 0, 0
    for share, stations, correlation in CASES:
        for _ in range(SAMPLES // 4):
            chance = chances(luck, share, stations, correlation)
            called += change(year(luck, chance), year(luck, chance)).direction != 0
            drawn += 1
    assert called / drawn < 0.05
