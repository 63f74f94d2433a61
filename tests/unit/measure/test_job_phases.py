"""The phases between a submission and its end, each with who took the time."""

from hypothesis import given
from hypothesis import strategies as st

from raykit.measure.job_phases import Marks, job_phases


def told(marks):
    return [
        (phase.name, round(phase.seconds, 6), phase.source, phase.resolution)
        for phase in job_phases(marks)
    ]


def test_phases_follow_each_other_from_the_submission_to_the_end():
    marks = Marks(
        10.0, start_line=11.0, first_byte=10.9, first_task=12.5, job_end=15.0, seen_end=15.1
    )
    assert told(marks) == [
        ("driver-start", 1.0, "job", 1e-6),
        ("first-task", 1.5, "ray tasks", 0.001),
        ("run", 2.5, "ray job", 0.001),
        ("end-seen", 0.1, "raykit", 0.001),
    ]
    found = job_phases(marks)
    assert [phase.start for phase in found] == [10.0, 11.0, 12.5, 15.0]
    assert {phase.clock for phase in found} == {"wall"}


def test_without_a_start_line_the_first_byte_of_the_log_stands_for_the_driver():
    marks = Marks(10.0, first_byte=11.0, job_end=15.0)
    assert told(marks) == [("driver-start", 1.0, "raykit", 0.1), ("run", 4.0, "ray job", 0.001)]


def test_unknown_moments_leave_their_phases_out():
    assert told(Marks(10.0)) == []
    assert told(Marks(10.0, seen_end=11.0)) == []


def test_a_driver_whose_beginning_nobody_saw_shares_one_phase_with_its_run():
    expected = [("job", 2.0, "ray job", 0.001), ("end-seen", 0.25, "raykit", 0.001)]
    assert told(Marks(10.0, job_end=12.0, seen_end=12.25)) == expected
    assert told(Marks(10.0, first_byte=12.125, job_end=12.0, seen_end=12.25)) == expected


def test_clocks_that_disagree_give_no_number_but_a_difference_below_the_resolution_is_none():
    assert told(Marks(10.0, start_line=9.0)) == []
    marks = Marks(10.0, start_line=11.0, job_end=12.0005, seen_end=12.0)
    assert told(marks)[-1] == ("end-seen", 0.0, "raykit", 0.001)


MOMENT = st.none() | st.floats(0, 1e6)


@given(st.floats(0, 1e6), MOMENT, MOMENT, MOMENT, MOMENT, MOMENT)
def test_no_phase_is_ever_negative(submitted, start_line, first_byte, first_task, end, seen):
    found = job_phases(Marks(submitted, start_line, first_byte, first_task, end, seen))
    assert all(phase.seconds >= 0 for phase in found)
