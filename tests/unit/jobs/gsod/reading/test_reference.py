"""The engine against an independent slow reader of every real file, and against damage."""

import csv
import gzip
import io
import operator
import os
import random
import tarfile
from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest

from jobs.gsod.archive import DataProblem
from jobs.gsod.counts import Question
from jobs.gsod.reading.year import read_year

SAMPLE = Path(__file__).parents[5] / "jobs" / "data" / "gsod"
QUESTIONS = [
    Question(column, op, threshold)
    for column in ("TEMP", "MAX")
    for op, threshold in ((">=", 80.0), (">=", 100.0), ("<=", 32.0), (">=", 12.3))
]
COMPARE = {">=": operator.ge, "<=": operator.le}
FLIPS = 10_000 if os.environ.get("RAYKIT_SOAK") == "1" else 300


def slow_reference(path, question):
    """Per station: rows, valid days, hit days, derived hit days, found the plainest way."""
    found = defaultdict(lambda: [0, set(), set(), set()])
    with tarfile.open(path, "r:gz") as archive:
        for member in archive.getmembers():
            text = archive.extractfile(member).read().decode("latin-1")
            for row in csv.DictReader(io.StringIO(text)):
                counted = found[row["STATION"]]
                counted[0] += 1
                day, value = date.fromisoformat(row["DATE"]), row[question.column].strip()
                if value == "9999.9":
                    continue
                counted[1].add(day)
                number = float(value)
                if (
                    number >= question.threshold
                    if question.op == ">="
                    else number <= question.threshold
                ):
                    counted[2].add(day)
                    if question.column == "MAX" and row["MAX_ATTRIBUTES"].strip() == "*":
                        counted[3].add(day)
    return {
        name: (rows, len(days), len(hits), len(derived))
        for name, (rows, days, hits, derived) in found.items()
    }


def engine(path, question):
    counts = read_year(path, int(path.name[:4]), question)
    return {
        name: (
            station.rows,
            station.days.bit_count(),
            station.hits.bit_count(),
            station.derived.bit_count(),
        )
        for name, station in counts.stations.items()
    }


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_the_sample_is_read_as_the_slow_reference_reads_it(question):
    archives = sorted(SAMPLE.glob("*.tar.gz"))
    assert len(archives) == 10
    for path in archives:
        assert engine(path, question) == slow_reference(path, question)


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_every_real_archive_is_read_as_the_slow_reference_reads_it(shared_gsod, question):
    archives = sorted((shared_gsod / "archives" / "repackaged").glob("*.tar.gz"))
    assert len(archives) == 10
    for path in archives:
        assert engine(path, question) == slow_reference(path, question)


def test_every_real_csv_file_alone_is_read_as_the_slow_reference_reads_it(
    shared_gsod, tmp_path, gsod
):
    for path in sorted(shared_gsod.glob("20??/*.csv")):
        archive = tmp_path / f"{path.parent.name}.tar.gz"
        archive.write_bytes(gsod.packed([(path.name, path.read_bytes())]))
        for question in QUESTIONS[:3]:
            assert engine(archive, question) == slow_reference(archive, question)


def test_the_sample_is_what_the_script_makes_of_the_real_files(shared_gsod, tmp_path):
    import subprocess
    import sys

    root = SAMPLE.parents[2]
    script = [sys.executable, "scripts/make_gsod_sample.py", shared_gsod, "--to", tmp_path]
    subprocess.run(script, cwd=root, check=True, capture_output=True)
    for path in sorted(SAMPLE.glob("*.tar.gz")):
        made = gzip.decompress((tmp_path / path.name).read_bytes())
        assert made == gzip.decompress(path.read_bytes())
    assert sum(path.stat().st_size for path in SAMPLE.glob("*.tar.gz")) < 600_000


def outcome(path, question):
    try:
        return engine(path, question)
    except DataProblem:
        return None


def test_flipped_bits_give_the_same_answer_or_none(tmp_path):
    """RAYKIT_SOAK=1 flips 10,000."""
    question = QUESTIONS[0]
    whole = (SAMPLE / "2024.tar.gz").read_bytes()
    path = tmp_path / "2024.tar.gz"
    path.write_bytes(whole)
    expected = engine(path, question)
    seed = int(os.environ.get("RAYKIT_SEED", "20"))
    luck = random.Random(seed)
    harmless = 0
    for number in range(FLIPS):
        damaged = bytearray(whole)
        # Headers and trailers are small: every fourth flip is in one of them.
        edge = luck.choice([range(24), range(len(whole) - 24, len(whole))])
        at = luck.choice(edge) if number % 4 == 0 else luck.randrange(len(whole))
        damaged[at] ^= 1 << luck.randrange(8)
        path.write_bytes(damaged)
        found = outcome(path, question)
        assert found in (None, expected), f"seed {seed}, flip {number}, byte {at}"
        harmless += found is not None
    assert harmless < FLIPS // 4


def test_flipped_bits_under_a_good_checksum_give_no_crash(tmp_path):
    """What a damaged disk could do before packing: refused or read, but never an exception."""
    tar = gzip.decompress((SAMPLE / "2024.tar.gz").read_bytes())
    path = tmp_path / "2024.tar.gz"
    luck = random.Random(7)
    for _ in range(FLIPS // 3):
        damaged = bytearray(tar)
        damaged[luck.randrange(len(tar))] ^= 1 << luck.randrange(8)
        path.write_bytes(gzip.compress(bytes(damaged), 1))
        outcome(path, QUESTIONS[0])
