"""`raykit compare` as people read it: words first, letters for runs, 80 columns."""

import csv
import io
from dataclasses import replace

import pytest

from raykit.app.commands.measuring.compare import _letter, as_csv, as_markdown, as_text
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


def test_an_arm_of_any_name_breaks_no_table(found):
    odd = "a|b\n" + 200 * "x"
    arms = [replace(arm, name=odd) for arm in found.arms]
    renamed = replace(found, arms=arms, verdicts=[])
    assert max(map(len, as_text(renamed).splitlines())) <= 80
    rows = [line for line in as_markdown(renamed).splitlines() if "a\\|b" in line]
    assert [row.replace("\\|", "").count("|") for row in rows] == [9] * 4
    assert [row["arm"] for row in csv.DictReader(io.StringIO(as_csv(renamed)))] == [odd] * 4


def test_markdown_of_runs_has_the_verdict_and_both_tables(found):
    lines = as_markdown(found).splitlines()
    assert lines[0] == "**B took 2.00 (1.76-2.27) of A's time (tasks): slower.**"
    assert "|  | arm | t | n | p | speedup | efficiency | vs a |" in lines
    assert any(line.startswith("| A | took | ") for line in lines)
    assert any(line.startswith("| B | tasks | 4.500 | 6 | 2 | 1.00") for line in lines)
    assert any(line.startswith("- `BUSY_MACHINE`: A: a load of 7.5") for line in lines)


def test_csv_of_runs_has_a_row_for_each_arm_of_each_with_its_intervals(found):
    rows = list(csv.DictReader(as_csv(found).splitlines()))
    names = [(row["run"], row["arm"]) for row in rows]
    assert names == [("took", "local"), ("took", "tasks"), ("a", "local"), ("a", "tasks")]
    assert rows[0]["vs_baseline"] == ""
    assert float(rows[3]["vs_baseline"]) == pytest.approx(0.5, rel=0.01)
    assert float(rows[3]["vs_baseline_low"]) < 0.5 < float(rows[3]["vs_baseline_high"])
    assert float(rows[3]["seconds"]) == pytest.approx(4.5)


@pytest.mark.parametrize(("index", "letter"), [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ")])
def test_more_runs_than_letters_have_two(index, letter):
    assert _letter(index) == letter
