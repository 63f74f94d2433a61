"""Progress that also measures: steps are shown while they happen and kept as phases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from raykit.measure.phases import Phase


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
