"""When things happened, on one clock, and what lies within what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.measure.traces.timeline import Slice, parents, rows, timeline
from raykit.phases import Phase


def test_times_of_the_head_are_set_to_our_clock_where_the_offset_is_known(make_record):
    span = {"name": "compute", "start": 105.0, "seconds": 2.0, "arm": "tasks"}
    lane = {"node": "head", "kind": "cpu", "cpu": 0, "name": "", "intervals": [[105.5, 106.0]]}
    record = make_record(
        started=99.0,
        ended=110.0,
        phases=[Phase("run", 100.0, 3.0)],
        spans=[span],
        tasks={"lanes": [lane], "names": {"f": 1}},
        clock={"corrected": True, "offset_seconds": 5.0},
    )
    line = timeline(record)
    assert [(each.name, each.start, each.end) for each in line.spans] == [("compute", 100.0, 102.0)]
    assert [(each.name, each.start) for each in line.lanes[0].slices] == [("f", 100.5)]
    assert (line.run.start, line.run.end) == (99.0, 110.0)
    record.clock = {"corrected": False, "offset_seconds": 5.0}
    assert timeline(record).spans[0].start == 105.0


def test_a_run_that_was_not_seen_to_end_lasts_as_long_as_what_is_known_of_it(make_record):
    line = timeline(make_record(started=10.0, ended=None, phases=[Phase("submit", 11.0, 4.0)]))
    assert (line.run.start, line.run.end) == (10.0, 15.0)
    assert timeline(make_record(started=10.0, ended=None)).run.seconds == 0


def test_tasks_of_several_names_are_called_tasks_and_actors_by_theirs(make_record):
    lanes = [
        {"node": "w", "kind": "cpu", "cpu": 1, "name": "", "intervals": [[1.0, 2.0]]},
        {"node": "w", "kind": "actor", "cpu": 0, "name": "Loader", "intervals": [[1.0, 2.0]]},
    ]
    lanes[0]["failed"] = [[1.2, 1.4]]
    line = timeline(make_record(tasks={"lanes": lanes, "names": {"f": 1, "g": 2}}))
    assert [(lane.name, [each.name for each in lane.slices]) for lane in line.lanes] == [
        ("cpu 1", ["tasks", "tasks FAILED"]),
        ("Loader", ["Loader"]),
    ]


@pytest.mark.parametrize("span", [{}, {"name": "x"}, {"name": "x", "start": "now", "seconds": 1}])
def test_a_span_without_usable_times_is_left_out(make_record, span):
    assert timeline(make_record(spans=[span])).spans == ()


def test_a_parent_is_the_shortest_slice_around():
    run, compute, task = Slice("run", 0, 10), Slice("compute", 2, 6), Slice("task", 3, 4)
    outside = Slice("outside", 5, 7)
    found = parents([compute, task, outside], [run, compute])
    assert [found[id(each)].name for each in (compute, task, outside)] == ["run", "compute", "run"]
    assert parents([run], [run, compute]) == {}


def test_of_two_equal_slices_the_first_is_the_outer_one_and_nothing_is_its_own_parent():
    one, two = Slice("one", 0, 1), Slice("two", 0, 1)
    found = parents([one, two], [one, two])
    assert [found.get(id(each)) for each in (one, two)] == [None, one]


def test_clocks_of_a_millisecond_may_put_an_end_that_much_later():
    compute, task = Slice("compute", 1.0, 2.0), Slice("task", 0.9995, 2.0005)
    assert parents([task], [compute])[id(task)] is compute
    assert parents([Slice("late", 1.5, 2.1)], [compute]) == {}


times = st.floats(0, 100, allow_nan=False)
slices = st.lists(st.tuples(times, times).map(lambda pair: Slice("x", min(pair), max(pair))))


@given(slices)
def test_within_a_row_slices_nest_or_lie_apart(several):
    found = rows(several)
    assert sum(map(len, found)) == len(several)
    for row in found:
        open_ends = []
        for each in row:
            while open_ends and open_ends[-1] <= each.start:
                open_ends.pop()
            assert each.end >= each.start
            assert not open_ends or each.end <= open_ends[-1]
            open_ends.append(each.end)


def test_slices_that_follow_one_another_share_a_row_in_spite_of_rounding():
    found = rows([Slice("a", 0.0, 1.0000002), Slice("b", 1.0, 2.0), Slice("c", 1.5, 3.0)])
    assert [[each.name for each in row] for row in found] == [["a", "b"], ["c"]]
    assert found[0][1].start == 1.0000002


@given(slices, slices)
def test_every_parent_stands_in_the_list_and_around(inner, among):
    for each in inner:
        above = parents(inner, among).get(id(each))
        assert above is None or (above in among and above.holds(each))
