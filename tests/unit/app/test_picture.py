"""What is shown of a run, at the widths that people have."""

import json
from pathlib import Path

import pytest

from raykit.app import picture
from raykit.measure import strip
from raykit.measure.records import RunRecord
from raykit.phases import Phase

OLD = Path(__file__).parents[1] / "measure" / "golden" / "record-schema-1.json"
PHASES = [
    Phase(name, 0.0, 2222.2)
    for name in ("ray-start", "submit", "driver-start", "first-task", "run", "end-seen")
]


def rows(count):
    return [
        {
            "type": "NORMAL_TASK",
            "func_or_class_name": "work",
            "node_id": "a" * 56,
            "start_time_ms": 1000,
            "end_time_ms": 2000 + 7 * index,
            "state": "FINISHED",
        }
        for index in range(count)
    ]


@pytest.fixture
def record(make_record):
    """A run of many tasks with a doubt and a result of every kind of value."""
    node = {
        "node_id": "a" * 56,
        "is_head_node": True,
        "node_name": "a-node-with-quite-a-long-name",
        "state": "ALIVE",
        "resources_total": {"CPU": 16.0},
    }
    return make_record(
        status="SUCCEEDED",
        exit_code=0,
        phases=PHASES,
        tasks=strip.summarise(rows(20), 0, [node], 99.0),
        start={"job": "fib", "time": 1.0, "machine": {"cpu_count": 2, "load": 9.0}},
        results=[
            {
                "data": {
                    "agree": True,
                    "ratio": 0.6069014840004456,
                    "days": 123456.0,
                    "seconds": [0.123456789] * 40,
                    "nothing": None,
                    "years": [{"year": 1980, "share": 0.5}, {"year": 2020, "share": 1 / 3}],
                    "deep": {"er": [[1, 2], [3]], "empty": [], "none": {}},
                    "text": "words " * 40,
                }
            }
        ],
        notes=["a note of many words " * 9],
    )


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_picture_keeps_to_the_width_and_breaks_no_number(record, width):
    lines = picture.picture(record, width).splitlines()
    assert lines[-1] == f"record: raykit runs show {record.id}"
    assert max(map(len, lines[:-1])) <= width
    assert sum(line.count("2222.2") for line in lines) == 5
    assert any(line.startswith("doubt: BUSY_MACHINE") for line in lines)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_results_are_lines_of_words_and_short_numbers_within_the_width(record, width):
    shown = picture.page(record, width)
    results = shown.partition("RESULT\n")[2].partition("\n\n")[0].splitlines()
    assert max(map(len, results)) <= width
    assert results[:4] == ["  agree: yes", "  ratio: 0.6069", "  days: 123,456", "  seconds:"]
    assert "  nothing: none" in results
    table = [line for line in results if line.startswith(("    year", "    1980", "    2020"))]
    assert table == ["    year   share", "    1980     0.5", "    2020  0.3333"]
    assert not any(text in shown for text in ("{", "[", "0.6069014840004456"))


def test_the_machine_is_the_drivers_or_unknown(record, make_record):
    assert "machine  a CPU, 2 CPUs" in picture.page(make_record(), 80)
    assert "machine  unknown" in picture.page(make_record(target={"kind": "cluster"}), 80)


@pytest.mark.parametrize("width", [40, 80])
def test_why_a_run_did_not_succeed_is_shown_in_six_lines_within_the_width(make_record, width):
    message = "\n".join(f"reason {number} {'word ' * 12}" for number in range(9))
    shown = picture.page(make_record(status="NOT_SUBMITTED", message=message), width)
    assert "  reason 5" in shown
    assert "reason 6" not in shown
    assert max(map(len, shown.splitlines())) <= width
    assert "reason" not in picture.page(make_record(status="SUCCEEDED", message=message), width)


def test_nothing_is_said_of_the_task_cpus_of_a_job_that_was_never_submitted(make_record):
    record = make_record(status="NOT_SUBMITTED", tasks={})
    assert "task CPUs" not in picture.picture(record, 80) + picture.page(record, 80)
    ran = make_record(status="FAILED", tasks={})
    assert "the use of its task CPUs is unknown" in picture.picture(ran, 80)


def test_an_unfinished_run_says_how_to_learn_its_end(make_record):
    record = make_record(status="UNFINISHED")
    assert f"next: raykit attach {record.id}   (" in picture.page(record, 80)


def test_a_record_of_the_first_schema_is_shown_as_far_as_it_goes():
    record = RunRecord.from_dict(json.loads(OLD.read_text("utf-8")))
    shown = picture.picture(record, 80)
    assert "head 127.0.0.1 cpu 1 |" in shown
    assert "8 tasks ran, on 2 task CPUs." in shown
    assert "serial_fraction" in picture.page(record, 80)


def test_a_length_that_nothing_can_have_is_short_and_an_empty_value_is_none(make_record):
    span = {"name": "x", "start": 1.0, "seconds": 1e308}
    shown = picture.page(make_record(spans=[span], results=[{"data": {"y": {}, "z": []}}]), 80)
    assert "x     1.0e+308" in shown
    assert "  y: none\n  z: none" in shown


def test_a_long_name_of_a_span_leaves_the_others_their_columns(make_record):
    spans = [{"name": name, "start": 1.0, "seconds": 0.5} for name in ("x" * 5000, "load")]
    shown = picture.page(make_record(spans=spans), 60).splitlines()
    assert f"{'x' * 47}…    0.500" in shown
    assert f"{'load':<48}    0.500" in shown


def test_a_name_that_may_be_copied_stays_whole_where_the_screen_is_narrow(make_record):
    address = "s3://some-bucket/by-year/daily-summaries/2020.tar.gz?versionId=Zx81"
    record = make_record(results=[{"data": {"source": f"read from {address} without a cache"}}])
    record.notes.append(f"the log was read again from {address}")
    shown = [line.strip() for line in picture.page(record, 40).splitlines()]
    assert shown.count(address) == 2
