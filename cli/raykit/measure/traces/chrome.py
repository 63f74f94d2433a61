"""Runs as a Chrome trace: the JSON that Perfetto (ui.perfetto.dev) and chrome://tracing open.

A run is a process with rows for raykit's phases and the job's spans; each Ray node that ran tasks
is another one below it, with a row for each CPU and actor. Times are microseconds from the
beginning of the earliest run, whose Unix time stands in `otherData`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from raykit import versions
from raykit.measure.records import RunRecord
from raykit.measure.traces.timeline import Lane, Slice, Timeline, rows, timeline

Event = dict[str, Any]
MICROSECONDS = 1e6


def trace(records: Sequence[RunRecord]) -> dict[str, Any]:
    """The trace of some runs, side by side as they happened."""
    lines = [timeline(record) for record in records]
    zero = min((line.run.start for line in lines), default=0.0)
    numbers = iter(range(1, 1 << 31))
    events = [event for line in lines for event in _run(line, zero, numbers)]
    about = {"made_by": f"raykit {versions.RAYKIT}", "zero_unix_seconds": zero}
    return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": about}


def _run(line: Timeline, zero: float, numbers: Iterator[int]) -> Iterator[Event]:
    own = next(numbers)
    yield _named("process_name", own, 0, f"{line.run.name} {line.record.id}")
    groups = [("run", [line.run]), ("phases", line.phases), ("spans", line.spans)]
    yield from _rows(own, groups, zero, numbers)
    by_node: dict[str, list[Lane]] = {}
    for lane in line.lanes:
        by_node.setdefault(lane.node, []).append(lane)
    for node, lanes in by_node.items():
        number = next(numbers)
        yield _named("process_name", number, 0, f"{node} ({line.record.id})")
        yield from _rows(number, [(lane.name, lane.slices) for lane in lanes], zero, numbers)


def _rows(
    process: int,
    groups: Sequence[tuple[str, Sequence[Slice]]],
    zero: float,
    numbers: Iterator[int],
) -> Iterator[Event]:
    """Each group as a thread, or as several where its slices overlap: a thread's must nest."""
    for title, slices in groups:
        for slices_of_row in rows(slices):
            thread = next(numbers)
            yield _named("thread_name", process, thread, title)
            yield {
                "name": "thread_sort_index",
                "ph": "M",
                "pid": process,
                "tid": thread,
                "args": {"sort_index": thread},
            }
            yield from (_event(each, process, thread, title, zero) for each in slices_of_row)


def _event(each: Slice, process: int, thread: int, group: str, zero: float) -> Event:
    start = round((each.start - zero) * MICROSECONDS)
    return {
        "name": each.name,
        "cat": group,
        "ph": "X",
        "ts": start,
        "dur": max(round((each.end - zero) * MICROSECONDS) - start, 0),
        "pid": process,
        "tid": thread,
        "args": dict(each.about),
    }


def _named(what: str, process: int, thread: int, name: str) -> Event:
    return {"name": what, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}
