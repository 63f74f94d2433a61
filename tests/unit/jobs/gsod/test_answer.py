"""From counters to an answer: coverage, pairs, rates, and when coverage decides."""

import pytest

from jobs.gsod.answer import answer
from jobs.gsod.archive import DataProblem
from jobs.gsod.counts import Station, YearCounts
from jobs.gsod.rates import Rate, change, rate
from jobs.gsod.report import plot
from jobs.gsod.selection import Coverage


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


def test_an_unknown_station_is_named_and_the_others_are_compared():
    one, two = year(2019, A=station([1], [1])), year(2020, A=station([1], []))
    found = answer([one, two], Coverage(stations=frozenset({"A", "B", "C"})))
    assert hits(found) == [1, 0]
    assert found.warnings == ("no archive has the station B C",)


def test_an_unknown_country_is_named_with_those_that_are_there():
    years = [year(number, A=station([1], [1], "US")) for number in (2019, 2020)]
    found = answer(years, Coverage(countries=frozenset({"US", "ZZ"})))
    assert hits(found) == [1, 1]
    assert found.warnings == (
        "no station's NAME ends with the country ZZ; the countries there: US",
    )


@pytest.mark.parametrize(
    ("coverage", "evidence"),
    [
        (
            Coverage(stations=frozenset({"01001099998"})),
            "no archive has the station 01001099998; ids that begin like the first: 01001099999",
        ),
        (
            Coverage(countries=frozenset({"ZZ"})),
            "no station's NAME ends with the country ZZ; the countries there: NO",
        ),
        (
            Coverage(countries=frozenset({"NO"}), stations=frozenset({"B"})),
            "none of these stations is in these countries",
        ),
    ],
)
def test_where_nothing_is_left_of_the_question_there_is_no_number(coverage, evidence):
    stations = {"01001099999": station([1], [1], "NO"), "B": station([1], [1], "")}
    with pytest.raises(DataProblem) as caught:
        answer([year(2019, **stations), year(2020, **stations)], coverage)
    assert caught.value.evidence == (evidence,)


def test_a_station_that_some_years_lack_is_named_when_it_was_asked_for():
    years = [year(2019, A=station([1], [1])), year(2020, B=station([1], [1]))]
    found = answer(years, Coverage(stations=frozenset({"A", "B"})))
    assert found.warnings[:2] == ("station A is in 2019 only", "station B is in 2020 only")


def test_a_country_code_that_changed_keeps_the_station_and_is_said():
    years = [
        year(1980, A=station([1], [1], "UR"), B=station([1], [1], "RS")),
        year(2020, A=station([1], [1], "RS"), B=station([1], [1], "RS")),
    ]
    found = answer(years, Coverage(countries=frozenset({"RS"})))
    assert found.whole.stations == 2
    assert found.warnings == (
        "station A counts in every year, though its country is UR in 1980, RS in 2020",
    )


def test_no_common_station_is_zero_with_a_warning():
    found = answer([year(2019, A=station([1], [1])), year(2020, B=station([1], [1]))], Coverage())
    assert hits(found) == [0, 0]
    assert found.whole.years[0].per_1000 is None
    assert found.whole.changes == (None,)
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


def test_a_year_without_a_valid_day_is_said_and_has_no_rate():
    years = [year(2019, A=station([1], [1])), year(2020, A=Station(rows=1, seen=1))]
    found = answer(years, Coverage())
    assert [each.stations for each in found.whole.years] == [1, 0]
    assert found.whole.changes == (None,)
    assert found.warnings == (
        "2020 has no valid day at these stations: nothing was compared with it",
    )


def test_coverage_that_turns_the_answer_is_said_unasked():
    full = year(2020, A=station(range(366), range(100)))
    part = year(2024, A=station(range(90, 366), range(90, 150)))
    found = answer([full, part], Coverage())
    assert hits(found) == [100, 60]
    assert found.warnings == (
        "coverage decides: 2024 has fewer than 2020 as counted (60 against 100), but more on "
        "calendar days that are valid in every year (60 against 10; --matched-days)",
    )
    assert found.variants["matched_days"].years[0].hits == 10


def test_a_rule_that_keeps_less_than_half_of_the_station_days_decides_nothing():
    full = year(2020, A=station(range(366), range(200, 366)))
    part = year(2024, A=station(range(90, 130), range(90, 100)))
    found = answer([full, part], Coverage())
    assert found.variants["matched_days"].changes[0].direction == 1
    assert found.warnings == ()


def many(number, days, hits_of):
    """Forty stations with these days; `hits_of(n)` are the hits of the n-th."""
    return year(number, **{f"S{n:02}": station(days, hits_of(n)) for n in range(40)})


