"""Checks: what raykit needs and how it stands. `raykit doctor` is a list of them."""

from raykit.checks.check import (
    Check,
    State,
    as_warning,
    missing,
    of_error,
    ok,
    refused,
    skipped,
    warning,
)
from raykit.checks.running import Question, answer, failure, in_time, started

__all__ = [
    "Check",
    "Question",
    "State",
    "answer",
    "as_warning",
    "failure",
    "in_time",
    "missing",
    "of_error",
    "ok",
    "refused",
    "skipped",
    "started",
    "warning",
]
