"""Attempts: each that fails is said, and costs no other."""

import threading
import time

from raykit.errors import MissingError
from raykit.progress import Attempt, attempt_all


def test_failures_are_said_and_cost_no_other_step():
    taken, failed = [], []

    def refuse():
        raise MissingError("no right", evidence=["forbidden"])

    steps = [
        Attempt("first", lambda: taken.append(1)),
        Attempt("refused", refuse),
        Attempt("odd", lambda: {}["x"]),
        Attempt("last", lambda: taken.append(2)),
    ]
    attempt_all(steps, time.monotonic() + 60, failed.append)
    assert sorted(taken) == [1, 2]
    assert sorted(failed) == ["odd: KeyError: 'x'", "refused: no right: forbidden"]


def test_no_step_begins_after_the_deadline():
    taken, failed = [], []
    attempt_all([Attempt("late", lambda: taken.append(1))], time.monotonic() - 1, failed.append)
    assert (taken, failed) == ([], ["late: no time was left"])


def test_a_step_that_hangs_is_left_behind(monkeypatch):
    monkeypatch.setattr("raykit.progress.GRACE_SECONDS", 0.1)
    end, failed = threading.Event(), []
    hanging = Attempt("hangs", lambda: end.wait(240) and None)
    attempt_all([hanging], time.monotonic() + 2, failed.append)
    end.set()
    assert failed == ["hangs: it did not end in time"]


def test_steps_that_a_step_returns_are_made_too():
    taken, failed = [], []
    last = Attempt("last", lambda: taken.append("last"))
    middle = Attempt("middle", lambda: iter([last, Attempt("odd", lambda: {}["x"])]))
    attempt_all([Attempt("first", lambda: [middle])], time.monotonic() + 60, failed.append)
    assert (taken, failed) == (["last"], ["odd: KeyError: 'x'"])


def test_another_step_takes_the_place_of_one_that_does_not_end(monkeypatch):
    monkeypatch.setattr("raykit.progress.AT_ONCE", 1)
    other_began, failed = threading.Event(), []

    def hang():
        # It ends after it was left behind: no news, and its steps are not made.
        other_began.wait(240)
        return [Attempt("never", lambda: failed.append("made"))]

    steps = [Attempt("hangs", hang), Attempt("other", other_began.set)]
    attempt_all(steps, time.monotonic() + 60, failed.append, each=0.05)
    assert other_began.wait(240)
    assert failed[0] == "hangs: it did not end in time"
    assert "made" not in failed
