"""Turns counters into an answer: common stations, rates, changes, and warnings. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations

from jobs.gsod.counts import Station, YearCounts
from jobs.gsod.rates import Change, Rate, Tally, change, rate
from jobs.gsod.selection import Coverage, Selection

FULL_YEAR = 300
"""Valid days that make a well covered year of a station, unless --min-days asks for more."""

MATCHED_DAYS, FULL_YEARS = "matched_days", f"min_days_{FULL_YEAR}"
WARNINGS_OF_A_KIND = 5
Stations = Mapping[str, Station]


@dataclass(frozen=True)
class YearAnswer:
    """One year over the stations compared: hits, valid station-days, and hits per 1,000 of them.

    stations: those with a valid day; derived: hits whose maximum comes from hourly readings.
    """

    year: int
    hits: int
    stations: int
    station_days: int
    derived: int
    per_1000: Rate | None


@dataclass(frozen=True)
class Comparison:
    """Several years over the stations that all of them have.

    changes: of each later year against the first; None if no station has valid days in both.
    """

    stations: int
    years: tuple[YearAnswer, ...]
    changes: tuple[Change | None, ...]

    def pairs(self) -> Iterator[tuple[YearAnswer, YearAnswer, Change | None]]:
        """The first year with each later one, and the change between them."""
        for later, difference in zip(self.years[1:], self.changes, strict=True):
            yield self.years[0], later, difference


@dataclass(frozen=True)
class Answer:
    """The whole answer.

    whole: all years. pairs: every two years. dropped: numbers of stations that do not count, by
    reason. variants: the same question with stricter rules of coverage.
    """

    whole: Comparison
    pairs: tuple[Comparison, ...]
    dropped: Mapping[str, int]
    warnings: tuple[str, ...]
    variants: Mapping[str, Comparison] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """The answer as the result event's data."""
        return asdict(self)


def answer(years: Sequence[YearCounts], coverage: Coverage, pairwise: bool = False) -> Answer:
    """Compare the years over the stations that count.

    Raises DataProblem if the question names stations or countries and no archive has any of them.
    """
    selection = Selection(years, coverage)
    if problem := selection.problem():
        raise problem
    allowed = selection.years
    whole = _compare(years, allowed, coverage)
    variants = _variants(years, allowed, coverage)
    pairs, decided = [], [_decided(whole, variants)]
    for one, other in combinations(range(len(years)), 2) if pairwise else ():
        two, two_allowed = [years[one], years[other]], [allowed[one], allowed[other]]
        pairs.append(_compare(two, two_allowed, coverage))
        decided.append(_decided(pairs[-1], _variants(two, two_allowed, coverage)))
    warnings = [*selection.remarks(), *_nothing_compared(whole), *_left_out(whole, years)]
    warnings += _first_few([line for lines in decided for line in lines])
    dropped = _dropped(years, allowed, coverage.min_days)
    return Answer(whole, tuple(pairs), dropped, tuple(dict.fromkeys(warnings)), variants)


def _compare(
    years: Sequence[YearCounts], allowed: Sequence[Stations], coverage: Coverage
) -> Comparison:
    names = sorted(_covered(allowed, coverage.min_days))
    masks = _matched_days(allowed, names) if coverage.matched_days else dict.fromkeys(names, -1)
    tallies = [[_tally(stations[name], masks[name]) for name in names] for stations in allowed]
    answers = [
        YearAnswer(
            counts.year,
            hits=sum(hits for hits, _ in tally),
            stations=sum(days > 0 for _, days in tally),
            station_days=sum(days for _, days in tally),
            derived=sum((stations[name].derived & masks[name]).bit_count() for name in names),
            per_1000=rate(tally),
        )
        for counts, stations, tally in zip(years, allowed, tallies, strict=True)
    ]
    changes = [change(tallies[0], later) for later in tallies[1:]]
    return Comparison(len(names), tuple(answers), tuple(changes))


def _tally(station: Station, mask: int) -> Tally:
    return (station.hits & mask).bit_count(), (station.days & mask).bit_count()


def _common(years: Sequence[Stations]) -> set[str]:
    return set.intersection(*(set(year) for year in years))


def _covered(years: Sequence[Stations], least: int) -> set[str]:
    """The stations that have at least `least` valid days in every year."""
    names = _common(years)
    return {name for name in names if all(year[name].days.bit_count() >= least for year in years)}


