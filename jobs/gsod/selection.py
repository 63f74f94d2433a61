"""Selects the stations that a question is about, and names those that no archive has. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jobs.gsod.archive import DataProblem, ranges
from jobs.gsod.counts import Station, YearCounts

SHOWN = 8
"""How many names a message lists."""


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


class Selection:
    """The stations of several years that a question is about.

    years: for each year the stations that have rows in it and count. A station is in a country if
    any year says so: codes have changed, stations have not moved.
    """

    def __init__(self, years: Sequence[YearCounts], coverage: Coverage) -> None:
        self._coverage = coverage
        self._codes: dict[str, dict[int, str]] = {}
        for year in years:
            for name, station in year.stations.items():
                if station.rows:
                    self._codes.setdefault(name, {})[year.year] = station.country
        self._all_years = len(years)
        self.years = [self._of(year) for year in years]

    def _of(self, year: YearCounts) -> dict[str, Station]:
        return {
            name: station
            for name, station in year.stations.items()
            if station.rows and self._is_asked_for(name)
        }

    def _is_asked_for(self, name: str) -> bool:
        stations, countries = self._coverage.stations, self._coverage.countries
        if stations and name not in stations:
            return False
        return not countries or not countries.isdisjoint(self._codes[name].values())

    def problem(self) -> DataProblem | None:
        """The problem if the question names stations or countries that no archive has at all."""
        if any(self.years) or not (self._coverage.stations or self._coverage.countries):
            return None
        unknown = self._unknown() or ["none of these stations is in these countries"]
        return DataProblem("the archives have no station that is asked for", *unknown)

    def remarks(self) -> Iterator[str]:
        """Warnings: stations and countries that archives lack, and country codes that changed."""
        yield from self._unknown()
        for name in sorted(self._coverage.stations & self._codes.keys()):
            there = sorted(self._codes[name])
            if len(there) < self._all_years:
                yield f"station {name} is in {ranges(there)} only"
        if self._coverage.countries:
            yield from self._changed()

    def _unknown(self) -> list[str]:
        lines = []
        if unknown := sorted(self._coverage.stations - self._codes.keys()):
            alike = [name for name in sorted(self._codes) if name.startswith(unknown[0][:6])]
            near = f"; ids that begin like the first: {_some(alike)}" if alike else ""
            lines.append(f"no archive has the station {_some(unknown)}{near}")
        there = {code for codes in self._codes.values() for code in codes.values() if code}
        if unknown := sorted(self._coverage.countries - there):
            known = f"the countries there: {_some(sorted(there))}" if there else "no NAME has one"
            lines.append(f"no station's NAME ends with the country {_some(unknown)}; {known}")
        return lines

    def _changed(self) -> Iterator[str]:
        """Stations that count in all years although a year has another country for them."""
        chosen = set().union(*self.years)
        for name in sorted(chosen):
            codes = self._codes[name]
            if not self._coverage.countries.issuperset(codes.values()):
                codes_by_year = ", ".join(
                    f"{code or 'none'} in {year}" for year, code in codes.items()
                )
                yield f"station {name} counts in every year, though its country is {codes_by_year}"


def _some(names: Sequence[str]) -> str:
    shown = " ".join(names[:SHOWN])
    return f"{shown} and {len(names) - SHOWN:,} more" if len(names) > SHOWN else shown
