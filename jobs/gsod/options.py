"""Reads the options of the GSOD job; reports all problems at once."""

from __future__ import annotations

import argparse
import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from jobs import job
from jobs.gsod.counts import FIRST_YEAR, LAST_YEAR, Question
from jobs.gsod.selection import Coverage
from jobs.gsod.sources.address import FOLDER, NOAA, SCHEMES, Where, address, is_address

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "gsod"
SAMPLE_DEFAULTS = {"years": ["2020", "2024"], "high_temp": "80"}
TUTORIAL_DEFAULTS = {"years": ["1980", "2020"], "high_temp": "100"}
METHODS = ("tasks", "actors", "local", "tutorial")


@dataclass(frozen=True)
class Options:
    """The checked options. words: as the user gave them."""

    where: Where
    sample: bool
    years: tuple[int, ...]
    question: Question
    coverage: Coverage
    pairwise: bool
    method: str
    strict: bool
    format: str
    words: dict[str, object] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder with the data, if that is where it lies."""
        return Path(self.where.address)


def parse(argv: Sequence[str] | None) -> Options:
    """The options; exit status 2 with every problem."""
    parser = _parser()
    given = parser.parse_args(argv)
    sample = given.data is None
    defaults = SAMPLE_DEFAULTS if sample else TUTORIAL_DEFAULTS
    for name, value in defaults.items():
        if getattr(given, name) is None:
            setattr(given, name, value)
    problems: list[str] = []
    years = _years(given.years, problems)
    threshold = _number(given.high_temp, "--high-temp", problems)
    least = _whole(given.min_days, "--min-days", 366, problems)
    countries = _countries(given.country, problems)
    stations = _stations(given.stations, problems)
    where = Where(str(SAMPLE)) if sample else _where(given.data, problems)
    if given.cache is not None:
        where = _cached(where, given.cache, problems)
    if given.method == "tutorial":
        problems += _beyond_tutorial(parser, given, where)
    if problems:
        parser.refuse(problems)
    return Options(
        where=where,
        sample=sample,
        years=years,
        question=Question(given.column, given.op, threshold),
        coverage=Coverage(least, given.matched_days, countries, stations),
        pairwise=given.pairwise,
        method=given.method,
        strict=given.strict,
        format=given.format,
        words=vars(given),
    )


def _parser() -> job.OptionParser:
    parser = job.OptionParser(
        "gsod",
        description="NOAA's daily weather of several years, compared on the stations they share.",
        epilog="Without --data a sample of real data is read: two stations, 2015 to 2024.",
    )
    add = parser.add_argument
    add("--data", metavar="SOURCE", help=f"where <year>.tar.gz lie: a folder, {_schemes()}, noaa")
    add("--cache", metavar="DIR", help="folder on each Ray node that keeps what is downloaded")
    add("--years", nargs="+", metavar="YEAR", help="two or more; 1950..2025 is a range")
    add("--high-temp", metavar="F", help="degrees Fahrenheit (100; with the sample 80)")
    add("--column", choices=("TEMP", "MAX"), default="TEMP", help="daily mean, or maximum")
    add("--op", choices=(">=", "<="), default=">=", help="which days count (%(default)s)")
    add("--min-days", default="0", metavar="N", help="valid days a station must have each year")
    add("--matched-days", action="store_true", help="only calendar days valid in every year")
    add("--country", nargs="+", default=[], metavar="CC", help="FIPS codes that end NAME")
    add("--stations", nargs="+", default=[], metavar="ID", help="only these stations")
    add("--pairwise", action="store_true", help="also every two years on their own stations")
    add("--method", choices=METHODS, default="tasks", help="how to read (%(default)s)")
    add("--strict", action="store_true", help="refuse data with invalid values or rows")
    add("--format", choices=("table", "json", "csv"), default="table")
    return parser


def _schemes() -> str:
    return ", ".join(f"{name}://" for name in SCHEMES)


def _beyond_tutorial(
    parser: argparse.ArgumentParser, given: argparse.Namespace, where: Where
) -> list[str]:
    """The tutorial's loader answers the tutorial's question only, and reads folders only."""
    known = {"data", "years", "high_temp", "method"}
    beyond = [name for name, value in vars(given).items() if parser.get_default(name) != value]
    problems = [
        f"--method tutorial does not know --{name.replace('_', '-')}"
        for name in beyond
        if name not in known
    ]
    return problems + ["--method tutorial reads a folder only"] * (where.kind != FOLDER)


def _years(words: Sequence[str], problems: list[str]) -> tuple[int, ...]:
    years: list[int] = []
    for word in words:
        years += _year_range(word, problems)
    doubled = sorted({year for year in years if years.count(year) > 1})
    if doubled:
        problems.append(f"argument --years: {' '.join(map(str, doubled))} given more than once")
    elif len(years) == 1:
        problems.append("argument --years: give two or more, there is nothing to compare")
    return tuple(years)


def _year_range(word: str, problems: list[str]) -> range:
    known = f"{FIRST_YEAR} to {LAST_YEAR}"
    match = re.fullmatch(r"(\d{4})(?:\.\.(\d{4}))?", word, re.ASCII)
    if not match:
        problems.append(f"argument --years: {word!r} is neither a year nor first..last")
        return range(0)
    first, last = int(match[1]), int(match[2] or match[1])
    if not FIRST_YEAR <= first <= LAST_YEAR or not FIRST_YEAR <= last <= LAST_YEAR:
        problems.append(f"argument --years: {word}: GSOD has the years {known}")
        return range(0)
    if last < first:
        problems.append(f"argument --years: {word} runs backwards")
    return range(first, last + 1)


def _number(word: str, option: str, problems: list[str]) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or not word.isascii() or "_" in word:
        problems.append(f"argument {option}: {word!r} is not a number")
    return value


def _whole(word: str, option: str, most: int, problems: list[str]) -> int:
    number = job.whole_number(word, 0, most)
    if number is None:
        problems.append(f"argument {option}: {word!r} is not a whole number from 0 to {most}")
    return number or 0


def _countries(words: Sequence[str], problems: list[str]) -> frozenset[str]:
    for word in words:
        if not re.fullmatch("[A-Za-z]{2}", word):
            problems.append(f"argument --country: {word!r} is not two letters")
    return frozenset(word.upper() for word in words)


def _stations(words: Sequence[str], problems: list[str]) -> frozenset[str]:
    if any(not word.strip() for word in words):
        problems.append("argument --stations: an id is empty")
    return frozenset(word.upper() for word in words)


def _where(word: str, problems: list[str]) -> Where:
    """A folder, or an address."""
    if word != "noaa" and not is_address(word):
        return Where(str(_folder("--data", word, problems)))
    place, problem = address(word)
    if problem:
        problems.append(f"argument --data: {problem}")
    return Where(place or NOAA)


def _cached(where: Where, word: str, problems: list[str]) -> Where:
    if where.kind == FOLDER:
        problems.append("argument --cache: it keeps what is downloaded, and --data is a folder")
    return replace(where, cache=str(_folder("--cache", word, problems)))


def _folder(option: str, word: str, problems: list[str]) -> Path:
    """A folder that the user names; an empty word is most often a variable that is not set."""
    try:
        if word.strip() and "\0" not in word and not is_address(word):
            return submitted_from() / Path(word).expanduser()
        problems.append(f"argument {option}: {word!r} is no folder")
    except RuntimeError as error:
        problems.append(f"argument {option}: {word!r}: {error}")
    return Path(word)


def submitted_from() -> Path:
    """The folder that relative paths start from.

    On a head of the user's own machine that is the folder in which `raykit submit` ran. raykit puts
    it into the job's metadata, since Ray starts the driver in another folder.
    """
    try:
        job = json.loads(os.environ["RAY_JOB_CONFIG_JSON_ENV_VAR"])
        return Path(job["metadata"]["raykit-folder"])
    except (KeyError, ValueError, TypeError):
        return Path.cwd()
