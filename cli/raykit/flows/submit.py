"""Submit one job and see it through."""

from __future__ import annotations

import platform
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from raykit import __version__
from raykit.errors import INTERRUPTS, JobTimeoutError
from raykit.flows import machine, targets
from raykit.flows.entrypoints import Entrypoint
from raykit.flows.session import Run, Session
from raykit.flows.targets import Where
from raykit.measure.records import RunRecord, RunsFolder
from raykit.progress import Progress
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport


@dataclass(frozen=True)
class Request:
    """What to run, where, and how to see it through.

    timeout: seconds to follow, None without end.
    """

    entrypoint: Entrypoint
    where: Where
    timeout: float | None = None
    stop_on_interrupt: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)


def submit(request: Request, runs: RunsFolder, progress: Progress) -> Run:
    """Run a job to its end; the run, whose error has the exit code.

    Errors: those before the job starts (design: 2, 4, 6); what comes later is the run's error.
    """
    runs.check_writable()
    target = targets.choose(request.where)
    progress.note(target.reason)
    record = _begin(request, target)
    with target.open(progress) as endpoint, Transport(endpoint) as transport:
        session = Session(JobsApi(transport), endpoint, record, runs, progress)
        session.look()
        record.cluster = target.observe()
        session.submit(_payload(request, record))
        return _see_through(session, request, target.owned)


def _see_through(session: Session, request: Request, owned: bool) -> Run:
    """Follow to the end; on a head of its own an interrupted job is stopped and its log saved."""
    try:
        session.follow(request.timeout)
    except INTERRUPTS:
        stop = owned or request.stop_on_interrupt
        if stop:
            session.stop()
            session.follow(request.timeout)
            session.measure()
        return session.finish(session.interrupted(stopped=stop))
    except JobTimeoutError as late:
        if owned:
            session.stop()
            session.follow()
        return session.finish(late)
    session.measure()
    return session.finish()


def _begin(request: Request, target: targets.Target) -> RunRecord:
    run_id = new_id(request.entrypoint.name)
    return RunRecord(
        id=run_id,
        submission_id=run_id,
        job={
            "name": request.entrypoint.name,
            "arguments": list(request.entrypoint.arguments),
            "entrypoint": list(request.entrypoint.words),
        },
        target={"chosen": target.reason},
        versions={"raykit": __version__, "python": platform.python_version()},
        machine=machine.describe(),
        started=time.time(),
    )


def _payload(request: Request, record: RunRecord) -> dict[str, object]:
    return {
        "entrypoint": request.entrypoint.command,
        "submission_id": record.submission_id,
        "metadata": {**request.metadata, "raykit": __version__, "raykit-run": record.id},
    }


def new_id(name: str) -> str:
    """A run id: UTC time to the second, the job's name, and four characters against clashes."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    clean = "".join(letter if letter.isalnum() else "-" for letter in name)[:40].strip("-")
    return f"{stamp}-{clean or 'job'}-{secrets.token_hex(2)}"
