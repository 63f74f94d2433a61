"""A failure that many meet first comes with what to do about it."""

import pytest

from raykit.measure import hints
from raykit.measure.outcome import judge

FILE = "python: can't open file '/tmp/ray/x/pi.py': [Errno 2] No such file or directory"
MODULE = "ModuleNotFoundError: No module named 'requests.adapters'"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([FILE], ["raykit submit ./pi.py", "--working-dir ."]),
        (["Traceback", MODULE], ["--pip requests ", "--working-dir ."]),
    ],
)
def test_the_log_says_what_was_missing(lines, words):
    found = hints.advice(lines)
    assert [word for word in words if word not in found] == []


@pytest.mark.parametrize("lines", [[], ["ValueError: x"], ["No module named"], ["[Errno 2] a.csv"]])
def test_any_other_failure_has_no_such_hint(lines):
    assert hints.advice(lines) is None


def test_the_error_of_the_run_carries_the_hint(make_record):
    record = make_record(status="FAILED", driver_exit_code=2, message="exit status 2")
    assert judge(record, [FILE]).next == hints.advice([FILE])
    assert judge(record, ["something else"]).next.startswith("the whole log: ")
