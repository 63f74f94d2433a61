"""The lines by which a job says what it did."""

import json
import subprocess
import sys

import pytest

from jobs import timing


def events(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines() if line.startswith('{"raykit"')]


def test_every_event_is_one_line_with_the_version_and_the_kind(capfd):
    timing.start("demo", arguments={"size": 3})
    with timing.span("compute", arm="local") as attributes:
        attributes["found"] = 7
    timing.result({"answer": 42})
    timing.error("data", "cut short", ["line 1"])
    kinds = events(capfd.readouterr().out)
    assert [(each["raykit"], each["event"]) for each in kinds] == [
        (1, "start"),
        (1, "span"),
        (1, "result"),
        (1, "error"),
    ]
    start, span, result, error = kinds
    assert start["job"] == "demo"
    assert start["arguments"] == {"size": 3}
    assert (span["name"], span["arm"], span["found"]) == ("compute", "local", 7)
    assert start["time"] <= span["start"] <= result["time"]
    assert span["seconds"] >= 0
    assert result["data"] == {"answer": 42}
    assert (error["cause"], error["message"], error["evidence"]) == (
        "data",
        "cut short",
        ["line 1"],
    )


def test_a_span_whose_body_fails_is_not_written(capfd):
    def fail():
        with timing.span("compute"):
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        fail()
    assert capfd.readouterr().out == ""


def test_what_was_printed_before_comes_before_also_through_a_pipe():
    code = "from jobs import timing\nprint('first')\ntiming.start('demo')\nprint('last')\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, event, last = done.stdout.splitlines()
    assert (first, last) == ("first", "last")
    assert json.loads(event)["event"] == "start"


def test_a_line_larger_than_a_pipe_arrives_whole():
    code = "from jobs import timing\ntiming.result({'text': 'x' * 1_000_000})\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(events(done.stdout)[0]["data"]["text"]) == 1_000_000


def test_a_number_that_json_cannot_hold_is_refused(capfd):
    with pytest.raises(ValueError, match="JSON"):
        timing.result({"answer": float("nan")})
    assert capfd.readouterr().out == ""


def test_text_beyond_ascii_survives(capfd):
    timing.result({"name": "Örebro °F \n next"})
    assert events(capfd.readouterr().out)[0]["data"]["name"] == "Örebro °F \n next"


def test_start_and_result_say_how_long_the_cpu_limit_held_the_driver_back(
    capfd, monkeypatch, tmp_path
):
    stat = tmp_path / "cpu.stat"
    stat.write_text("usage_usec 5\nnr_throttled 2\nthrottled_usec 250000\n")
    monkeypatch.setattr(timing, "CPU_STAT", stat)
    timing.start("fib")
    timing.result({})
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["throttled_seconds"] for line in lines] == [0.25, 0.25]


def test_where_no_cgroup_can_be_read_nothing_is_said_of_throttling(capfd, monkeypatch, tmp_path):
    monkeypatch.setattr(timing, "CPU_STAT", tmp_path / "absent")
    timing.start("fib")
    assert "throttled_seconds" not in json.loads(capfd.readouterr().out)


def test_task_cpus_and_work_stand_beside_the_jobs_own_data(capfd):
    timing.result({"p": 0.03, "work": "hard"}, task_cpus=4, work={"size": 9})
    timing.result({})
    told, untold = events(capfd.readouterr().out)
    assert (told["task_cpus"], told["work"]) == (4, {"size": 9})
    assert told["data"] == {"p": 0.03, "work": "hard"}
    assert not {"task_cpus", "work"} & set(untold)


def test_start_says_where_the_driver_runs_and_how_loaded_that_is(capfd, monkeypatch, tmp_path):
    pressure = tmp_path / "cpu"
    pressure.write_text("some avg10=1.00 avg60=0.00 avg300=0.00 total=2500000\n")
    monkeypatch.setattr(timing, "CPU_PRESSURE", pressure)
    times = tmp_path / "stat"
    times.write_text("cpu  9 9 9 9 9 9 9 300 0 0\ncpu0 9 9 9 9 9 9 9 1 0 0\n")
    monkeypatch.setattr(timing, "CPU_TIMES", times)
    monkeypatch.setattr(timing.os, "sysconf", lambda name: 100)
    timing.start("fib")
    (start,) = events(capfd.readouterr().out)
    assert start["machine"]["cpu_count"] > 0
    assert start["machine"]["load"] >= 0
    assert start["cpu_pressure_seconds"] == 2.5
    assert start["steal_seconds"] == 3.0


def test_what_the_operating_system_does_not_say_is_left_out(capfd, monkeypatch, tmp_path):
    monkeypatch.setattr(timing, "CPU_PRESSURE", tmp_path / "absent")
    monkeypatch.setattr(timing, "_load", lambda: None)
    timing.start("fib")
    (start,) = events(capfd.readouterr().out)
    assert "cpu_pressure_seconds" not in start
    assert "load" not in start["machine"]
