"""docs/faults.md comes from the tests: each of its cases is one of theirs."""

import json
import re
import sys
from pathlib import Path

import pytest

from raykit.flows.steps.arrival import new_id

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import render_faults  # noqa: E402

PAGE = ROOT / "docs" / "faults.md"
ROW = {
    "section": "Pods and scheduling",
    "case": "a pod is lost",
    "where": "kind",
    "seconds": 12.34,
    "silent": 3.0,
    "code": 5,
    "says": ["error: no | pipe in t-my-test-12ab", "  one", "  two", "  three", "next: raykit up"],
}


def test_each_case_of_the_page_is_one_of_a_test():
    cases = re.findall(
        r"^\| ([^|]+?) \| (?:kind|HTTP server|this machine) \|", PAGE.read_text(), re.M
    )
    assert len(cases) > 20
    sources = [path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    plain = [re.sub(r"\\(.)", r"\1", case) for case in cases]
    assert [case for case in plain if not any(f'"{case}"' in text for text in sources)] == []


def test_cases_without_a_row_name_tests_that_there_are():
    lines = [line for part in render_faults.WITHOUT_ROW.values() for line in part.values()]
    named = [re.findall(r"`(tests/\S+?\.py)`", line) for line in lines]
    assert all(named)
    assert [path for paths in named for path in paths if not (ROOT / path).is_file()] == []


def test_no_wait_on_the_page_is_silent_for_more_than_20_seconds():
    row = r"^\| [^|]+ \| (?:kind|HTTP server|this machine) \| [\d.]+ \| ([\d.]+) \|"
    silent = re.findall(row, PAGE.read_text(), re.M)
    assert silent
    assert max(map(float, silent)) <= render_faults.MOST_SILENT


def test_a_row_shows_what_the_evidence_and_the_command():
    (line,) = render_faults.table([ROW])[2:]
    assert line == (
        r"| a pod is lost | kind | 12.3 | 3.0 | 5 "
        r"| error: no \| pipe in NAMESPACE<br>  one<br>  two<br>next: raykit up |"
    )


def test_an_id_of_a_run_is_shown_without_its_time_and_its_mark():
    names = [new_id("my-jobs") for _ in range(20)]
    shown = {render_faults.nameless(f"raykit attach {name}; then {name}.") for name in names}
    assert shown == {"raykit attach RUN-my-jobs; then RUN-my-jobs."}


def test_the_last_row_of_a_case_counts():
    lines = [json.dumps(ROW), json.dumps(ROW | {"seconds": 1.0})]
    assert [row["seconds"] for row in render_faults.read(lines)] == [1.0]


@pytest.mark.parametrize(("silent", "code"), [(20.0, 0), (20.1, 1)])
def test_a_silent_wait_fails(tmp_path, monkeypatch, capsys, silent, code):
    monkeypatch.setattr(render_faults, "PAGE", tmp_path / "faults.md")
    (tmp_path / "rows").write_text(json.dumps(ROW | {"silent": silent}) + "\n")
    assert render_faults.main(tmp_path / "rows") == code
    assert ("a pod is lost" in capsys.readouterr().out) == bool(code)


def test_runs_under_random_faults_are_shown_below_the_cases_the_last_of_each_seed():
    faults = {"head": {"20": 3}, "operator": {"0": 4, "5": 1}}
    counts = {"submits": 8, "minutes": 4, "wrong": 0, "late": 2, "unseen": 1}
    run = {"seed": 7, **counts, "faults": faults}
    made = [run | {"submits": 9}, run, run | {"seed": 1, "unseen": 3}]
    lines = [json.dumps(ROW), *(json.dumps({"chaos": each}) for each in made)]
    page = render_faults.page(render_faults.read(lines), render_faults.chaos(lines))
    assert re.findall(r"(\d+) submits in 4 minutes \(seed (\d)", page) == [("8", "7"), ("8", "1")]
    assert re.findall(r"although their head was lost: (\d+)", page) == ["1", "3"]
    assert page.splitlines().count("| operator | 5 | 4 | 1 |  |") == 2
    assert "at random" not in render_faults.page([ROW])
