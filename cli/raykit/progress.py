"""Progress that also measures: steps are shown while they happen and kept as phases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from raykit.phases import Phase


class Listener(Protocol):
    """Whoever shows what happens; `app/output.py` has the one for people."""

    def step_started(self, title: str) -> None:
        """A step began; `title` is what is being waited for."""

    def step_detail(self, text: str) -> None:
        """What the current step waits for right now."""

    def step_finished(self, phase: Phase, title: str) -> None:
        """A step ended well."""

    def step_failed(self, title: str) -> None:
        """A step ended with an error, which follows."""

    def note(self, text: str) -> None:
        """One line that the user should see, such as what was chosen and why."""

    def job_output(self, chunk: bytes) -> None:
        """Bytes that the job printed, in order."""


class Silent:
    """A listener that shows nothing."""

    def step_started(self, title: str) -> None: ...

    def step_detail(self, text: str) -> None: ...

    def step_finished(self, phase: Phase, title: str) -> None: ...

    def step_failed(self, title: str) -> None: ...

    def note(self, text: str) -> None: ...

    def job_output(self, chunk: bytes) -> None: ...


class Progress:
    """Times steps, remembers them as phases, and tells a listener.

    Flows and hands take one of these; tests take `Progress()` and look at `phases`.
    """

    def __init__(self, listener: Listener | None = None) -> None:
        self.listener: Listener = listener or Silent()
        self.phases: list[Phase] = []

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[None]:
        """Time a step: `with progress.step("head-ready", "Ray head"): …`"""
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
        self.listener.step_detail(text)

    def note(self, text: str) -> None:
        self.listener.note(text)


@dataclass(frozen=True)
class Task:
    """A step: the name of its phase, what people read, and the work."""

    name: str
    title: str
    work: Callable[[Progress], object]


def together(progress: Progress, *tasks: Task) -> None:
    """Run tasks side by side, to the end of all.

    Errors: that of the first which failed, after the others have ended. An interrupt, too, takes
    effect when the programs that run have ended: half a `helm install` is worse than a late end.
    """
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
    """Passes on what a step waits for; its beginning and end are told by `together`."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def step_detail(self, text: str) -> None:
        self._listener.step_detail(text)

    def note(self, text: str) -> None:
        self._listener.note(text)
