"""An answer as text: the tutorial's lines and tables, JSON, or CSV."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from jobs.gsod.answer import Answer, Comparison, YearAnswer
from jobs.gsod.counts import YearCounts
from jobs.gsod.options import Options
from jobs.gsod.rates import Change, Rate

PAIRS_SHOWN = 10
COLUMNS = 80
BARS = "▁▂▃▄▅▆▇█"
DIRECTIONS = {1: "more", -1: "fewer", 0: "not clear"}
FEWEST_BARS, MOST_BARS, WIDTH = 3, 12, 50


def render(options: Options, answer: Answer, years: Sequence[YearCounts]) -> str:
    """The whole answer in the format that the options name."""
    if options.format == "json":
        return json.dumps(data(options, answer, years), indent=2)
    if options.format == "csv":
        return _csv(answer)
    return "\n".join(_text(options, answer, years))


def data(options: Options, answer: Answer, years: Sequence[YearCounts]) -> dict[str, Any]:
    """The answer as JSON data, for the `result` event."""
    return {
        "question": question(options),
        "sample": options.sample,
        "common_stations": answer.whole.stations,
        "years": [_year(*pair) for pair in zip(answer.whole.years, years, strict=True)],
        "changes": _changes(answer.whole),
        "pairs": [_pair(pair) for pair in answer.pairs],
        "dropped_stations": dict(answer.dropped),
        "coverage_variants": {name: _pair(variant) for name, variant in answer.variants.items()},
        "warnings": list(answer.warnings),
    }


def question(options: Options) -> dict[str, Any]:
    """What is asked, of which stations."""
    asked, coverage = options.question, options.coverage
    return {
        "column": asked.column,
        "op": asked.op,
        "threshold": asked.threshold,
        "min_days": coverage.min_days,
        "matched_days": coverage.matched_days,
        "countries": sorted(coverage.countries),
        "stations": sorted(coverage.stations),
    }


def work(options: Options, years: Sequence[YearCounts]) -> dict[str, Any]:
    """What was done, whatever the cluster and the method: runs of equal work can be compared."""
    archives = "".join(f"{counts.year}:{_data_hash(counts)}\n" for counts in years)
    return {
        "years": list(options.years),
        **question(options),
        "rows": sum(counts.quality.rows for counts in years),
        "archives": hashlib.sha256(archives.encode()).hexdigest()[:16],
    }


def _data_hash(counts: YearCounts) -> str:
    """The hash of the data that was read: of the archive, or of the listing of single files."""
    found: str = counts.archive.get("sha256") or counts.archive["listing_sha256"]
    return found


def _year(answer: YearAnswer, counts: YearCounts) -> dict[str, Any]:
    stations = counts.stations.values()
    return {
        **_numbers(answer),
        "rows": counts.quality.rows,
        "stations": sum(bool(station.rows) for station in stations),
        "hits_of_all_stations": sum(station.hits.bit_count() for station in stations),
        "quality": quality(counts),
        "archive": counts.archive,
    }


def quality(counts: YearCounts) -> dict[str, Any]:
    """The quality report of one year."""
    report = counts.quality
    return {
        **{name: value for name, value in vars(report).items() if name != "skipped_members"},
        "skipped_members": dict(report.skipped_members),
    }


def _pair(pair: Comparison) -> dict[str, Any]:
    return {
        "stations": pair.stations,
        "years": [_numbers(year) for year in pair.years],
        "changes": _changes(pair),
    }


def _changes(comparison: Comparison) -> list[dict[str, Any]]:
    return [
        {"year": later.year, "against": first.year, **_difference(change)}
        for first, later, change in comparison.pairs()
    ]


def _difference(change: Change | None) -> dict[str, Any]:
    return {
        "change_per_1000": change.value if change else None,
        "change_low": change.low if change else None,
        "change_high": change.high if change else None,
        "change_stations": change.stations if change else 0,
    }


def _numbers(answer: YearAnswer) -> dict[str, Any]:
    per = answer.per_1000
    return {
        "year": answer.year,
        "hits": answer.hits,
        "stations_with_days": answer.stations,
        "station_days": answer.station_days,
        "derived_hits": answer.derived,
        "per_1000": per.value if per else None,
        "per_1000_low": per.low if per else None,
        "per_1000_high": per.high if per else None,
    }


def _csv(answer: Answer) -> str:
    """One line per year over all common stations, then one per year of each pair."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [*_numbers(answer.whole.years[0]), *_difference(None)]
    writer.writerow(["stations_of", "common_stations", *names])
    for comparison in (answer.whole, *answer.pairs):
        of = "all" if comparison is answer.whole else _names(comparison)
        for year, change in zip(comparison.years, (None, *comparison.changes), strict=True):
            values = [*_numbers(year).values(), *_difference(change).values()]
            writer.writerow([of, comparison.stations, *values])
    return text.getvalue().rstrip("\n")


def _names(pair: Comparison) -> str:
    return "+".join(str(year.year) for year in pair.years)


def _text(options: Options, answer: Answer, years: Sequence[YearCounts]) -> Iterator[str]:
    yield f"Number of stations in common: {answer.whole.stations}"
    for year in answer.whole.years:
        yield f"{year.year} - High temp count for common stations: {year.hits}"
    yield ""
    yield from _question(options)
    yield from table(
        ("year", "hits", "stations", "station-days", "per 1,000", "95 % interval", "derived"),
        [_row(year) for year in answer.whole.years],
    )
    yield from _change_lines(answer.whole)
    yield from plot([(year.year, year.per_1000) for year in answer.whole.years])
    yield from _pair_lines(answer.pairs)
    yield ""
    yield from _quality_lines(options, answer, years)
    for warning in answer.warnings:
        line = f"WARNING: {warning}"
        yield from textwrap.wrap(line, COLUMNS, subsequent_indent="  ", break_on_hyphens=False)