def _matched_days(years: Sequence[Stations], names: Collection[str]) -> dict[str, int]:
    """For each station the calendar days that are valid in every year, as bits."""
    masks = dict.fromkeys(names, -1)
    for year in years:
        for name in names:
            masks[name] &= year[name].days
    return masks


def _variants(
    years: Sequence[YearCounts], allowed: Sequence[Stations], coverage: Coverage
) -> dict[str, Comparison]:
    """The same question with stricter rules of coverage than the user asked for."""
    variants = {}
    if not coverage.matched_days:
        matched = Coverage(coverage.min_days, matched_days=True)
        variants[MATCHED_DAYS] = _compare(years, allowed, matched)
    if coverage.min_days < FULL_YEAR:
        full = Coverage(FULL_YEAR, coverage.matched_days)
        variants[FULL_YEARS] = _compare(years, allowed, full)
    return variants


def _dropped(
    years: Sequence[YearCounts], allowed: Sequence[Stations], least: int
) -> dict[str, int]:
    """Numbers of stations: those in any year, those that do not count by reason, those compared."""
    seen, wanted = set().union(*(year.stations for year in years)), set().union(*allowed)
    common, kept = _common(allowed), _covered(allowed, least)
    return {
        "seen": len(seen),
        "not_asked_for": len(seen) - len(wanted),
        "not_in_every_year": len(wanted) - len(common),
        "too_few_valid_days": len(common) - len(kept),
        "compared": len(kept),
    }


def _nothing_compared(whole: Comparison) -> Iterator[str]:
    if not whole.stations:
        yield "no station is in all of these years: the counts are 0 because nothing was compared"
        return
    for year in whole.years:
        if not year.station_days:
            yield f"{year.year} has no valid day at these stations: nothing was compared with it"


def _left_out(whole: Comparison, years: Sequence[YearCounts]) -> list[str]:
    """Warnings where the rows that were left out could change which year has more hits."""
    out = {counts.year: counts.quality.left_out for counts in years}
    warnings = []
    for first, later, _ in whole.pairs():
        rows, gap = out[first.year] + out[later.year], abs(later.hits - first.hits)
        if rows >= max(gap, 1):
            warnings.append(
                f"{rows:,} rows left out (refused values, bad dates, duplicate days) could turn "
                f"{later.year} against {first.year}, whose counts differ by {gap:,}; "
                "--strict refuses such data"
            )
    return _first_few(warnings)


def _decided(comparison: Comparison, variants: Mapping[str, Comparison]) -> list[str]:
    """Warnings where a stricter rule of coverage changes, beyond noise, which year has more hits.

    A rule that keeps less than half of the station-days does not count: it asks another question.
    """
    warnings = []
    rules = {"": comparison, **variants}
    for index, (first, later, _) in enumerate(comparison.pairs()):
        counted = (later.hits > first.hits) - (later.hits < first.hits)
        for name, variant in rules.items():
            fairer_first, fairer, difference = list(variant.pairs())[index]
            kept = fairer_first.station_days + fairer.station_days
            enough = 2 * kept >= first.station_days + later.station_days
            if counted and enough and difference and difference.direction == -counted:
                more, fewer = ("more", "fewer") if counted > 0 else ("fewer", "more")
                warnings.append(
                    f"coverage decides: {later.year} has {more} than {first.year} as counted "
                    f"({later.hits:,} against {first.hits:,}), but {fewer} "
                    + _rule(name, fairer, fairer_first)
                )
    return warnings


def _rule(name: str, later: YearAnswer, first: YearAnswer) -> str:
    counts = f"{later.hits:,} against {first.hits:,}"
    if name == MATCHED_DAYS:
        return f"on calendar days that are valid in every year ({counts}; --matched-days)"
    if name == FULL_YEARS:
        return f"at stations with {FULL_YEAR} valid days a year ({counts}; --min-days {FULL_YEAR})"
    rates = [year.per_1000.value if year.per_1000 else 0.0 for year in (later, first)]
    return "per station-day ({:.2f} against {:.2f})".format(*rates)


def _first_few(lines: Sequence[str]) -> list[str]:
    if len(lines) <= WARNINGS_OF_A_KIND:
        return list(lines)
    return [*lines[:WARNINGS_OF_A_KIND], f"{len(lines) - WARNINGS_OF_A_KIND:,} more of this kind"]
