"""Functions that run together for so many seconds."""

import threading

from raykit import checks


def test_answers_keep_their_order_and_errors_give_none():
    def late():
        threading.Event().wait(0.05)
        return "first"

    assert checks.in_time(30, [late, lambda: 1 / 0, lambda: "last"]) == ["first", "last"]


def test_what_is_late_is_left_behind():
    over = threading.Event()
    assert checks.in_time(3, [lambda: over.wait(60), lambda: "in time"]) == ["in time"]
    assert checks.in_time(0, [lambda: over.wait(60)]) == []
    over.set()
