"""What limited the reading is said from what the tasks measured."""

import pytest

from jobs.gsod.loading import Loaded
from jobs.gsod.sources.effort import Effort, lines, summary


def year(waited=0.0, processor=1.0, held_back=0.0, seconds=1.0, cpus=1):
    effort = Effort(50_000_000, waited, processor, held_back)
    return Loaded(2020, 0.0, seconds, "", cpus, effort=effort)


@pytest.mark.parametrize(
    ("effort", "limit"),
    [
        ({}, "the processors"),
        ({"waited": 0.4, "processor": 0.6}, "the processors"),
        ({"waited": 0.6, "processor": 0.4}, "the source"),
        ({"waited": 0.6, "held_back": 0.3}, "the source"),
        ({"waited": 0.2, "held_back": 0.3}, "the CPU limit"),
        ({"waited": 0.1, "processor": 0.2}, "other programs on the processors"),
        ({"waited": 0.01, "processor": 0.02, "seconds": 0.1}, "the processors"),
    ],
)
def test_the_largest_share_is_the_limit(effort, limit):
    assert summary([year(**effort), year(**effort)], 1.0)["limited_by"] == limit


def test_shares_are_of_all_tasks_time_and_of_all_their_cpus():
    found = summary([year(waited=0.5, processor=1.5, seconds=1, cpus=2), year(seconds=3)], 3.0)
    assert found["bytes"] == 100_000_000
    assert found["bytes_per_second"] == pytest.approx(100_000_000 / 3)
    assert found["waiting_share"] == 0.5 / 4
    assert found["processor_share"] == 2.5 / 5


def test_small_sizes_are_shown_in_kilobytes():
    small = Loaded(2020, 0.0, 0.1, effort=Effort(17_175, 0.0, 0.1))
    assert lines(summary([small], 0.1), 0.1, 80)[0].startswith(
        "Read 17.2 kB in 0.10 s, 171.8 kB/s."
    )


def test_the_sentence_fits_a_screen_of_80_columns():
    shown = lines(summary([year(waited=0.6)], 1.0), 1.0, 80)
    assert max(map(len, shown)) <= 80
    assert " ".join(line.strip() for line in shown) == (
        "Read 50.0 MB in 1.00 s, 50.0 MB/s. Of the tasks' time: waiting for data 60%, on a CPU "
        "100%, held back by a CPU limit 0%. It was limited by the source."
    )
