"""Steps that run side by side: shown one by one as they end, each timed on its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from raykit.progress import Listener, Progress, Silent


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
