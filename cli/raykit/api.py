"""`from raykit import submit, attach, runs`: raykit for Python programs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from raykit.errors import RecordError, UsageError
from raykit.flows import jobs
from raykit.flows import submit as flow
from raykit.flows.rayjobs import options
from raykit.flows.rayjobs import submit as rayjobs
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
    as_: Literal["rayjob"] | None = None,
    file: Path | str | None = None,
    deadline: int | None = None,
    start_deadline: int | None = None,
    ttl: int | None = None,
    delete: Sequence[str] = (),
    yes: bool = False,
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

    as_: "rayjob": KubeRay submits the job, as a RayJob; only then the following may be given. file:
    the spec of a cluster of its own. deadline, start_deadline, ttl: seconds until it is stopped,
    within which it must start, and for which its own cluster stays. delete: rules in place of
    `ttl`, such as `"FAILED:cluster=3600"`. yes: consent to a change of a context whose Kubernetes
    cluster raykit did not make.

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
    rules = (delete,) if isinstance(delete, str) else tuple(delete)
    given_as = (file, deadline, start_deadline, ttl, rules, yes)
    how = _as_rayjob(as_, namespace, *given_as)
    if how is None:
        return flow.submit(request, records(folder), Progress(listener))
    return rayjobs.submit(request, how, records(folder), Progress(listener))


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


def _as_rayjob(
    as_: str | None,
    namespace: str | None,
    file: Path | str | None,
    deadline: int | None,
    start_deadline: int | None,
    ttl: int | None,
    delete: Sequence[str],
    yes: bool,
) -> rayjobs.AsRayJob | None:
    """What `as_` and the arguments that need it say; None for a plain submission.

    Errors: UsageError (2); SpecError (3) for the spec.
    """
    if as_ is None:
        given = {"file": file, "deadline": deadline, "start_deadline": start_deadline}
        options.refuse({**given, "ttl": ttl, "delete": delete, "yes": yes})
        return None
    if as_ != "rayjob":
        raise UsageError(
            f"as_={as_!r} is no way to submit a job", next="as_='rayjob', or leave as_ out"
        )
    return options.as_rayjob(file, namespace, deadline, start_deadline, ttl, delete, lambda _: yes)


def _entrypoint(
    job: Job, arguments: Sequence[str], working_dir: Path | None
) -> entrypoints.Entrypoint:
    if isinstance(job, str | Path):
        return entrypoints.find(str(job), arguments, working_dir)
    return entrypoints.of_words([*job, *arguments], working_dir)
