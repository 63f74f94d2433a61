"""`raykit compare` as people read it: words first, letters for runs, 80 columns."""

import pytest

from raykit.app.commands.measuring.compare import _letter, as_text
from raykit.measure.compare import compare

SIX = [2.0, 2.1, 2.2, 2.3, 2.4, 2.5]


@pytest.fixture
def found(make_record, monkeypatch):
    """Two runs whose ids are words that a sentence may hold."""
    monkeypatch.setenv("COLUMNS", "80")

    def record(name, factor):
        spans = [
            {"name": arm, "arm": arm, "start": 1.0, "seconds": seconds * factor}
            for seconds in SIX
            for arm in ("local", "tasks")
        ]
        result = {"time": 20.0, "task_cpus": 2, "work": {"size": 9}, "data": {}}
        return make_record(
            id=name,
            status="SUCCEEDED",
            spans=spans,
            results=[result],
            start={"time": 10.0, "machine": {"cpu_model": "x", "cpu_count": 2, "load": 7.5}},
        )

    return compare([record("took", 1), record("a", 2)])


def test_a_verdict_in_words_comes_first_and_runs_have_letters(found):
    lines = as_text(found).splitlines()
    assert lines[0] == "B took 2.00 (1.76-2.27) of A's time (tasks): slower."
    assert any(line.startswith("  BUSY_MACHINE: A: a load of 7.5") for line in lines)
    legend = " ".join(line.strip() for line in lines)
    assert "VS A: each round of A over each of the run, above 1.00 is faster." in legend


def test_everything_fits_eighty_columns(found):
    assert max(map(len, as_text(found).splitlines())) <= 80


@pytest.mark.parametrize(("index", "letter"), [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ")])
def test_more_runs_than_letters_have_two(index, letter):
    assert _letter(index) == letter
