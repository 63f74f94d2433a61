"""`raykit submit`: run one job on a Ray cluster to its end."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from raykit import kit, machine, versions
from raykit.errors import UsageError
from raykit.flows.examining import advice
from raykit.flows.examining.advice import advised, advised_run
from raykit.flows.keeping import collecting
from raykit.flows.ranges import AMOUNT, BRING_UP_SECONDS, BYTES, SECONDS
from raykit.flows.session import Limits, Run, Session, run_to_end
from raykit.flows.steps.arrival import FOLDER_KEY, PAYLOAD_KEY, RUN_KEY, Arrival, new_id
from raykit.flows.targets import choosing
from raykit.flows.targets.kinds import Target, patient
from raykit.flows.targets.where import Where
from raykit.measure.records import RunRecord, RunsFolder
from raykit.progress import Progress
from raykit.submission import uploads
from raykit.submission.entrypoints import Entrypoint
from raykit.submission.jobs_api import JobsApi
from raykit.submission.runtime_env import fingerprint
from raykit.submission.transport import Transport
from raykit.submission.variables import check_metadata, is_text

RESOURCES = {
    "entrypoint_num_cpus": AMOUNT,
    "entrypoint_num_gpus": AMOUNT,
    "entrypoint_memory": BYTES,
}
RAYS_ADDRESS = "RAY_ADDRESS"
"""A variable by which Ray's own commands choose a cluster silently."""


@dataclass(frozen=True)
class Request:
    """The arguments of `raykit submit`.

    id: the submission id; None: raykit makes one. resources: Ray's fields `entrypoint_num_cpus`,
    `entrypoint_num_gpus` and `entrypoint_memory`. timeout: seconds to follow; None: no limit.
    collect: keep evidence of the cluster if the run fails.
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
    collect: bool = False


def submit(request: Request, runs: RunsFolder, progress: Progress) -> Run:
    """Run a job to its end. The run that is returned holds the error of the job, if it has one.

    Errors: UsageError (2), MissingError (4), KubernetesError (5), JobsApiError (6), ConflictError
    (8), RecordError (7), all before the job starts; later ones are in the run. Those with 4 or 5
    hold doctor's advice if they concern a Kubernetes cluster.
    """
    check(request, runs)
    target = chosen(request.where)
    about = partial(advice.of_target, target)
    return advised_run(about, partial(_submit, request, target, runs, progress))


def chosen(where: Where) -> Target:
    """The target, for which a job may wait as long as `up` does.

    Errors: as `choosing.choose`; those with 4 or 5 hold doctor's advice.
    """
    with advised(partial(advice.of_choice, where)):
        return patient(choosing.choose(where), BRING_UP_SECONDS)


def _submit(request: Request, target: Target, runs: RunsFolder, progress: Progress) -> Run:
    _refuse_leaving(request, target)
    request = with_our_jobs_of(target, request)
    upload = uploads.plan(request.entrypoint, request.runtime_env)
    say_where(target.reason, progress)
    record = begin(request, target.reason)
    limits = Limits(
        request.follow, request.timeout, target.ends_with_job, request.stop_on_interrupt
    )
    with target.open(progress) as endpoint, Transport(endpoint) as transport:
        arrival = Arrival(JobsApi(transport), record.submission_id)
        session = Session(arrival, record, runs, progress)
        session.check_head(endpoint)
        record.cluster = target.observe()
        runtime_env = upload.send(transport, request.runtime_env, progress)
        payload = payload_of(request, record, runtime_env, target.on_this_machine)
        with runs.followed(record.id):
            run = run_to_end(session, lambda: session.submit(payload), limits)
            if request.collect:
                collecting.after_failure(run, target, session.api, runs, progress)
            return run


def check(request: Request, runs: RunsFolder) -> None:
    """Check what needs no head: numbers, metadata, and that a record can be written.

    Errors: UsageError (2); the command line's options have the same ranges. MissingError (4).
    """
    SECONDS.check("timeout", request.timeout)
    for name, value in request.resources.items():
        if name in RESOURCES:
            RESOURCES[name].check(name, value)
    runs.check_writable()
    check_metadata(request.metadata)


def say_where(reason: str, progress: Progress) -> None:
    """Say where the job runs, and why there."""
    progress.note(reason)
    if os.environ.get(RAYS_ADDRESS):
        progress.note(f"{RAYS_ADDRESS} is set, and not used: --on says where a job runs")


def _refuse_leaving(request: Request, target: Target) -> None:
    """Errors: UsageError (2) for --no-follow, if the head ends together with this command."""
    if target.ends_with_job and not request.follow:
        raise UsageError(
            "--no-follow would end the job at once: its local head ends with this command",
            next="raykit up --on local keeps a head; then submit again",
        )


def with_our_jobs_of(target: Target, request: Request) -> Request:
    """The request; if the target has raykit's jobs, they run from there and are not uploaded."""
    if not target.has_our_jobs:
        return request
    root = str(kit.root()) if target.on_this_machine else kit.IN_IMAGE
    return replace(request, entrypoint=request.entrypoint.from_kit(root))


def begin(request: Request, reason: str) -> RunRecord:
    """The record of a submission that begins now. reason: why it runs where it runs."""
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
        target={"chosen": reason},
        versions={"raykit": versions.RAYKIT, "python": platform.python_version()},
        machine=machine.describe(),
        started=started,
    )


def payload_of(
    request: Request, record: RunRecord, runtime_env: Mapping[str, Any], on_this_machine: bool
) -> dict[str, Any]:
    """The JSON that submits the job to Ray.

    Its metadata hold the payload's fingerprint, by which raykit recognises a job that was submitted
    before, and on this machine the current folder, from which the job reads relative paths.
    """
    payload: dict[str, Any] = {"entrypoint": request.entrypoint.command, **request.resources}
    if runtime_env:
        payload["runtime_env"] = dict(runtime_env)
    marks = {"raykit": versions.RAYKIT, RUN_KEY: record.id, PAYLOAD_KEY: fingerprint(payload)}
    folder = str(Path.cwd()) if on_this_machine else ""
    if folder and is_text(folder):
        marks[FOLDER_KEY] = folder
    return {
        **payload,
        "submission_id": record.submission_id,
        "metadata": {**request.metadata, **marks},
    }
