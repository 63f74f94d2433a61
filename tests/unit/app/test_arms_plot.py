"""The rounds of an experiment as signs on a terminal, at the widths that people have."""

import pytest

from raykit.app import arms_plot
from raykit.measure.experiment.arms import compare_arms
from tests.measured import experiment

SIX = [2.0, 2.1, 2.2, 2.3, 2.4, 2.5]


def arms(times, **more):
    return compare_arms(*experiment(times, **more)).arms


def test_every_round_is_a_sign_and_the_median_stands_within_its_interval():
    title, one, two, legend = arms_plot.repeats(arms({"one": SIX, "two": [1.0] * 6}), 80)
    assert title == "T of each round, from 1.000 to 2.500 s"
    assert two == f"two |◆{' ' * 73}|"
    assert one.count("·") == 6
    assert one.index("─") < one.index("◆") < one.rindex("─")
    assert legend.startswith("· a round")


def test_rounds_that_fall_together_are_one_sign_for_several():
    _, one, *_ = arms_plot.repeats(arms({"one": [1.0, 1.0, 2.0, 3.0, 3.0], "two": SIX}), 80)
    assert (one[5], one[-2]) == (":", ":")


def test_equal_times_have_no_scale_and_no_plot():
    assert arms_plot.repeats(arms({"one": [1.0] * 6, "two": [1.0] * 6}), 80) == []


def test_the_speedup_of_three_sizes_stands_against_the_ideal():
    times = {"one": SIX, "two": [s / 2 for s in SIX], "four": [s / 2 for s in SIX]}
    title, one, two, four = arms_plot.speedups(arms(times), 1.0, 80)
    assert "ideal" in title
    assert two.count("█") == 2 * one.count("█") == four.count("█")
    assert ("┊" in two, "┊" in four) == (False, True)
    assert four.endswith("|  2.00")
    assert arms_plot.speedups(arms({"one": SIX, "two": SIX}), 1.0, 80) == []


@pytest.mark.parametrize("width", [40, 80, 100])
def test_both_plots_keep_to_the_width_whatever_the_names(width):
    times = {"n" * 99: SIX, "two": [s / 2 for s in SIX], "four": [s / 4 for s in SIX]}
    lines = arms_plot.repeats(arms(times), width) + arms_plot.speedups(arms(times), 1.0, width)
    assert len(lines) == 9
    assert max(map(len, lines)) <= width
