"""The same answer or the same error with and without NumPy, over files that are almost NOAA's.

RAYKIT_SOAK=1 reads two million files; as many lines break as stay whole.
"""

import os
from random import Random

import pytest

from jobs.gsod.archive import DataProblem
from jobs.gsod.counts import Question
from jobs.gsod.reading.csv_reader import read_csv
from jobs.gsod.reading.tar_stream import Member
from jobs.gsod.reading.year import read_year

FastReader = pytest.importorskip(
    "jobs.gsod.reading.fast", reason="NumPy comes with [gsod]"
).FastReader

SOAK = bool(os.environ.get("RAYKIT_SOAK"))
FILES = 2_000_000 if SOAK else 4_000
ARCHIVES = 5_000 if SOAK else 60
TOGETHER = 200
QUESTIONS = [Question("TEMP", ">=", 75.5), Question("MAX", ">=", 80.0), Question("TEMP", "<=", 0)]
COLUMNS = ["STATION", "DATE", "NAME", "TEMP", "DEWP", "MAX", "MAX_ATTRIBUTES", "PRCP", "FRSHTT"]
TEMPERATURES = ["  70.1", " 100.0", "9999.9", "  -4.0", "  80.0", "   NaN", " 1e309", "  75.5"]
STRAY = [b'"', b",", b'","', b'""', b"\n", b"\r", b"\0", b" ", b"9", b"-", b"\xe9", b'"\n"', b"'"]


def noaa_file(luck, year=2020):
    """A few lines as NOAA writes them."""
    name, last = luck.choice(["A, NO", "B, C, US", "NOWHERE"]), luck.randrange(1, 300)
    lines = [",".join(f'"{each}"' for each in COLUMNS)]
    for _ in range(luck.randrange(1, luck.choice([12, 12, 12, 50]))):
        last += luck.choice([1, 1, 1, 1, 5])
        day = f"{year}-{1 + last // 28 % 12:02}-{1 + last % 28:02}"
        values = [luck.choice(TEMPERATURES[:5]) for _ in range(2)]
        if luck.random() < 0.02:
            values[luck.randrange(2)] = luck.choice(TEMPERATURES)
        fields = ["A0000000001", day, name, values[0], "  60.0", values[1], luck.choice(" *")]
        fields += [f"{luck.random():5.2f}", "000000"]
        lines.append(",".join(f'"{each}"' for each in fields))
    return bytearray("".join(f"{line}\n" for line in lines).encode())


def damage(luck, content):
    """Gain and lose some bytes, most often so that lengths stay as they were."""
    for _ in range(luck.choice([0, 1, 1, 2, 2, 3])):
        new, at = luck.choice(STRAY), luck.randrange(len(content))
        if luck.random() < 0.3:
            # Where a separator is, for two of them make a field.
            at = max(0, content.find(b'","', at))
        kind = luck.random()
        if kind < 0.6:
            content[at : at + len(new)] = new
        elif kind < 0.75:
            content[at:at] = new
            lost = luck.randrange(len(content))
            del content[lost : lost + len(new)]
        elif kind < 0.9:
            other = luck.randrange(len(content))
            content[at], content[other] = content[other], content[at]
        else:
            del content[at : at + len(new)]
    return bytes(content)


def by_csv_with(parts, content, question):
    """What CSV makes of a file, or what it refuses, if parts of the file need no parsing."""
    try:
        return read_csv(content, "", 2020, question, parts)
    except DataProblem as problem:
        return problem.what, problem.evidence


def by_csv(content, question):
    try:
        stations, quality = read_csv(content, "", 2020, question)
    except DataProblem:
        return None
    if quality.refused or quality.bad_dates or quality.other_years or quality.duplicate_days:
        return None
    ((name, station),) = stations.items() if len(stations) == 1 else ((None, None),)
    return (name, station, quality.missing) if name else None


def test_what_the_fast_way_reads_is_what_csv_reads():
    luck, quick, in_parts = Random(20), 0, 0
    for number in range(FILES // TOGETHER):
        question = QUESTIONS[number % len(QUESTIONS)]
        window, members = bytearray(b"....."), []
        for _ in range(TOGETHER):
            content, start = damage(luck, noaa_file(luck)), len(window)
            window += content + b"\0" * 20
            members.append(Member("x.csv", window, start, start + len(content)))
        for member, found in zip(members, FastReader(2020, question).read(members), strict=True):
            content = member.content
            if not isinstance(found, list):
                assert found == by_csv(content, question), content
                quick += 1
            elif found:
                expected = by_csv_with([], content, question)
                assert by_csv_with(found, content, question) == expected, content
                in_parts += 1
    # No way may be the only one that was tried.
    assert FILES * 0.15 < quick < FILES * 0.85
    assert in_parts > FILES * 0.02


def outcome(path, question):
    try:
        counts = read_year(path, 2020, question)
    except DataProblem as problem:
        return problem.what, problem.evidence
    counts.quality.files_by_csv = 0
    return counts


def test_an_archive_gives_the_same_answer_or_the_same_error_without_numpy(
    gsod, year_file, monkeypatch
):
    luck = Random(21)
    for number in range(ARCHIVES):
        question = QUESTIONS[number % len(QUESTIONS)]
        files = [noaa_file(luck) for _ in range(4)]
        broken = damage(luck, files.pop())
        path = year_file(gsod.packed([(f"{n}.csv", f) for n, f in enumerate([*files, broken])]))
        usual = outcome(path, question)
        monkeypatch.setattr("jobs.gsod.reading.year.WITH_NUMPY", False)
        assert outcome(path, question) == usual, broken
        monkeypatch.undo()
