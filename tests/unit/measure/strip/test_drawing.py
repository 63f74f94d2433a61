"""The task strip as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.measure import strip
from raykit.measure.strip import drawing
from tests.unit.measure.strip.rows import GONE, HEAD, WORKER, actor_rows, node, row, summary, worker


def test_a_strip_is_drawn_to_the_column():
    found = summary([row(1000, 3000), row(1000, 2000), row(2500, 3000)])
    assert strip.draw(found, 80) == [
        "3 tasks over 2.00 s",
        "head 127.0.0.1 cpu 0 |" + "█" * 26 + "·" * 13 + "█" * 13 + "|  75%",
        "head 127.0.0.1 cpu 1 |" + "█" * 52 + "| 100%",
        "█ busy  · idle  %: busy share",
    ]


def test_the_strip_shows_where_a_node_ended_what_failed_there_and_where_one_came():
    nodes = [
        node(cpus=1.0),
        worker(1.0, end=12_000, **GONE),
        node("c" * 56, 1.0, head=False, name="new", start=13_000),
    ]
    rows = [
        row(10_000, 14_000),
        row(10_000, 12_000, WORKER, state="FAILED"),
        row(13_000, 14_000, "c" * 56, attempt=1),
    ]
    found = summary(rows, nodes, during=(9.0, 15.0))
    assert strip.draw(found, 61) == [
        "3 tasks over 4.00 s",
        "worker 127.0.0.1 cpu 0 |" + "!" * 15 + "x" + " " * 15 + "|  50%",
        "head 127.0.0.1 cpu 0   |" + "█" * 31 + "| 100%",
        "worker new cpu 0       |" + " " * 23 + "█" * 8 + "|  25%",
        "█ busy  ! failed  x node ended  %: busy share",
    ]
    assert strip.verdict(found) == (
        "A Ray node was lost while the job ran (worker 127.0.0.1); 1 task was tried again."
    )


def test_a_cell_that_is_busy_in_part_has_a_sign_of_its_own():
    found = summary([row(1000, 1500), row(2000, 5000)])
    lines = strip.draw(found, len("head 127.0.0.1 cpu 0 || 100%") + 10)
    assert lines[1] == "head 127.0.0.1 cpu 0 |█▒▒███████|  88%"
    assert lines[2] == "█ busy  ▒ in part  %: busy share"


def test_a_row_beyond_the_cpus_and_a_second_actor_are_named():
    rows = [
        *actor_rows("x", HEAD, (1010, 2000)),
        *actor_rows("y", HEAD, (1010, 2000)),
        *(row(1000, 2000, cpus=0), row(1000, 2000, cpus=0)),
    ]
    lines = strip.draw(summary(rows), 100)
    assert [line.split(" |")[0].strip() for line in lines[1:5]] == [
        "head 127.0.0.1 more 0",
        "head 127.0.0.1 more 1",
        "head 127.0.0.1 Loader",
        "head 127.0.0.1 Loader 2",
    ]
    assert lines[-1].endswith("named rows: actors  more: tasks beyond the CPUs  %: busy share")


@pytest.mark.parametrize(("longer", "label"), [(0, "head n"), (1, "…ad n")])
def test_a_label_that_just_fits_is_whole_and_a_longer_one_loses_its_beginning(longer, label):
    name = "n" * (drawing.LABEL_WIDTH - len("head  cpu 0") + longer)
    line = strip.draw(summary([row(1000, 2000)], [node(name=name)]), 80)[1]
    assert line.startswith(label)
    assert line.index("n cpu 0 |") == drawing.LABEL_WIDTH - len("n cpu 0")


def test_a_part_of_the_rows_gives_no_measure_no_strip_and_no_verdict():
    found = summary([row(1000, 2000)] * 10_000, dropped=2_000)
    assert found["count"] == 10_000
    assert not {"makespan", "first_start", "last_end", "busy_seconds", "lanes"} & set(found)
    assert strip.draw(found) == []
    assert strip.verdict(found) == (
        "Ray reported 10,000 of 12,000 tasks: a part says nothing about its task CPUs."
    )


def test_many_lanes_are_cut_to_ten_lines_of_80_columns_and_the_cut_is_said():
    nodes = [node(), worker(64.0, name="worker-with-a-very-long-name-x7x9z")]
    rows = [row(1000, 2000 + 10 * index, WORKER) for index in range(40)]
    lines = strip.draw(summary(rows, nodes), 80)
    assert len(lines) == 10
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "not shown: 33 less busy rows"
    assert lines[1].startswith("…very-long-name-x7x9z cpu 33 |")
    assert lines[1].endswith("|  96%")


@given(
    st.lists(
        st.tuples(st.integers(1, 9999), st.integers(0, 9999), st.sampled_from([HEAD, WORKER])),
        max_size=40,
    ),
    st.integers(0, 1),
    st.sampled_from([40, 61, 80, 100, 200]),
)
def test_any_strip_has_at_most_ten_lines_within_the_width(spans, dropped, width):
    rows = [row(start, start + length, where) for start, length, where in spans]
    found = summary(rows, [node(), worker(4.0)], dropped=dropped)
    lines = strip.draw(found, width)
    assert len(lines) <= drawing.MOST_LINES
    assert all(len(line) <= width for line in lines)
    assert strip.verdict(found).endswith((".", "?"))