def _question(options: Options) -> Iterator[str]:
    question, coverage = options.question, options.coverage
    name = "daily mean" if question.column == "TEMP" else "daily maximum"
    yield f"Days with {question}, the {name}"
    if coverage.min_days:
        yield f"at stations with {coverage.min_days} valid days in every year"
    if coverage.matched_days:
        yield "on calendar days that are valid in every year"
    if coverage.countries:
        yield f"in {' '.join(sorted(coverage.countries))}"


def _row(year: YearAnswer) -> tuple[str, ...]:
    per = year.per_1000
    return (
        str(year.year),
        f"{year.hits:,}",
        f"{year.stations:,}",
        f"{year.station_days:,}",
        f"{per.value:.2f}" if per else "-",
        _interval(per),
        f"{year.derived:,}",
    )


def _interval(of: Rate | Change | None) -> str:
    if of is None or of.low is None or of.high is None:
        return "-"
    signed = "+" if isinstance(of, Change) else ""
    return f"{of.low:{signed}.2f} to {of.high:{signed}.2f}"


def _change_lines(comparison: Comparison) -> Iterator[str]:
    """The change of each later year since the first, on the same stations."""
    first = comparison.years[0].year
    yield ""
    yield f"Change since {first}, station by station"
    rows = [(str(later.year), *_change_row(change)) for _, later, change in comparison.pairs()]
    yield from table(("year", "stations", "per 1,000", "95 % interval", "hits"), rows)
    if any(change and change.low is not None for change in comparison.changes):
        yield "Intervals hold as far as these stations are an independent sample."


def _change_row(change: Change | None) -> tuple[str, str, str, str]:
    if change is None:
        return "0", "-", "-", "-"
    word = "-" if change.low is None else DIRECTIONS[change.direction]
    return f"{change.stations:,}", f"{change.value:+.2f}", _interval(change), word


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as columns, aligned to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        yield "  ".join(cell.rjust(wide) for cell, wide in zip(row, widths, strict=True))


def _pair_lines(pairs: Sequence[Comparison]) -> Iterator[str]:
    if not pairs:
        return
    yield ""
    header = ("years", "stations", "hits", "per 1,000", "change", "95 % interval")
    yield from table(header, [_pair_row(pair) for pair in pairs[:PAIRS_SHOWN]])
    if len(pairs) > PAIRS_SHOWN:
        yield f"{len(pairs) - PAIRS_SHOWN} more pairs: --format csv or json shows them"


def _pair_row(pair: Comparison) -> tuple[str, ...]:
    rates = [year.per_1000 for year in pair.years]
    (change,) = pair.changes
    return (
        _names(pair),
        f"{pair.stations:,}",
        " : ".join(f"{year.hits:,}" for year in pair.years),
        " : ".join(f"{rate.value:.2f}" if rate else "-" for rate in rates),
        *_change_row(change)[1:3],
    )


def _quality_lines(options: Options, answer: Answer, years: Sequence[YearCounts]) -> Iterator[str]:
    yield "Data quality"
    names = ("files", "rows", "missing", "refused", "bad_dates", "other_years", "duplicate_days")
    header = ("year", *(name.replace("_", " ") for name in names))
    rows = [(str(y.year), *(f"{getattr(y.quality, n):,}" for n in names)) for y in years]
    yield from table(header, rows)
    yield f"stations: {_dropped(answer)}"
    for counts in years:
        for kind, count in counts.quality.skipped_members.items():
            yield f"{counts.year}: {count} members passed over: {kind}"
        for example in counts.quality.examples:
            yield f"  {example}"
    if options.sample:
        yield "Data: the two stations that ship with the job; --data DIR reads other data."


def _dropped(answer: Answer) -> str:
    counts = answer.dropped
    shown = [f"{counts['seen']:,} seen"]
    shown += [
        f"{n:,} {name.replace('_', ' ')}" for name, n in counts.items() if n and name != "seen"
    ]
    return ", ".join(shown)


def plot(series: Sequence[tuple[int, Rate | None]]) -> Iterator[str]:
    """Rates per 1,000 station-days: a bar for each year, or lines of columns for many years."""
    values = [rate.value if rate else None for _, rate in series]
    known = [value for value in values if value is not None]
    if len(series) < FEWEST_BARS or not known or max(known) == 0:
        return
    yield ""
    if len(series) <= MOST_BARS:
        for (year, _), value in zip(series, values, strict=True):
            yield f"{year} {_bar(value, max(known))}"
        return
    for at in range(0, len(series), WIDTH):
        columns = "".join(_column(value, max(known)) for value in values[at : at + WIDTH])
        last = series[min(at + WIDTH, len(series)) - 1][0]
        yield f"{series[at][0]} {columns} {last}"
    yield f"     per 1,000 station-days; the highest column is {max(known):.2f}"


def _bar(value: float | None, most: float) -> str:
    if value is None:
        return "no valid day"
    return f"{'█' * round(value / most * WIDTH)} {value:.2f}"


def _column(value: float | None, most: float) -> str:
    return " " if value is None else BARS[min(int(value / most * len(BARS)), len(BARS) - 1)]
