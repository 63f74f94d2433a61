"""Timing lines in a driver log: found whole, never invented, and never shown."""

import itertools
import json
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.measure import events
from raykit.measure.events import EventFilter, parse

SPAN = b'{"raykit": 1, "event": "span", "name": "compute", "start": 5.0, "seconds": 0.25}\n'
RESULT = b'{"raykit": 1, "event": "result", "data": {"answer": 42}}\n'


def filtered(chunks):
    found = EventFilter()
    shown = b"".join([*(found.feed(chunk) for chunk in chunks), found.end()])
    return shown, found.events


def cut(data, positions):
    edges = [0, *sorted(position % (len(data) + 1) for position in positions), len(data)]
    return [data[low:high] for low, high in itertools.pairwise(edges)]


PIECES = st.sampled_from(
    [
        SPAN,
        RESULT,
        RESULT.rstrip(b"\n"),
        b'{"raykit"',
        b'{"raykit": 2, "event": "result", "data": 1}\n',
        b' {"raykit": 1, "event": "result", "data": 1}\n',
        b"{",
        b"\n",
        b"\r",
        b"\r\n",
        b"\xff\xfe",
        b"user text\n",
        b"50 %\r100 %\n",
    ]
)


@given(st.lists(st.one_of(PIECES, st.binary(max_size=5)), max_size=12), st.lists(st.integers(0)))
def test_any_chunking_gives_the_same_visible_bytes_and_events(pieces, positions):
    data = b"".join(pieces)
    assert filtered(cut(data, positions)) == filtered([data])


@given(st.lists(PIECES, max_size=12))
def test_what_is_shown_and_what_is_taken_together_are_all_lines(pieces):
    data = b"".join(pieces)
    lines = re.findall(rb"[^\n]*\n|[^\n]+", data)
    taken = [parse(line) for line in lines]
    visible = [line for line, event in zip(lines, taken, strict=True) if event is None]
    assert filtered([data]) == (b"".join(visible), [event for event in taken if event is not None])


def test_an_event_is_found_among_the_users_lines_and_not_shown():
    assert filtered([b"before\n" + SPAN + b"after\n"]) == (
        b"before\nafter\n",
        [{"raykit": 1, "event": "span", "name": "compute", "start": 5.0, "seconds": 0.25}],
    )


def test_the_users_bytes_are_shown_at_once_and_do_not_wait_for_the_lines_end():
    found = EventFilter()
    assert found.feed(b"progress 10 %") == b"progress 10 %"
    assert found.feed(b"\rprogress 20 %") == b"\rprogress 20 %"
    assert found.feed(b'{"raykit": 1, "event": "result", "data": 1}\n') != b""
    assert found.events == []


def test_a_last_line_without_an_end_is_an_event_too():
    assert filtered([RESULT.rstrip(b"\n")]) == (
        b"",
        [{"raykit": 1, "event": "result", "data": {"answer": 42}}],
    )


@pytest.mark.parametrize(
    "line",
    [
        b'{"raykit": 2, "event": "result", "data": 1}',
        b'{"raykit": 1, "event": "other", "data": 1}',
        b'{"raykit": 1, "event": ["result"], "data": 1}',
        b'{"raykit": 1, "event": {"a": 1}, "data": 1}',
        b'{"raykit": 1, "event": "result"}',
        b'{"raykit": 1, "event": "result", "data": NaN}',
        b'{"raykit": 1, "event": "result", "data": -Infinity}',
        b'{"raykit": 1, "event": "result", "data": 1e999}',
        b'{"raykit": 1, "event": "result", "data": 1' + 400 * b"0" + b"}",
        b'{"raykit": 1, "event": "result", "time": "now", "data": 1}',
        b'{"raykit": 1, "event": "span", "name": "x", "start": "0", "seconds": 1}',
        b'{"raykit": 1, "event": "span", "name": "x", "start": 0, "seconds": true}',
        b'{"raykit": 1, "event": "span", "name": "x", "start": 0, "seconds": -1}',
        b'{"raykit": 1, "event": "span", "name": "x", "start": 0, "seconds": 1e10}',
        b'{"raykit": 1, "event": "span", "name": "x", "start": -1e300, "seconds": 1}',
        b'{"raykit": 1, "event": "result", "time": 1e300, "data": 1}',
        b'{"raykit": 1, "event": "span", "start": 0, "seconds": 1}',
        b'{"raykit": 1, "event": "start"}',
        b'{"raykit": 1, "event": "error", "cause": "data"}',
        b'{"raykit": 1, "event": "error", "cause": "data", "message": "m", "evidence": 3}',
        b'{"raykit": 1, "event": "result", "data": ' + b"[" * 100_000,
        b'{"raykit": 1, "event": "result", "data": "\xff"}',
        b'{"raykit": 1, "event": "result", "data": 1} trailing',
        b' {"raykit": 1, "event": "result", "data": 1}',
        b'{"raykit"}',
        b"{}",
        b"",
    ],
)
def test_a_line_that_only_resembles_an_event_is_the_users(line):
    assert parse(line) is None
    assert filtered([line + b"\n"]) == (line + b"\n", [])


@pytest.mark.parametrize("chunk_size", [1, 7, 50])
def test_a_line_longer_than_the_limit_passes_through_and_is_not_held(monkeypatch, chunk_size):
    monkeypatch.setattr(events, "LONGEST_LINE", 60)
    long = b'{"raykit": 1, "event": "result", "data": "' + b"x" * 60 + b'"}\n'
    found = EventFilter()
    shown, held = b"", 0
    for start in range(0, len(long), chunk_size):
        shown += found.feed(long[start : start + chunk_size])
        held = max(held, len(found.held))
    assert (shown + found.end(), found.events) == (long, [])
    assert held < 60


def test_what_timing_writes_is_what_parse_reads():
    code = """
from jobs import timing
print("user line")
timing.start("demo", arguments={"size": 3})
with timing.span("compute", arm="local") as more:
    more["found"] = 7
timing.record("load:1980", 10.0, 2.5, rows=3)
timing.result({"text": "Örebro °F \\n", "none": None, "list": [1, 2.5]})
timing.error("data", "cut short", ["line 1"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    shown, found = filtered([done.stdout])
    assert shown == b"user line\n"
    assert [event["event"] for event in found] == ["start", "span", "span", "result", "error"]
    start, compute, load, result, error = found
    assert (start["job"], start["arguments"]) == ("demo", {"size": 3})
    assert (compute["name"], compute["arm"], compute["found"]) == ("compute", "local", 7)
    assert (load["start"], load["seconds"], load["rows"]) == (10.0, 2.5, 3)
    assert result["data"] == {"text": "Örebro °F \n", "none": None, "list": [1, 2.5]}
    assert (error["cause"], error["message"], error["evidence"]) == (
        "data",
        "cut short",
        ["line 1"],
    )


@given(st.dictionaries(st.text(), st.recursive(st.text() | st.integers(), st.lists, max_leaves=5)))
def test_any_result_that_json_holds_survives(data):
    line = json.dumps({"raykit": 1, "event": "result", "data": data}).encode()
    event = parse(line)
    assert event is not None
    assert event["data"] == data
