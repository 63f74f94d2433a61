"""The Gantt shows every task once, in a file that stays small."""

import re

import pytest

from raykit.measure import strip
from raykit.measure.report.plots import gantt
from tests.measured import BEGAN, HOSTILE, node, task, tasks

pytest.importorskip("matplotlib")


def drawn(rows, nodes=1, cpus=2.0, **changes):
    there = [node(index, cpus) for index in range(nodes)]
    summary = strip.summarise(rows, 0, there, BEGAN + 99) | changes
    return gantt.of_tasks(summary, "gantt", "Tasks")


def rectangles(plot):
    """How many rectangles the wide and the narrow drawing have."""
    svgs = re.findall(r"<svg .*?</svg>", plot.html(named=False), re.DOTALL)
    return [len(re.findall(r"M[\d.]+ [\d.]+H", svg)) for svg in svgs]


def test_every_task_that_can_be_seen_is_a_rectangle_of_its_own():
    plot = drawn(tasks(40, 2))
    assert rectangles(plot)[0] == 40
    assert sum(int(row[1]) for row in plot.rows) == 40


def test_ten_thousand_tasks_are_joined_where_the_eye_cannot_part_them():
    plot = drawn(tasks(10_000, 4, 0.01), cpus=4.0)
    wide, narrow = rectangles(plot)
    assert narrow < wide < 4 * 720
    assert sum(int(row[1].replace(",", "")) for row in plot.rows) == 10_000


def test_the_names_that_take_most_time_have_their_own_colours_and_failures_theirs():
    rows = [task(n, 0, 3 + n, 1.0 + n / 9, name) for n, name in enumerate("abcdefgh")]
    rows.append(task(9, 0, 1.0, 0.5, "a", state="FAILED"))
    legend = [meaning for _, meaning in drawn(rows).legend]
    assert legend == ["h", "g", "f", "e", "d", "other tasks", "failed"]


def test_a_record_older_than_single_tasks_shows_its_busy_intervals():
    summary = strip.summarise(tasks(8, 2), 0, [node(0)], BEGAN + 99)
    for lane in summary["lanes"]:
        del lane["tasks"]
    plot = gantt.of_tasks(summary, "gantt", "Tasks")
    assert rectangles(plot)[0] >= 2
    assert {row[1] for row in plot.rows} == {"-"}


@pytest.mark.parametrize("changes", [{"dropped": 3}, {"lanes": []}])
def test_what_was_not_measured_is_not_drawn(changes):
    assert drawn(tasks(8, 2), **changes) is None
    assert gantt.of_tasks({}, "gantt", "Tasks") is None


def test_a_lost_ray_node_is_said_and_marked():
    rows = tasks(8, 2)
    ended = {"head 192.0.2.1": {"time": BEGAN + 3.2, "why": "killed", "lost": True}}
    assert "lost at the end of its line: head 192.0.2.1" in drawn(rows, ended=ended).description


def test_tasks_of_no_length_and_hostile_names_are_drawn():
    rows = [task(number, 0, 3, 0, HOSTILE) for number in range(3)]
    page = drawn(rows).html(named=True)
    assert "<script" not in page
    assert "alert(1)" in page
