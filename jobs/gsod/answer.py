"""From counters to an answer: common stations, coverage, rates, does coverage decide? Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations

from jobs.gsod.counts import Station, YearCounts
from jobs.gsod.rates import Rate, rate

FULL_YEAR = 300
"""Valid days from which a station's year is taken for well covered, where nobody says otherwise."""


@dataclass(frozen=True)
class Coverage:
    """Which stations and days count.

    min_days: valid days that a station must have in every year; matched_days: only calendar days
    that are valid in every year; countries: FIPS codes; stations: ids. Empty means all.
    """

    min_days: int = 0
    matched_days: bool = False
    countries: frozenset[str] = frozenset()
    stations: frozenset[str] = frozenset()

    @property
    def asked(self) -> bool:
        """Whether the question itself already deals with coverage."""
        return bool(self.min_days or self.matched_days)


@dataclass(frozen=True)
class YearAnswer:
    """One year over the stations compared: hits, valid station-days, and hits per 1,000 of them.

    derived: hits whose maximum comes from hourly readings.
    """

    year: int
    hits: int
    station_days: int
    derived: int
    per_1000: Rate | None


@dataclass(frozen=True)
class Comparison:
    """Several years over the stations that all of them have."""

    stations: int
    years: tuple[YearAnswer, ...]

    def highest(self, by_rate: bool = False) -> frozenset[int]:
        """The years with the most hits, or with the highest rate; none where nothing was hit."""
        values = {each.year: _value(each, by_rate) for each in self.years}
        most = max(values.values())
        return frozenset(year for year, value in values.items() if value == most and most > 0)


@dataclass(frozen=True)
class Answer:
    """All that is said about the years asked for."""

    whole: Comparison
    pairs: tuple[Comparison, ...]
    dropped: Mapping[str, int]
    warnings: tuple[str, ...]
    variants: Mapping[str, Comparison] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """The answer as the result event's data."""
        return asdict(self)


def _value(answer: YearAnswer, by_rate: bool) -> float:
    if not by_rate:
        return answer.hits
    return answer.per_1000.value if answer.per_1000 else 0.0


def answer(years: Sequence[YearCounts], coverage: Coverage, pairwise: bool = False) -> Answer:
    """Compare the years over the stations that count."""
    allowed = [_allowed(each, coverage) for each in years]
    common = _common(allowed)
    kept = _covered(allowed, common, coverage.min_days)
    whole = _compare(years, allowed, kept, coverage.matched_days)
    variants = {} if coverage.asked else _variants(years, allowed, common)
    pairs = tuple(_pairs(years, allowed, coverage)) if pairwise else ()
    return Answer(
        whole,
        pairs,
        _dropped(years, allowed, common, kept),
        tuple(_warnings(whole, variants)),
        variants,
    )


def _allowed(year: YearCounts, coverage: Coverage) -> dict[str, Station]:
    """The stations of a year that have rows in it and that the question is about."""
    return {
        name: station
        for name, station in year.stations.items()
        if station.rows
        and (not coverage.countries or station.country in coverage.countries)
        and (not coverage.stations or name in coverage.stations)
    }


def _common(years: Sequence[Mapping[str, Station]]) -> set[str]:
    return set.intersection(*(set(year) for year in years))


def _covered(years: Sequence[Mapping[str, Station]], names: set[str], least: int) -> set[str]:
    return {name for name in names if all(year[name].days.bit_count() >= least for year in years)}


def _compare(
    years: Sequence[YearCounts],
    allowed: Sequence[Mapping[str, Station]],
    names: Collection[str],
    matched: bool,
) -> Comparison:
    masks = _matched_days(allowed, names) if matched else {}
    answers = tuple(
        _year_answer(counts.year, [(stations[name], masks.get(name, -1)) for name in names])
        for counts, stations in zip(years, allowed, strict=True)
    )
    return Comparison(len(names), answers)


def _matched_days(years: Sequence[Mapping[str, Station]], names: Collection[str]) -> dict[str, int]:
    """For each station the calendar days that are valid in every year."""
    masks = dict.fromkeys(names, -1)
    for year in years:
        for name in names:
            masks[name] &= year[name].days
    return masks


def _year_answer(year: int, stations: Sequence[tuple[Station, int]]) -> YearAnswer:
    pairs = [
        ((station.hits & mask).bit_count(), (station.days & mask).bit_count())
        for station, mask in stations
    ]
    return YearAnswer(
        year,
        hits=sum(hits for hits, _ in pairs),
        station_days=sum(days for _, days in pairs),
        derived=sum((station.derived & mask).bit_count() for station, mask in stations),
        per_1000=rate(pairs),
    )


def _pairs(
    years: Sequence[YearCounts], allowed: Sequence[Mapping[str, Station]], coverage: Coverage
) -> Iterator[Comparison]:
    """Every two years over the stations that these two have."""
    for one, other in combinations(range(len(years)), 2):
        two = [allowed[one], allowed[other]]
        names = _covered(two, _common(two), coverage.min_days)
        yield _compare([years[one], years[other]], two, names, coverage.matched_days)


def _variants(
    years: Sequence[YearCounts], allowed: Sequence[Mapping[str, Station]], common: set[str]
) -> dict[str, Comparison]:
    """The same question under two fairer rules of coverage."""
    full = _covered(allowed, common, FULL_YEAR)
    return {
        "matched_days": _compare(years, allowed, common, matched=True),
        f"min_days_{FULL_YEAR}": _compare(years, allowed, full, matched=False),
    }


def _dropped(
    years: Sequence[YearCounts],
    allowed: Sequence[Mapping[str, Station]],
    common: set[str],
    kept: set[str],
) -> dict[str, int]:
    """How many stations were seen in any year, and why the others do not count."""
    seen = set().union(*(year.stations for year in years))
    wanted = set().union(*allowed)
    return {
        "seen": len(seen),
        "not_asked_for": len(seen) - len(wanted),
        "not_in_every_year": len(wanted) - len(common),
        "too_few_valid_days": len(common) - len(kept),
        "compared": len(kept),
    }


def _warnings(whole: Comparison, variants: Mapping[str, Comparison]) -> Iterator[str]:
    if not whole.stations:
        yield "no station is in all of these years: the counts are 0 because nothing was compared"
        return
    most = whole.highest()
    if (by_rate := whole.highest(by_rate=True)) != most and variants:
        yield f"coverage decides: {_said(most)} by count, {_said(by_rate)} per station-day"
    for name, variant in variants.items():
        if variant.stations and variant.highest() != most:
            yield (
                f"coverage decides: {_said(most)} as counted, "
                f"{_said(variant.highest())} {_rule(name, variant)}"
            )


def _said(years: frozenset[int]) -> str:
    if not years:
        return "no year has any"
    return (
        " and ".join(map(str, sorted(years))) + (" has" if len(years) == 1 else " have") + " most"
    )


def _rule(name: str, variant: Comparison) -> str:
    counts = ", ".join(f"{each.year}: {each.hits:,}" for each in variant.years[:4])
    if name == "matched_days":
        return f"on calendar days that are valid in every year ({counts}; --matched-days)"
    return f"at stations with {FULL_YEAR} valid days in every year ({counts}; --min-days)"
