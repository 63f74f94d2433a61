"""Reads station files without parsing every field, where that gives the same result as CSV.

NOAA quotes every field and pads numbers, so within one file all lines have the same length and each
column has its place. Lines that break one of these rules are left to the CSV parser, which reads
them or says what is wrong and where:

| rule | checked by |
|---|---|
| the header is one line of printable characters and has the columns | `layout.Header` |
| the first line quotes every field, and no field holds a quote | `layout.make_plan` |
| STATION and DATE come first; they and the value are as wide as NOAA's | `layout.make_plan` |
| of MAX, the next column is its mark, one character wide | `layout.make_plan` |
| the file is at most 366 lines, each as long as the first | `layout.Layouts.find` |
| all lines have quotes, commas and ends where the first has them, no control characters | `shape` |
| all lines name the same station, which is not blank | `lines`, here |
| each DATE is a day of the year, later than that of the line before | `lines` |
| each value is a temperature, or missing | `lines` |

A file that breaks a rule is cut into runs of lines that keep all of them: where the length of its
lines changes, where another station or an earlier day begins, around each odd line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from jobs.gsod.counts import Question, Station, country_of
from jobs.gsod.reading.csv_reader import Part
from jobs.gsod.reading.layout import STATION_CHARACTERS, Layouts, Lines
from jobs.gsod.reading.lines import FileLines, LineChecker, LineFlags
from jobs.gsod.reading.tar_stream import Member


class Quick(NamedTuple):
    """A file's station id, its counters and its missing values."""

    station_id: str
    station: Station
    missing: int


Run = tuple[Member, Lines]
Place = tuple[int, int]
"""Where a file begins and ends: an empty one begins where the next does."""

ROUNDS = 3
"""How often lines are cut and checked: by length, around odd lines, by the shape of the others."""


class FastReader:
    """Reads the files of one year."""

    def __init__(self, year: int, question: Question) -> None:
        self._layouts = Layouts(question)
        self._checker = LineChecker(year, question)

    def read(self, members: Sequence[Member]) -> list[Quick | list[Part]]:
        """The counters of each file; of a file that CSV must read, the parts that it need not."""
        layouts = [self._layouts.find(member) for member in members]
        whole = [(member, lines) for member, lines in zip(members, layouts, strict=True) if lines]
        runs = [
            (member, run)
            for member, lines in zip(members, layouts, strict=True)
            if not lines
            for run in self._layouts.runs(member)
        ]
        checked = self._check(whole + runs)
        files: dict[Place, Quick | list[Part]] = {}
        failed: list[Run] = []
        for run, result in zip(whole, checked, strict=False):
            if isinstance(result, Quick):
                files[run[0][2:]] = result
            else:
                failed += self._cut(run, result)
        parts = self._parts(runs, checked[len(whole) :], failed)
        return [files.get(member[2:]) or sorted(parts[member[2:]]) for member in members]

    def _parts(
        self, runs: list[Run], checked: list[Quick | LineFlags | None], failed: list[Run]
    ) -> dict[Place, list[Part]]:
        """The runs that pass all checks, by the beginnings of their files; others are cut again."""
        parts: dict[Place, list[Part]] = defaultdict(list)
        for _ in range(ROUNDS):
            for run, result in zip(runs, checked, strict=True):
                if isinstance(result, Quick):
                    parts[run[0][2:]].append(_part(run, result))
                else:
                    failed += self._cut(run, result)
            if not failed:
                break
            runs, failed = failed, []
            checked = self._check(runs)
        return parts

    def _check(self, runs: Sequence[Run]) -> list[Quick | LineFlags | None]:
        """The counters of lines that pass all checks; None if they name no station."""
        checked = self._checker.check([(member.buffer, lines) for member, lines in runs])
        return [
            each if isinstance(each, LineFlags) else _counters(*run, each)
            for run, each in zip(runs, checked, strict=True)
        ]

    def _cut(self, run: Run, flags: LineFlags | None) -> list[Run]:
        """The runs that remain of lines that did not pass the checks together."""
        member, lines = run
        cut = self._layouts.cut(member, lines, *flags) if flags else ()
        return [(member, each) for each in cut]


def _counters(member: Member, lines: Lines, checked: FileLines) -> Quick | None:
    first, _, rows, plan = lines
    seen, missing, hits, derived = checked
    buffer = member.buffer
    station_id = buffer[first + 1 : first + 1 + STATION_CHARACTERS].decode("latin-1")
    if station_id.isspace():
        return None
    country = country_of(bytes(buffer[first + plan.name.start : first + plan.name.stop]))
    station = Station(rows, seen, seen & ~missing, hits, derived, country)
    return Quick(station_id, station, missing.bit_count())


def _part(run: Run, quick: Quick) -> Part:
    member, lines = run
    start = lines.first - member.start
    return Part(start, start + lines.step * lines.rows, *quick)
