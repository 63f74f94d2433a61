"""Progress: steps are shown while they run, timed, and kept as phases; several may run at once."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

from raykit.errors import RaykitError
from raykit.phases import Phase

if TYPE_CHECKING:
    from concurrent.futures import Future

NOTED_AFTER_SECONDS = 10.0
"""How long a reason to wait lasts before it is shown on a line of its own."""

AT_ONCE = 6
GRACE_SECONDS = 3.0
"""Of attempts: how many run at once, and how long after the deadline running ones may still end."""


class Listener(Protocol):
    """Shows progress; `app/output.py` has the one that prints for people."""

    def step_started(self, title: str) -> None:
        """A step began. title: what raykit waits for."""

    def step_detail(self, text: str) -> None:
        """The current step now waits for `text`."""

    def step_finished(self, phase: Phase, title: str) -> None:
        """A step succeeded. phase: its times."""

    def step_failed(self, title: str) -> None:
        """A step failed; its error is raised next."""

    def note(self, text: str) -> None:
        """One line for the user, such as what raykit chose and why."""

    def job_output(self, chunk: bytes) -> None:
        """Bytes that the job printed, in order."""

    def deadline(self, moment: float | None) -> None:
        """From this moment (monotonic seconds) on, wait for nobody who reads what is shown.

        None: there is no such moment.
        """


class Silent:
    """A listener that shows nothing."""

    def step_started(self, title: str) -> None: ...

    def step_detail(self, text: str) -> None: ...

    def step_finished(self, phase: Phase, title: str) -> None: ...

    def step_failed(self, title: str) -> None: ...

    def note(self, text: str) -> None: ...

    def job_output(self, chunk: bytes) -> None: ...

    def deadline(self, moment: float | None) -> None: ...


class Progress:
    """Times steps, keeps them as `phases`, and reports them to a listener.

    listener: None: nothing is shown.
    """

    def __init__(self, listener: Listener | None = None) -> None:
        self.listener: Listener = listener or Silent()
        self.phases: list[Phase] = []

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[None]:
        """Time a step: `with progress.step("head-ready", "Ray head"): …`

        name: the name of its phase. title: what people read. A step that fails leaves no phase.
        """
        self.listener.step_started(title)
        wall, began = time.time(), time.monotonic()
        try:
            yield
        except BaseException:
            self.listener.step_failed(title)
            raise
        phase = Phase(name, wall, time.monotonic() - began)
        self.phases.append(phase)
        self.listener.step_finished(phase, title)

    def detail(self, text: str) -> None:
        """Show what the current step waits for now."""
        self.listener.step_detail(text)

    def note(self, text: str) -> None:
        """Show one line to the user."""
        self.listener.note(text)


class Waiting:
    """Shows why something is waited for: at once beside the spinner, and each reason that lasts
    for 10 s once on a line of its own, also where there is no terminal."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.since: dict[str, float] = {}
        self.noted: set[str] = set()

    def show(self, *reasons: str) -> None:
        """Take the reasons of this moment; call it every few seconds."""
        now = time.monotonic()
        self.progress.detail("; ".join(reasons))
        self.since = {reason: self.since.get(reason, now) for reason in reasons}
        for reason in reasons:
            if reason not in self.noted and now - self.since[reason] >= NOTED_AFTER_SECONDS:
                self.noted.add(reason)
                self.progress.note(f"waiting: {reason}")


@dataclass(frozen=True)
class Task:
    """A step for `together`. name: of its phase. title: what people read. work: what it does."""

    name: str
    title: str
    work: Callable[[Progress], object]


def together(progress: Progress, *tasks: Task) -> None:
    """Run tasks in parallel and wait until all have ended.

    Errors: the error of the first task that failed, after the others have ended. An interrupt also
    waits for the running programs: half a `helm install` is worse than a late end.
    """
    from concurrent.futures import ThreadPoolExecutor, as_completed

    with ThreadPoolExecutor(len(tasks)) as pool:
        running = {pool.submit(_run, task, progress.listener): task for task in tasks}
        left = [task.title for task in tasks]
        progress.listener.step_started(", ".join(left))
        failed: BaseException | None = None
        for ended in as_completed(running):
            task = running[ended]
            left.remove(task.title)
            failed = failed or _report(ended, task, progress)
            if left:
                progress.listener.step_started(", ".join(left))
    if failed:
        raise failed


