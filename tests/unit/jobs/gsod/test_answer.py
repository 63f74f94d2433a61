"""From counters to an answer: coverage, pairs, rates, and when coverage decides."""

import math
import random

import pytest

from jobs.gsod.answer import Coverage, answer
from jobs.gsod.counts import Station, YearCounts
from jobs.gsod.plot import plot
from jobs.gsod.rates import Rate, rate, student_t


def station(days, hits, country="US", derived=0):
    """A station with valid days and hits given as day numbers."""
    mask = sum(1 << day for day in days)
    hit = sum(1 << day for day in hits)
    return Station(len(list(days)), mask, mask, hit, derived, country)


def year(number, **stations):
    return YearCounts(number, dict(stations))


EARLY = year(1980, A=station(range(100), range(10)), B=station(range(366), range(5)))
LATE = year(2020, A=station(range(50, 366), range(60, 90)), C=station(range(366), range(300)))


def hits(found):
    return [each.hits for each in found.whole.years]


def test_only_stations_of_every_year_are_compared():
    found = answer([EARLY, LATE], Coverage())
    assert found.whole.stations == 1
    assert hits(found) == [10, 30]
    assert [each.station_days for each in found.whole.years] == [100, 316]
    assert found.dropped == {
        "seen": 3,
        "not_asked_for": 0,
        "not_in_every_year": 2,
        "too_few_valid_days": 0,
        "compared": 1,
    }


def test_a_minimum_of_valid_days_drops_stations_that_lack_them_in_any_year():
    found = answer([EARLY, LATE], Coverage(min_days=101))
    assert hits(found) == [0, 0]
    assert found.dropped["too_few_valid_days"] == 1
    assert answer([EARLY, LATE], Coverage(min_days=100)).whole.stations == 1


def test_matched_days_count_only_days_that_are_valid_in_every_year():
    found = answer([EARLY, LATE], Coverage(matched_days=True))
    assert hits(found) == [0, 30]
    assert [each.station_days for each in found.whole.years] == [50, 50]


def test_countries_and_stations_narrow_the_question():
    one = year(2019, A=station([1], [1], "US"), B=station([1], [1], "NO"))
    two = year(2020, A=station([1], [1], "US"), B=station([1], [], "NO"))
    assert hits(answer([one, two], Coverage(countries=frozenset({"NO"})))) == [1, 0]
    assert hits(answer([one, two], Coverage(stations=frozenset({"A"})))) == [1, 1]
    found = answer([one, two], Coverage(stations=frozenset({"nowhere"})))
    assert hits(found) == [0, 0]
    assert found.dropped["not_asked_for"] == 2


def test_no_common_station_is_zero_with_a_warning():
    found = answer([year(2019, A=station([1], [1])), year(2020, B=station([1], [1]))], Coverage())
    assert hits(found) == [0, 0]
    assert found.whole.years[0].per_1000 is None
    assert found.warnings[0].startswith("no station is in all of these years")


def test_a_station_without_a_row_of_the_year_is_not_in_it():
    found = answer([year(2019, A=Station()), year(2020, A=station([1], [1]))], Coverage())
    assert found.whole.stations == 0


def test_every_two_years_are_compared_on_their_own_stations():
    years = [EARLY, LATE, year(2021, C=station([1, 2], [1]))]
    pairs = answer(years, Coverage(), pairwise=True).pairs
    assert [[each.year for each in pair.years] for pair in pairs] == [
        [1980, 2020],
        [1980, 2021],
        [2020, 2021],
    ]
    assert [pair.stations for pair in pairs] == [1, 0, 1]
    assert [each.hits for each in pairs[2].years] == [300, 1]


def test_coverage_that_would_flip_the_answer_is_told_unasked():
    full = year(2020, A=station(range(366), range(100)))
    part = year(2024, A=station(range(90, 130), range(90, 120)))
    found = answer([full, part], Coverage())
    assert hits(found) == [100, 30]
    assert any("matched-days" in warning for warning in found.warnings)
    assert any("per station-day" in warning for warning in found.warnings)
    assert found.variants["matched_days"].years[0].hits == 10


def test_equal_coverage_gives_no_warning():
    one = year(2019, A=station(range(365), range(10)))
    two = year(2020, A=station(range(365), range(20)))
    assert answer([one, two], Coverage()).warnings == ()


def test_who_asks_for_coverage_is_not_warned_of_it():
    full = year(2020, A=station(range(366), range(100)))
    part = year(2024, A=station(range(90, 130), range(90, 120)))
    found = answer([full, part], Coverage(matched_days=True))
    assert found.warnings == ()
    assert found.variants == {}


def test_derived_hits_are_counted_within_what_counts():
    one = year(2019, A=station(range(10), range(10), derived=0b111))
    two = year(2020, A=station(range(2, 10), range(2, 10)))
    assert answer([one, two], Coverage()).whole.years[0].derived == 3
    assert answer([one, two], Coverage(matched_days=True)).whole.years[0].derived == 1


def test_a_rate_is_hits_per_thousand_station_days():
    assert rate([(10, 100), (0, 100)]).value == 50
    assert rate([]) is None
    assert rate([(0, 0)]) is None


def test_few_stations_have_no_interval():
    assert rate([(10, 100)] * 4).high is None
    assert rate([(10, 100), (20, 100)] * 3).high is not None


def test_without_any_hit_the_interval_still_has_a_width():
    assert rate([(0, 100)] * 10) == Rate(0.0, 0.0, pytest.approx(3.6889))


def test_the_interval_holds_the_true_rate_about_95_times_in_100():
    luck = random.Random(3)
    held = 0
    for _ in range(400):
        chances = [luck.uniform(0.1, 0.3) for _ in range(30)]
        sample = [(sum(luck.random() < chance for _ in range(60)), 60) for chance in chances]
        found = rate(sample)
        held += found.low <= 200 <= found.high
    assert 365 <= held <= 395


@pytest.mark.parametrize(("freedom", "exact"), [(4, 2.7764), (9, 2.2622), (29, 2.0452)])
def test_students_t_is_close_to_the_tables(freedom, exact):
    assert math.isclose(student_t(freedom), exact, abs_tol=0.002)


def rates(*values):
    return [(1980 + n, None if v is None else Rate(v, None, None)) for n, v in enumerate(values)]


def test_a_short_series_is_drawn_as_bars():
    lines = list(plot(rates(1.0, 2.0, None)))
    assert lines[1:] == [
        "1980 " + "█" * 25 + " 1.00",
        "1981 " + "█" * 50 + " 2.00",
        "1982 no valid day",
    ]


def test_a_long_series_is_drawn_as_columns_of_at_most_a_line():
    lines = list(plot(rates(*range(76))))
    assert lines[1].startswith("1980 ▁")
    assert lines[2].endswith("█ 2055")
    assert max(map(len, lines)) < 80


@pytest.mark.parametrize("values", [(1.0, 2.0), (None, None, None), (0.0, 0.0, 0.0)])
def test_there_is_no_plot_of_nothing(values):
    assert list(plot(rates(*values))) == []
