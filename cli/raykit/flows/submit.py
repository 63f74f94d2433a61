"""Submit one job and see it through."""

from __future__ import annotations

import platform
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from raykit import kit, machine, versions
from raykit.errors import UsageError
from raykit.flows import targets
from raykit.flows.session import Limits, Run, Session, see_through
from raykit.flows.steps.arrival import PAYLOAD_KEY
from raykit.flows.targets import Where
from raykit.measure import run_ids
from raykit.measure.records import RunRecord, RunsFolder
from raykit.progress import Progress
from raykit.submission import uploads
from raykit.submission.entrypoints import Entrypoint
from raykit.submission.jobs_api import JobsApi
from raykit.submission.runtime_env import fingerprint
from raykit.submission.transport import Transport
from raykit.submission.variables import check_metadata, is_text

RUN_KEY, FOLDER_KEY = "raykit-run", "raykit-folder"


@dataclass(frozen=True)
class Request:
    """What to run, where, and how to see it through.

    id: the submission id, else one is made. resources: `entrypoint_num_cpus` and its like, as
    Ray takes them. timeout: seconds to follow, None without end.
    """

    entrypoint: Entrypoint
    where: Where
    id: str | None = None
    runtime_env: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, float] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    follow: bool = True
    stop_on_interrupt: bool = False


def submit(request: Request, runs: RunsFolder, progress: Progress) -> Run:
    """Run a job to its end; the run, whose error has the exit code.

    Errors: those before the job starts (design: 2, 4, 5, 6, 8); what comes later is the run's.
    """
    runs.check_writable()
    check_metadata(request.metadata)
    target = targets.choose(request.where)
    _check_follow(request, target)
    request = _with_kit_of(target, request)
    upload = uploads.plan(request.entrypoint, request.runtime_env)
    progress.note(target.reason)
    record = _begin(request, target)
    limits = Limits(request.follow, request.timeout, target.owned, request.stop_on_interrupt)
    with target.open(progress) as endpoint, Transport(endpoint) as transport:
        session = Session(JobsApi(transport), endpoint, record, runs, progress)
        session.look()
        record.cluster = target.observe()
        runtime_env = upload.send(transport, request.runtime_env, progress)
        payload = _payload(request, record, runtime_env, target.here)
        with runs.followed(record.id):
            return see_through(session, lambda: session.submit(payload), limits)


def _check_follow(request: Request, target: targets.Target) -> None:
    """A job that is left at once needs a head that stays."""
    if target.owned and not request.follow:
        raise UsageError(
            "--no-follow would end the job at once: its local head ends with this command",
            next="raykit up --on local keeps a head; then submit again",
        )


def _with_kit_of(target: targets.Target, request: Request) -> Request:
    """The request, with a job of raykit's run from the kit that the target has."""
    if not target.has_kit:
        return request
    root = str(kit.root()) if target.here else kit.IN_IMAGE
    return replace(request, entrypoint=request.entrypoint.from_kit(root))


def _begin(request: Request, target: targets.Target) -> RunRecord:
    started = time.time()
    run_id = new_id(request.entrypoint.name, started)
    return RunRecord(
        id=run_id,
        submission_id=request.id or run_id,
        job={
            "name": request.entrypoint.name,
            "arguments": list(request.entrypoint.arguments),
            "entrypoint": list(request.entrypoint.words),
        },
        target={"chosen": target.reason},
        versions={"raykit": versions.RAYKIT, "python": platform.python_version()},
        machine=machine.describe(),
        started=started,
    )


def _payload(
    request: Request, record: RunRecord, runtime_env: Mapping[str, Any], here: bool
) -> dict[str, object]:
    """What Ray gets. Its fingerprint goes along, so that the same id and payload is one job.

    On this machine a job may read the user's files, whose relative paths are meant from here.
    """
    asked: dict[str, Any] = {"entrypoint": request.entrypoint.command, **request.resources}
    if runtime_env:
        asked["runtime_env"] = dict(runtime_env)
    marks = {"raykit": versions.RAYKIT, RUN_KEY: record.id, PAYLOAD_KEY: fingerprint(asked)}
    folder = str(Path.cwd()) if here else ""
    if folder and is_text(folder):
        marks[FOLDER_KEY] = folder
    return {
        **asked,
        "submission_id": record.submission_id,
        "metadata": {**request.metadata, **marks},
    }


def new_id(name: str, started: float | None = None) -> str:
    """A run id: UTC time to the second, the job's name, and four characters against clashes."""
    return run_ids.new(name, time.time() if started is None else started, secrets.token_hex(2))
