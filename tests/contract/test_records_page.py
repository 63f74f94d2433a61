"""What docs/records.md says of DuckDB is so: its lines run, and give the records' own numbers."""

import re
from pathlib import Path

import pytest

from raykit.measure.records import RunsFolder

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "records.md").read_text("utf-8")
LINES = re.findall(r'^duckdb -c "(.+)"$', PAGE, re.M)
RECORDS = ROOT / "tests" / "data" / "runs"


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """`ask(line)`: the rows that DuckDB gives where `runs` holds two real runs."""
    duckdb = pytest.importorskip("duckdb", reason="in the extra [dev]")
    (tmp_path / "runs").symlink_to(RECORDS)
    monkeypatch.chdir(tmp_path)
    return lambda line: duckdb.sql(line).fetchall()


def test_jobs_are_counted_with_their_median_times(ask):
    assert ask(LINES[0]) == [("fib", "SUCCEEDED", 1, 13.4), ("gsod", "SUCCEEDED", 1, 22.5)]


def test_phases_are_those_of_the_records(ask):
    runs = RunsFolder(RECORDS)
    expected = [
        (run, phase.name, round(phase.seconds, 2))
        for run in runs.ids()
        for phase in runs.load(run).phases
    ]
    assert [
        (run, name, pytest.approx(seconds, abs=0.011)) for run, name, seconds in ask(LINES[1])
    ] == expected


def test_every_line_of_the_page_is_tested():
    assert len(LINES) == 2
