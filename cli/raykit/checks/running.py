"""Run checks together: an error of raykit's is a failed check."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TypeVar

from raykit.checks.check import Check, State, of_error
from raykit.errors import KubernetesError, MissingError, RaykitError

T = TypeVar("T")


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


def in_time(seconds: float, works: Sequence[Callable[[], T]]) -> list[T]:
    """Run functions together; what those return that end within so many seconds, in this order.

    An error of one is no answer either. Late ones do not keep the program from ending.
    """
    results: dict[int, T] = {}
    deadline = time.monotonic() + seconds

    def run(at: int) -> None:
        # What is run like this only explains an error; a bug must not take the error's place.
        with contextlib.suppress(Exception):
            results[at] = works[at]()

    threads = [threading.Thread(target=run, args=(at,), daemon=True) for at in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))
    return [result for _, result in sorted(results.copy().items())]


def failure(results: Sequence[Check]) -> RaykitError | None:
    """The error of several checks; None if none failed.

    It is a MissingError (4) if something is missing, else a KubernetesError (5): what is missing
    often causes the refusals, so it comes first.
    """
    failed = [check for check in results if check.state is State.fail]
    if not failed:
        return None
    missing = [check for check in failed if check.exit_code == MissingError.exit_code]
    error = MissingError if missing else KubernetesError
    names = ", ".join(check.name for check in failed)
    what = f"{len(failed)} of {len(results)} checks failed: {names}"
    return error(what, next=next((check.next for check in missing or failed if check.next), ""))