def _run(task: Task, listener: Listener) -> Progress:
    own = Progress(_Details(listener))
    with own.step(task.name, task.title):
        task.work(own)
    return own


def _report(ended: Future[Progress], task: Task, progress: Progress) -> BaseException | None:
    error = ended.exception()
    if error:
        progress.listener.step_failed(task.title)
        return error
    for phase in ended.result().phases:
        progress.phases.append(phase)
    progress.listener.step_finished(ended.result().phases[-1], task.title)
    return None


class _Details(Silent):
    """Forwards details and notes only; `together` itself reports when a step begins and ends."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def step_detail(self, text: str) -> None:
        self._listener.step_detail(text)

    def note(self, text: str) -> None:
        self._listener.note(text)


@dataclass(frozen=True)
class Attempt:
    """A step that may fail. title: what is missing then. work: does it, and may return others."""

    title: str
    work: Callable[[], Iterable[Attempt] | None]


def attempt_all(
    attempts: Iterable[Attempt],
    deadline: float,
    failed: Callable[[str], None],
    each: float = math.inf,
) -> None:
    """Make all attempts, several at once, and those that they return.

    deadline: monotonic seconds; none begins after it, and an interrupt begins no more either.
    each: seconds after which an attempt is left behind, and another one takes its place.
    failed: called with a line for each that failed, was left behind or left out.
    """
    left, running = deque(attempts), dict[int, tuple[str, float]]()
    results: SimpleQueue[_Result] = SimpleQueue()
    end = max(deadline, time.monotonic()) + GRACE_SECONDS
    for number in itertools.count():
        if not (left or running):
            return
        if left and len(running) < AT_ONCE:
            attempt = left.popleft()
            if time.monotonic() > deadline:
                failed(f"{attempt.title}: no time was left")
                continue
            running[number] = attempt.title, min(time.monotonic() + each, end)
            # Python waits at its exit for the threads of a pool, and not for these.
            threading.Thread(target=_make, args=(number, attempt, results), daemon=True).start()
            continue
        left.extend(_next_ended(running, results, failed))


@dataclass(frozen=True)
class _Result:
    """What became of an attempt. trouble: why it failed; more: the steps that it returned."""

    number: int
    trouble: str = ""
    more: tuple[Attempt, ...] = ()


def _make(number: int, attempt: Attempt, results: SimpleQueue[_Result]) -> None:
    try:
        results.put(_Result(number, more=tuple(attempt.work() or ())))
    except RaykitError as error:
        results.put(_Result(number, reason(error)))
    except Exception as bug:
        # One answer of an unexpected form must not cost all others.
        results.put(_Result(number, f"{type(bug).__name__}: {bug}"))


def _next_ended(
    running: dict[int, tuple[str, float]],
    results: SimpleQueue[_Result],
    failed: Callable[[str], None],
) -> tuple[Attempt, ...]:
    """Wait until an attempt ends or is late; take it off, and return the steps that it returned."""
    first = min(until for _, until in running.values())
    try:
        result = results.get(timeout=max(first - time.monotonic(), 0.0))
    except Empty:
        late = [number for number, (_, until) in running.items() if until <= time.monotonic()]
        for number in late:
            failed(f"{running.pop(number)[0]}: it did not end in time")
        return ()
    if result.number not in running:
        return ()
    title, _ = running.pop(result.number)
    if result.trouble:
        failed(f"{title}: {result.trouble}")
    return result.more


def reason(error: RaykitError) -> str:
    """An error on one line, with its first evidence."""
    return ": ".join([error.what, *error.evidence[:1]])
