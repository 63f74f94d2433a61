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

from collections.abc import Iterator, Sequence

from jobs.gsod.counts import Question, Station, country_of
from jobs.gsod.reading.csv_reader import Part
from jobs.gsod.reading.layout import STATION_CHARACTERS, Layouts, Lines
from jobs.gsod.reading.lines import FileLines, LineChecker
from jobs.gsod.reading.tar_stream import Member

Quick = tuple[str, Station, int]
"""A file's station id, its counters and its missing values."""

Run = tuple[Member, Lines]
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
        checked = iter(self._check(whole))
        read = [next(checked) if lines else None for lines in layouts]
        left = [
            (member, lines)
            for member, lines, quick in zip(members, layouts, read, strict=True)
            if quick is None
        ]
        parts = iter(self._parts(left) if left else [])
        return [quick or next(parts) for quick in read]

    def _parts(self, files: Sequence[tuple[Member, Lines | None]]) -> list[list[Part]]:
        """The parts of each file that need no CSV. With lines, they did not pass as a whole."""
        parts: dict[int, list[Part]] = {member.start: [] for member, _ in files}
        failed = [(member, lines) for member, lines in files if lines]
        runs = [
            (member, lines)
            for member, whole in files
            if not whole
            for lines in self._layouts.runs(member)
        ]
        for _ in range(ROUNDS):
            runs += self._cut(failed)
            failed = []
            for run, quick in zip(runs, self._check(runs), strict=True):
                if quick:
                    parts[run[0].start].append(_part(run, quick))
                else:
                    failed.append(run)
            runs = []
        return [sorted(each) for each in parts.values()]

    def _check(self, runs: Sequence[Run]) -> list[Quick | None]:
        """The counters of lines that pass all checks; None for others."""
        checked = self._checker.check([(member.buffer, lines) for member, lines in runs])
        return [_counters(*run, each) for run, each in zip(runs, checked, strict=True)]

    def _cut(self, failed: Sequence[Run]) -> Iterator[Run]:
        """The runs that remain of lines that did not pass the checks together."""
        flags = self._checker.flags([(member.buffer, lines) for member, lines in failed])
        for (member, lines), (good, follows) in zip(failed, flags, strict=True):
            for run in self._layouts.cut(member, lines, good, follows):
                yield member, run


def _counters(member: Member, lines: Lines, checked: FileLines) -> Quick | None:
    first, _, rows, plan = lines
    good, seen, missing, hits, derived = checked
    buffer = member.buffer
    station_id = buffer[first + 1 : first + 1 + STATION_CHARACTERS].decode("latin-1")
    if not good or station_id.isspace():
        return None
    country = country_of(bytes(buffer[first + plan.name.start : first + plan.name.stop]))
    station = Station(rows, seen, seen & ~missing, hits, derived, country)
    return station_id, station, missing.bit_count()


def _part(run: Run, quick: Quick) -> Part:
    member, lines = run
    start = lines.first - member.start
    return Part(start, start + lines.step * lines.rows, *quick)