def test_the_rate_decides_where_the_later_year_only_has_more_days():
    short = many(2019, range(200), lambda n: range(20 + n % 3))
    long = many(2020, range(366), lambda n: range(22 + n % 3))
    (warning,) = answer([short, long], Coverage(min_days=100)).warnings
    assert warning.startswith("coverage decides: 2020 has more than 2019 as counted (919 against")
    assert "but fewer per station-day (62.77 against 104.88)" in warning


def test_a_leap_day_and_noise_decide_nothing():
    one = many(2019, range(365), lambda n: range(20 + 5 * (n % 2)))
    two = many(2020, range(366), lambda n: range(25 - 5 * (n % 2) + (n == 0)))
    assert hits(answer([one, two], Coverage())) == [900, 901]
    assert answer([one, two], Coverage()).warnings == ()


def test_every_two_years_are_examined_and_not_the_highest_year_alone():
    short = many(2018, range(200), lambda n: range(20 + n % 3))
    long = many(2019, range(366), lambda n: range(22 + n % 3))
    top = many(2020, range(366), lambda n: range(150))
    found = answer([top, short, long], Coverage(), pairwise=True)
    assert [warning[:50] for warning in found.warnings] == [
        "coverage decides: 2019 has more than 2018 as count"
    ]


def test_many_warnings_of_a_kind_are_counted():
    years = [many(2000, range(200), lambda n: range(20 + n % 3))]
    years += [many(2001 + k, range(366), lambda n: range(22 + n % 3)) for k in range(9)]
    found = answer(years, Coverage())
    assert len(found.warnings) == 6
    assert found.warnings[-1] == "4 more of this kind"


@pytest.mark.parametrize(("refused", "warned"), [(0, False), (1, False), (2, True)])
def test_left_out_rows_that_could_turn_the_answer_are_said(refused, warned):
    one, two = year(2019, A=station(range(9), [1])), year(2020, A=station(range(9), [1, 2, 3]))
    two.quality.refused = refused
    warnings = answer([one, two], Coverage()).warnings
    assert bool(warnings) is warned
    if warned:
        assert warnings[0].startswith("2 rows left out (refused values, bad dates, duplicate days)")
        assert "2020 against 2019, whose counts differ by 2" in warnings[0]


def test_equal_coverage_gives_no_warning():
    one = year(2019, A=station(range(365), range(10)))
    two = year(2020, A=station(range(365), range(20)))
    assert answer([one, two], Coverage()).warnings == ()


def test_rules_that_the_question_has_itself_are_no_variants():
    years = [year(number, A=station(range(366), [number % 3])) for number in (2019, 2020)]
    found = answer(years, Coverage(min_days=300, matched_days=True))
    assert found.variants == {}
    assert list(answer(years, Coverage(min_days=10)).variants) == ["matched_days", "min_days_300"]


def test_derived_hits_are_counted_within_what_counts():
    one = year(2019, A=station(range(10), range(10), derived=0b111))
    two = year(2020, A=station(range(2, 10), range(2, 10)))
    assert answer([one, two], Coverage()).whole.years[0].derived == 3
    assert answer([one, two], Coverage(matched_days=True)).whole.years[0].derived == 1


def test_a_rate_is_hits_per_thousand_station_days():
    assert rate([(10, 100), (0, 100)]).value == 50
    assert rate([]) is None
    assert rate([(0, 0)]) is None


def test_few_stations_with_days_have_no_interval():
    assert rate([(10, 100)] * 4).high is None
    assert rate([(10, 100)] * 4 + [(0, 0)] * 9).high is None
    assert rate([(10, 100)] * 5).high is not None


def test_a_change_counts_stations_with_valid_days_in_both_years():
    one = [(10, 100), (20, 100), (5, 0), (50, 100)]
    other = [(20, 100), (30, 100), (7, 100), (0, 0)]
    assert change(one, other).stations == 2
    assert change(one, other).value == 100
    assert change([(1, 1)], [(0, 0)]) is None


def test_the_paired_change_is_clear_where_the_two_intervals_overlap():
    one = [(10 + n % 30, 365) for n in range(300)]
    other = [(11 + n % 30 + n % 2, 365) for n in range(300)]
    before, after, found = rate(one), rate(other), change(one, other)
    assert before.high > after.low
    assert found.direction == 1
    assert 0 < found.low < found.value < found.high


@pytest.mark.parametrize(("one", "other"), [(0, 0), (365, 365), (7, 7)])
def test_stations_that_do_not_differ_at_all_still_have_an_interval_of_the_change(one, other):
    found = change([(one, 365)] * 9, [(other, 365)] * 9)
    assert (found.value, found.direction) == (0, 0)
    assert -1000 < found.low < 0 < found.high < 1000


def test_the_interval_of_a_change_cannot_leave_its_range():
    found = change([(0, 365)] * 9, [(365, 365)] * 9)
    assert 0 < found.low < found.value == found.high == 1000


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
