"""An answer of an API server comes in time, or is given up."""

import pytest

from raykit.kube import answers


@pytest.fixture
def each_second(sleeps_of):
    """Pieces of an answer, one a second."""
    slept = sleeps_of(answers)

    def pieces(size, count):
        for _ in range(count):
            slept.append(1.0)
            yield b"x" * size

    return pieces


def test_an_answer_that_trickles_is_given_up(each_second):
    with pytest.raises(answers.StrangeAnswerError, match="only 11 bytes of it came in 11 s"):
        answers.body(each_second(1, 60))


def test_a_slow_answer_that_goes_on_is_read_to_its_end(each_second):
    assert len(answers.body(each_second(2_000, 100))) == 200_000


def test_no_answer_takes_longer_than_two_minutes(each_second):
    with pytest.raises(answers.StrangeAnswerError, match="not ended after 120 s"):
        answers.body(each_second(2_000, 200))
