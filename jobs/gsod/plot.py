"""A yearly series as a few lines of text. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jobs.gsod.rates import Rate

BARS = "▁▂▃▄▅▆▇█"
FEWEST, MOST_ROWS, WIDTH = 3, 12, 50


def plot(series: Sequence[tuple[int, Rate | None]]) -> Iterator[str]:
    """Rates per 1,000 station-days by year: a bar each, or one line of columns for many years."""
    values = [rate.value if rate else None for _, rate in series]
    known = [value for value in values if value is not None]
    if len(series) < FEWEST or not known or max(known) == 0:
        return
    yield ""
    if len(series) <= MOST_ROWS:
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
