"""A list of runs is made of the heads of their records, and says the same as the records."""

import json
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.errors import RecordError
from raykit.measure.keeping import heads
from raykit.measure.keeping.evidence import EVIDENCE, Collected, Collection
from raykit.measure.keeping.summaries import UNREADABLE, Wanted, collections, summaries
from raykit.measure.records import RunsFolder
from raykit.phases import Phase


@pytest.fixture
def runs(tmp_path):
    return RunsFolder(tmp_path / "runs")


def day(number, name="fib", mark="aaaa"):
    return f"202601{number:02}-000000-{name}-{mark}"


def test_a_line_says_what_the_whole_record_says(runs, make_record):
    phase = Phase("submit", 5.0, 0.25)
    runs.write(make_record(id=day(1), status="SUCCEEDED", ended=1795477379.5, phases=[phase]))
    (line,) = summaries(runs)
    assert line.as_row() == {
        "id": day(1),
        "status": "SUCCEEDED",
        "job": "fib --size 9",
        "on": "local",
        "started": 1795477369.0,
        "ended": 1795477379.5,
        "seconds": 10.5,
    }


def test_a_list_has_the_order_of_the_ids(runs, make_record):
    runs.write(make_record(id="raysubmit_zzz", started=1767225600.0))
    runs.write(make_record(id="20260103-000000-b-0000", started=1767398400.1))
    runs.write(make_record(id="20260103-000000-a-0000", started=1767398400.9))
    runs.write(make_record(id=day(2)))
    assert [run.id for run in summaries(runs)] == runs.ids()


@given(
    texts=st.lists(st.text(), max_size=3),
    phases=st.booleans(),
    message=st.text() | st.just('\n  "phases": [],'),
)
def test_no_text_of_a_record_is_taken_for_the_end_of_its_head(texts, phases, message):
    head = {"schema": 1, "job": {"name": "x", "arguments": texts}, "message": message}
    rest = {"phases": [{"name": "phases"}], "start": {"phases": texts}} if phases else {}
    for ascii_only in (True, False):
        whole = json.dumps({**head, **rest}, indent=2, ensure_ascii=ascii_only) + "\n"
        assert heads.parse(whole.encode("utf-8", "surrogatepass")) == head


def test_a_record_cut_short_anywhere_is_unreadable_in_the_list_too(runs, make_record):
    path = runs.write(make_record(phases=[Phase("submit", 5.0, 0.25)]))
    whole = path.read_bytes()
    for size in range(0, len(whole) - 2, 11):
        path.write_bytes(whole[:size])
        (line,) = summaries(runs)
        with pytest.raises(RecordError):
            runs.read(line.id)
        # Cut behind a whole field, it looks like a shorter record until all of it is read.
        assert line.status == UNREADABLE or whole[:size].rstrip().endswith(b"}")


@pytest.mark.parametrize(
    ("key", "value"),
    [("target", 5), ("target", None), ("job", []), ("started", 10**400)],
    ids=["a number", "nothing", "a list", "a time out of range"],
)
def test_one_record_of_another_shape_spoils_no_list(runs, make_record, key, value):
    path = runs.write(make_record(id=day(1)))
    runs.write(make_record(id=day(2)))
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {key: value}), "utf-8")
    assert [run.status for run in summaries(runs)] == [UNREADABLE, "UNFINISHED"]


@pytest.mark.parametrize(
    "content", ["", "[]", "3", "null", "{}", '{"schema": 1}', '{"schema": 2}', '{"job": 3}']
)
def test_what_is_no_record_is_listed_as_unreadable(runs, make_record, content):
    runs.write(make_record(id=day(1))).write_text(content, "utf-8")
    runs.write(make_record(id=day(2)))
    assert [(run.id, run.status) for run in summaries(runs)] == [
        (day(1), UNREADABLE),
        (day(2), "UNFINISHED"),
    ]


@pytest.mark.parametrize(
    ("wanted", "days"),
    [
        (Wanted(), [1, 2, 3, 4]),
        (Wanted(job="fib"), [1, 2, 4]),
        (Wanted(status="FAILED"), [2, 3]),
        (Wanted(status="failed", job="fib"), [2]),
        (Wanted(since=3.0), [3, 4]),
        (Wanted(limit=2), [3, 4]),
        (Wanted(job="fib", limit=2), [2, 4]),
        (Wanted(limit=9), [1, 2, 3, 4]),
        (Wanted(job="fi"), []),
    ],
)
def test_a_list_can_be_narrowed(runs, make_record, wanted, days):
    for number, name, status in (
        (1, "fib", "SUCCEEDED"),
        (2, "fib", "FAILED"),
        (3, "gsod", "FAILED"),
        (4, "fib", "UNFINISHED"),
    ):
        job = {"name": name, "arguments": [], "entrypoint": []}
        record = make_record(id=day(number), job=job, status=status, started=float(number))
        runs.write(record)
    assert [int(run.id[6:8]) for run in wanted.of(summaries(runs))] == days


@pytest.mark.parametrize("marks", [("aaaa", "bbbb"), ("bbbb", "aaaa")])
def test_evidence_of_one_second_has_the_order_of_its_time(runs, marks):
    names = [day(1, "kept", mark) for mark in marks]
    for name, fraction in zip(names, (0.25, 0.75), strict=True):
        path = runs.folder(name) / EVIDENCE
        path.parent.mkdir(parents=True)
        with path.open("wb") as out:
            begun = Collected(name, 1767225600 + fraction, "a test", 0.5, {"kind": "local"})
            Collection(time.monotonic() + 60).close(out, begun)
    damaged = runs.folder(day(1, "kept", "cccc")) / EVIDENCE
    damaged.parent.mkdir()
    damaged.write_bytes(b"no archive")
    assert [one.id for one in collections(runs)] == [damaged.parent.name, *names]


def test_a_pipe_in_place_of_evidence_is_none(runs):
    folder = runs.folder("20260101-000000-one-aaaa")
    folder.mkdir(parents=True)
    os.mkfifo(folder / "evidence.tar.gz")
    assert collections(runs) == []
