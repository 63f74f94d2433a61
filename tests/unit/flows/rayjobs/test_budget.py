"""The time that a run may take, over several waits."""

from raykit.flows.rayjobs import budget
from raykit.flows.rayjobs.budget import Budget


def test_the_seconds_begin_with_the_first_wait_and_go_on(sleeps_of):
    slept = sleeps_of(budget)
    account = Budget(60.0)
    slept.append(1000.0)
    assert account.left() == 60.0
    slept.append(20.0)
    assert account.left() == 40.0
    slept.append(100.0)
    assert account.left() == 0.0


def test_seconds_in_a_queue_do_not_count(sleeps_of):
    slept = sleeps_of(budget)
    account = Budget(60.0)
    account.left()
    slept.append(500.0)
    account.extend(490.0)
    assert account.left() == 50.0


def test_without_seconds_there_is_no_end(sleeps_of):
    account = Budget(None)
    sleeps_of(budget).append(1e9)
    account.extend(5.0)
    assert account.left() is None
