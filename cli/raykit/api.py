"""`from raykit import submit, attach, runs`: raykit for Python programs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raykit.errors import RecordError
from raykit.flows import jobs
from raykit.flows import submit as flow
from raykit.flows.session import Run
from raykit.flows.targets.where import Where
from raykit.measure.records import RunRecord, RunsFolder
from raykit.progress import Listener, Progress
from raykit.submission import entrypoints
from raykit.submission import runtime_env as environments

Job = str | Path | Sequence[str]


def submit(
    job: Job,
    arguments: Sequence[str] = (),
    *,
    on: str | None = None,
    context: str | None = None,
    namespace: str | None = None,
    headers: Mapping[str, str] | None = None,
    ca: Path | str | None = None,
    id: str | None = None,
    working_dir: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    pip: Sequence[str] = (),
    runtime_env: Mapping[str, Any] | None = None,
    resources: Mapping[str, float] | None = None,
    metadata: Mapping[str, str] | None = None,
    timeout: float | None = None,
    follow: bool = True,
    folder: Path | str | None = None,
    listener: Listener | None = None,
) -> Run:
    """Run a job to its end, as `raykit submit` does.

    job: one of raykit's jobs (`"fib"`), a file (`"my_job.py"`), or a command as a list of words.
    on, context, namespace: where to run; None: as the command without them. headers, ca: for a head
    at an address: headers that an ingress asks for, and a file of certificates to trust.
    resources: Ray's fields `entrypoint_num_cpus`, `entrypoint_num_gpus` and `entrypoint_memory`.
    timeout: seconds to follow; None: no limit. folder: of run records; None: RAYKIT_RUNS or ./runs.
    listener: gets progress and the job's output; None: nothing is shown.

    Returns the run: its `record`, and in `error` why its `exit_code` is not 0; `error` can be
    raised.
    Errors: those before the head has the job, as in `flows.submit`; later ones are in the run.
    """
    environment = environments.checked(runtime_env or {}, "runtime_env")
    given = None if working_dir is None else Path(working_dir)
    request = flow.Request(
        _entrypoint(job, arguments, environments.working_dir(environment, given)),
        _where(on, context, namespace, headers, ca),
        id=id,
        runtime_env=environments.merged(environment, env or {}, pip),
        resources=resources or {},
        metadata=metadata or {},
        timeout=timeout,
        follow=follow,
    )
    return flow.submit(request, records(folder), Progress(listener))


def attach(
    job: str,
    *,
    on: str | None = None,
    context: str | None = None,
    namespace: str | None = None,
    headers: Mapping[str, str] | None = None,
    ca: Path | str | None = None,
    timeout: float | None = None,
    folder: Path | str | None = None,
    listener: Listener | None = None,
) -> Run:
    """Follow a job to its end and complete its record, as `raykit attach` does.

    job: a submission id, run id or `last`. The other parameters and the result: as in `submit`.
    Errors: as in `flows.jobs.attach`.
    """
    where = _where(on, context, namespace, headers, ca)
    return jobs.attach(job, where, records(folder), Progress(listener), timeout)


def runs(folder: Path | str | None = None) -> list[RunRecord]:
    """The run records of a folder, oldest first; unreadable ones are left out.

    folder: None: RAYKIT_RUNS or ./runs.
    """
    everything = (record for _, record in records(folder).records())
    return [record for record in everything if not isinstance(record, RecordError)]


def records(folder: Path | str | None = None) -> RunsFolder:
    """The given folder of run records, else RAYKIT_RUNS, else ./runs."""
    return RunsFolder.chosen(os.environ, folder)


def _where(
    on: str | None,
    context: str | None,
    namespace: str | None,
    headers: Mapping[str, str] | None,
    ca: Path | str | None,
) -> Where:
    lines = tuple(f"{name}: {value}" for name, value in (headers or {}).items())
    return Where(os.environ, on, context, namespace, lines, Path(ca) if ca else None)


def _entrypoint(
    job: Job, arguments: Sequence[str], working_dir: Path | None
) -> entrypoints.Entrypoint:
    if isinstance(job, str | Path):
        return entrypoints.find(str(job), arguments, working_dir)
    return entrypoints.of_words([*job, *arguments], working_dir)
