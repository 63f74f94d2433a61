"""Records of every schema that ever was stay readable.

`tests/data/schemas` keeps one of each, written by raykit as it was then: the first one, those that
brought `cluster`, `cause` and `clock`, and with them the changes of `tasks`.
"""

import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from raykit.measure import records
from raykit.measure.keeping.summaries import UNREADABLE, summaries
from raykit.measure.records import RunRecord, RunsFolder
from raykit.measure.traces import chrome, otlp

KEPT = Path(__file__).parents[3] / "data" / "schemas"
RUNS = sorted(path.name for path in KEPT.iterdir())


@pytest.fixture
def raykit(raykit, monkeypatch):
    monkeypatch.setenv("RAYKIT_RUNS", str(KEPT))
    return raykit


def kept(run):
    return json.loads((KEPT / run / "record.json").read_text("utf-8"))


def test_every_schema_has_a_record_and_the_newest_has_every_field():
    assert {kept(run)["schema"] for run in RUNS} == set(range(1, records.SCHEMA + 1))
    known = {field.name for field in fields(RunRecord)}
    assert known - set(kept(RUNS[-1])) == set(), "keep a record of the schema with the new field"


@pytest.mark.parametrize("run", RUNS)
def test_a_record_of_each_schema_is_shown(raykit, run):
    code, out, err = raykit("runs", "show", run)
    assert (code, err) == (0, "")
    assert "SUCCEEDED (exit 0)" in out
    assert "fib" in out
    assert "head 127.0.0.1 cpu 0 " in out


@pytest.mark.parametrize("run", RUNS[1:3])
def test_records_of_times_that_knew_no_work_are_compared_by_their_numbers(raykit, run):
    code, out, err = raykit("compare", RUNS[0], run)
    assert (code, err) == (0, "")
    assert "of A's time" in out


@pytest.mark.parametrize("run", RUNS[:-1])
def test_a_record_of_each_schema_is_shown_beside_the_newest(raykit, run):
    code, out, err = raykit("compare", "--unlike", RUNS[-1], run)
    assert (code, err) == (0, "")
    assert run in out


@pytest.mark.parametrize("run", RUNS)
def test_a_record_of_each_schema_becomes_a_trace(run):
    record = RunsFolder(KEPT).load(run)
    lanes = {
        event["args"]["name"]
        for event in chrome.trace([record])["traceEvents"]
        if event["name"] == "thread_name"
    }
    assert lanes >= {"run", "phases", "spans", "cpu 0", "cpu 1"}
    names = [
        span["name"]
        for each in otlp.traces([record])["resourceSpans"]
        for span in each["scopeSpans"][0]["spans"]
    ]
    assert names.count("fibonacci_task") >= 2


def test_records_of_all_schemas_are_listed():
    assert [run.status for run in summaries(RunsFolder(KEPT))] == ["SUCCEEDED"] * len(RUNS)


def test_a_schema_of_the_future_is_named_and_left_alone(raykit, tmp_path, monkeypatch):
    shutil.copytree(KEPT / RUNS[-1], tmp_path / RUNS[-1])
    path = tmp_path / RUNS[-1] / "record.json"
    newer = json.dumps(kept(RUNS[-1]) | {"schema": records.SCHEMA + 1}, indent=2) + "\n"
    path.write_text(newer, "utf-8")
    monkeypatch.setenv("RAYKIT_RUNS", str(tmp_path))
    code, _, err = raykit("runs", "show", "last")
    assert (code, f"schema {records.SCHEMA + 1}, this raykit reads" in err) == (7, True)
    assert raykit("runs", "prune", "--keep", "0", "--yes")[0] == 0
    assert path.read_text("utf-8") == newer
    assert summaries(RunsFolder(tmp_path))[0].status == UNREADABLE
