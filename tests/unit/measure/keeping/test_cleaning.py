"""A record without secrets is still a record: whatever the secrets are, it is read again."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit import redaction
from raykit.app.picture import page
from raykit.measure import events
from raykit.measure.keeping.cleaning import cleaned
from raykit.measure.records import RunRecord, RunsFolder

KEPT = sorted(Path("tests/data/schemas").glob("*/record.json"))
RECORDS = [RunRecord.from_dict(json.loads(path.read_text("utf-8"))) for path in KEPT]
TEXTS = [path.read_text("utf-8") for path in KEPT]
OURS = ("id", "submission_id", "status", "cause", "phases", "started", "ended", "exit_code", "log")


def pieces(text):
    """Any piece of a record's own text, and any of its names: the worst that a secret can be."""
    names = sorted({name for line in text.splitlines() for name in line.split('"')[1::2]})
    anywhere = st.integers(0, len(text) - 5).flatmap(
        lambda start: st.integers(4, 30).map(lambda size: text[start : start + size])
    )
    return st.lists(anywhere | st.sampled_from(names), min_size=1, max_size=6)


def test_there_are_records_to_try():
    assert len(RECORDS) >= 3


@pytest.mark.parametrize("number", range(len(RECORDS)))
@given(data=st.data())
def test_whatever_the_secrets_are_a_written_record_is_read_again(number, data, tmp_path_factory):
    record, runs = RECORDS[number], RunsFolder(tmp_path_factory.mktemp("runs"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "_known", ())
        redaction.learn(*data.draw(pieces(TEXTS[number])))
        runs.write(record)
        read = runs.load(record.id)
        page(read, 80)
    assert [getattr(read, name) for name in OURS] == [getattr(record, name) for name in OURS]
    assert read.target.get("kind") == record.target.get("kind")


SECRET = "hunter-two-22"
PLACES = [
    {"message": f"no: {SECRET}"},
    {"notes": [f"saw {SECRET}"]},
    {"status": SECRET},
    {"error_type": SECRET},
    {"versions": {"ray": SECRET}},
    {"job": {"name": "x", "arguments": [f"--password={SECRET}"], "entrypoint": [SECRET]}},
    {"target": {"kind": "url", "url": f"http://host/{SECRET}"}},
    {"cluster": {"pods": [{"name": "p", "image": f"host/{SECRET}"}]}},
    {"tasks": {"names": {SECRET: 1}, "nodes": {f"head {SECRET}": 2}, "arms": {SECRET: {}}}},
    {"tasks": {"lanes": [{"node": SECRET}], "ended": {SECRET: {"why": SECRET}}}},
    {"start": {"job": "x", SECRET: 1, "arguments": {SECRET: SECRET}}},
    {"spans": [{"name": SECRET, "start": 1, "seconds": 2, SECRET: 3}]},
    {"results": [{"data": {SECRET: [SECRET]}}]},
    {"errors": [{"cause": "x", "message": SECRET, "evidence": [SECRET]}]},
]


@pytest.mark.parametrize("fields", PLACES)
def test_no_text_and_no_name_from_outside_holds_a_secret(make_record, fields):
    redaction.learn(SECRET)
    assert SECRET not in json.dumps(cleaned(make_record(**fields)))


def test_a_variable_called_like_a_field_breaks_no_later_record(make_record, tmp_path):
    runs = RunsFolder(tmp_path)
    redaction.learn_from({"env_vars": {"A_TOKEN": "submission_id", "B_TOKEN": "SUCCEEDED"}})
    runs.write(record := make_record(status="SUCCEEDED"))
    assert runs.read(record.id) == record


@pytest.mark.parametrize("levels", [90, 99, 100, 101, 450, 600, 950])
def test_a_result_is_written_however_deeply_a_job_nests_it_or_it_is_the_users(
    make_record, tmp_path, levels
):
    nested = b"[" * levels + b"]" * levels
    line = b'{"raykit": 1, "event": "result", "data": ' + nested + b"}"
    event = events.parse(line)
    assert (event is None) == (levels > 99)
    record = make_record()
    if event:
        record.add_event(event)
    RunsFolder(tmp_path).write(record)
    assert RunsFolder(tmp_path).read(record.id) == record
