"""The phases between a submission and its end, each with who took the time, on which clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.measure import clocks
from raykit.measure.clocks import Sighting
from raykit.measure.job_phases import Marks, head_offset, job_phases


def told(marks):
    return [
        (phase.name, round(phase.seconds, 6), phase.source, phase.resolution)
        for phase in job_phases(marks)
    ]


def of_a_run(ahead=0.0, **changes):
    """A job submitted from here to a head whose clock is so many seconds ahead."""
    marks = {
        "posted": 9.5,
        "submitted": 10.0,
        "head_start": 9.8 + ahead,
        "start_line": 11.0 + ahead,
        "first_byte": 11.1,
        "first_task": 12.5 + ahead,
        "job_end": 15.0 + ahead,
        "seen_running": 14.9,
        "seen_end": 15.1,
    }
    return Marks(**{**marks, **changes})


def test_phases_follow_each_other_from_the_submission_to_the_end():
    marks = of_a_run(on_this_machine=True)
    assert told(marks) == [
        ("driver-start", 1.0, "job", 1e-6),
        ("first-task", 1.5, "ray tasks", 0.001),
        ("run", 2.5, "ray job", 0.001),
        ("end-seen", 0.1, "raykit", 0.001),
    ]
    found = job_phases(marks)
    assert [phase.start for phase in found] == [10.0, 11.0, 12.5, 15.0]
    assert {phase.clock for phase in found} == {"wall"}


@pytest.mark.parametrize("ahead", [5.0, -5.0, 3600.0, -0.7])
def test_a_head_whose_clock_differs_gives_the_phases_of_one_whose_clock_does_not(ahead):
    expected = {phase.name: phase.seconds for phase in job_phases(of_a_run(on_this_machine=True))}
    found = {phase.name: phase for phase in job_phases(of_a_run(ahead))}
    assert list(found) == list(expected)
    for name, phase in found.items():
        between_clocks = name in ("driver-start", "end-seen")
        assert phase.seconds == pytest.approx(expected[name], abs=phase.resolution + 1e-6)
        assert phase.clock == ("corrected" if between_clocks else "wall")
        assert phase.resolution == pytest.approx(0.25 if between_clocks else 0.001)
    offset = head_offset(of_a_run(ahead))
    assert abs(offset.seconds - ahead) <= offset.uncertainty
    assert offset.as_dict()["corrected"]


def test_a_clock_that_may_be_right_is_not_corrected_but_its_doubt_is_the_resolution():
    offset = head_offset(of_a_run(0.02))
    assert not offset.matters
    found = {phase.name: phase for phase in job_phases(of_a_run(0.02))}
    assert found["driver-start"].clock == "wall"
    assert found["driver-start"].resolution == pytest.approx(offset.uncertainty)


def test_between_two_clocks_of_unknown_offset_no_phase_is_given():
    marks = of_a_run(5.0, posted=None, submitted=14.8, seen_running=None)
    assert head_offset(marks) is None
    assert [phase.name for phase in job_phases(marks)] == ["driver-start", "first-task", "run"]
    assert job_phases(marks)[0].seconds == pytest.approx(1.2)


def test_a_clock_that_was_set_meanwhile_gives_no_offset():
    assert head_offset(of_a_run(job_end=75.0)) is None


def test_task_events_that_contradict_the_heads_clock_give_no_first_task():
    found = job_phases(of_a_run(on_this_machine=True, tasks_in_order=False))
    assert [(phase.name, phase.seconds) for phase in found] == [
        ("driver-start", 1.0),
        ("run", 4.0),
        ("end-seen", pytest.approx(0.1)),
    ]


@pytest.mark.parametrize("printed", [1.0, 9.0, 15.2, 1e300, -1e300])
def test_a_start_line_outside_the_jobs_own_time_is_not_believed(printed):
    found = job_phases(of_a_run(on_this_machine=True, start_line=printed, first_task=None))
    assert [(phase.name, round(phase.seconds, 6)) for phase in found] == [
        ("driver-start", 1.1),
        ("run", 3.9),
        ("end-seen", 0.1),
    ]


def test_a_task_outside_the_jobs_own_time_is_not_believed():
    found = job_phases(of_a_run(on_this_machine=True, first_task=3.0))
    assert "first-task" not in {phase.name for phase in found}


def test_without_a_start_line_the_first_byte_of_the_log_stands_for_the_driver():
    marks = of_a_run(
        on_this_machine=True, start_line=None, first_byte=11.0, first_task=None, seen_end=None
    )
    assert told(marks) == [("driver-start", 1.0, "raykit", 0.1), ("run", 4.0, "ray job", 0.001)]


def test_unknown_moments_leave_their_phases_out():
    assert told(Marks(10.0)) == []
    assert told(Marks(10.0, seen_end=11.0)) == []


def test_a_driver_whose_beginning_nobody_saw_shares_one_phase_with_its_run():
    expected = [("job", 2.0, "ray job", 0.001), ("end-seen", 0.25, "raykit", 0.001)]
    for first_byte in (None, 12.125):
        marks = Marks(
            10.0, first_byte=first_byte, job_end=12.0, seen_end=12.25, on_this_machine=True
        )
        assert told(marks) == expected


def test_a_difference_below_the_resolution_is_none_and_a_negative_one_no_phase():
    assert told(Marks(10.0, start_line=9.0, on_this_machine=True)) == []
    marks = Marks(10.0, start_line=11.0, job_end=12.0005, seen_end=12.0, on_this_machine=True)
    assert told(marks)[-1] == ("end-seen", 0.0, "raykit", 0.001)


def test_sightings_bound_the_offset_together():
    wide, narrow = Sighting(105.0, 98.0, 104.0), Sighting(205.0, 199.9, 200.1)
    assert clocks.offset([wide]).uncertainty == pytest.approx(3.05)
    both = clocks.offset([wide, narrow])
    assert (both.seconds, both.uncertainty) == (pytest.approx(5.0), pytest.approx(0.15))
    assert clocks.offset([]) is None


MOMENT = st.none() | st.floats(0, 1e6)


@given(st.floats(0, 1e6), st.lists(MOMENT, min_size=8, max_size=8))
def test_no_phase_is_ever_negative(submitted, moments):
    assert all(phase.seconds >= 0 for phase in job_phases(Marks(submitted, *moments)))
