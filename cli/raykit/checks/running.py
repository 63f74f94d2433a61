"""Run checks together: an error of raykit's is a failed check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from raykit.checks.check import Check, State, of_error
from raykit.errors import RaykitError


@dataclass(frozen=True)
class Question:
    """A check to run. examine: returns how the thing stands, or raises the error that says so."""

    name: str
    examine: Callable[[], Check]


def answer(question: Question) -> Check:
    """Run one check; an error of raykit's is a failed check."""
    try:
        return question.examine()
    except RaykitError as error:
        return of_error(question.name, error)


def started(pool: Executor, questions: Sequence[Question]) -> list[Future[Check]]:
    """Start checks together; their answers stay in this order."""
    return [pool.submit(answer, question) for question in questions]


def exit_code(results: Iterable[Check]) -> int:
    """The exit code of several checks: 0 if none failed, 4 if something is missing, else 5.

    What is missing comes first: it often causes the refusals.
    """
    return min((check.exit_code for check in results if check.state is State.fail), default=0)
