"""Tending jobs that run or ran on a head: list, follow again, print the log, stop."""

from __future__ import annotations

import contextlib
import difflib
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from raykit import machine, versions
from raykit.endpoint import Endpoint
from raykit.errors import JobsApiError, RecordError
from raykit.flows import targets
from raykit.flows.session import Limits, Run, Session, see_through, stop_and_wait
from raykit.flows.targets import Where
from raykit.measure.outcome import judge
from raykit.measure.records import UNFINISHED, RunRecord, RunsFolder
from raykit.progress import Progress
from raykit.redaction import Redactor
from raykit.submission.following import follow
from raykit.submission.jobs_api import JobDetails, JobsApi
from raykit.submission.transport import Transport

STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Head:
    """An open connection to a head."""

    api: JobsApi
    endpoint: Endpoint
    target: targets.Target


@dataclass(frozen=True)
class Stopped:
    """What a stop came to. status: Ray's word; confirmed: the job has really ended."""

    submission_id: str
    status: str
    confirmed: bool


@contextlib.contextmanager
def connect(where: Where, progress: Progress, record: RunRecord | None = None) -> Iterator[Head]:
    """A connection to the head that `--on` names, else to the one where the record's job is."""
    if where.on or record is None:
        target = targets.choose(where)
    else:
        target = targets.of_record(record, where)
    if target.owned:
        raise JobsApiError(
            "no head to ask: no --on, no RAYKIT_ON and no local head that is up",
            next="raykit up --on local keeps one; or name one with --on",
        )
    with target.open(progress) as endpoint, Transport(endpoint) as transport:
        yield Head(JobsApi(transport), endpoint, target)


def jobs(where: Where, progress: Progress) -> list[JobDetails]:
    """All jobs that the head knows, whoever submitted them, oldest first."""
    with connect(where, progress) as head:
        return sorted(head.api.jobs(), key=lambda job: job.start_time or 0.0)


def attach(
    job: str,
    where: Where,
    runs: RunsFolder,
    progress: Progress,
    timeout: float | None = None,
) -> Run:
    """Follow a job to its end and complete its record; one that others submitted gets one."""
    runs.check_writable()
    record = find_record(runs, job)
    if record and record.status != UNFINISHED:
        progress.note(f"the run {record.id} is complete: {record.status}")
        return Run(record, judge(record))
    with connect(where, progress, record) as head:
        details = known(head.api, record.submission_id if record else job)
        record = record or _adopted(details, head)
        session = Session(head.api, head.endpoint, record, runs, progress)
        session.look()
        progress.phases += record.phases
        return see_through(session, lambda: session.join(details), Limits(timeout=timeout))


def log(
    job: str,
    where: Where,
    runs: RunsFolder,
    progress: Progress,
    sink: Callable[[bytes], None],
    *,
    following: bool = False,
) -> None:
    """Hand the job's log to a sink: what the head has, or what was saved where it is gone."""
    record = find_record(runs, job)
    if record and not where.on and record.status != UNFINISHED:
        sink(runs.log(record.id))
        return
    with connect(where, progress, record) as head:
        details = known(head.api, record.submission_id if record else job)
        redactor = Redactor()
        if following:
            followed = follow(head.api, _id(details), lambda chunk: sink(redactor.feed(chunk)))
            if followed.shortfall:
                progress.note(followed.shortfall)
        else:
            _print_file(head.api, details, lambda chunk: sink(redactor.feed(chunk)))
        sink(redactor.end())


def stop(job: str, where: Where, runs: RunsFolder, progress: Progress) -> Stopped:
    """Stop a job and see whether it has ended."""
    record = find_record(runs, job)
    with connect(where, progress, record) as head:
        details = known(head.api, record.submission_id if record else job)
        if details.ended:
            return Stopped(_id(details), details.status, confirmed=True)
        with progress.step("stop", f"stop {_id(details)}"):
            details = stop_and_wait(head.api, _id(details), STOP_SECONDS) or details
        return Stopped(_id(details), details.status, confirmed=details.ended)


def find_record(runs: RunsFolder, job: str) -> RunRecord | None:
    """The record of a run id, a submission id, or `last`; None where there is none."""
    try:
        return runs.read(job)
    except RecordError:
        return None


def known(api: JobsApi, job: str) -> JobDetails:
    """The job's details.

    Errors: JobsApiError (6) with the nearest ids, where the head does not know it.
    """
    details = api.details(job)
    if details is None:
        ids = [_id(each) for each in api.jobs() if each.submission_id]
        near = difflib.get_close_matches(job, ids, n=3, cutoff=0.5)
        raise JobsApiError(
            f"the head knows no job {job}",
            evidence=[f"nearest: {', '.join(near)}"] if near else [],
            next="raykit ps lists the jobs that it knows",
        )
    return details


def _id(details: JobDetails) -> str:
    return details.submission_id or details.job_id or ""


def _print_file(api: JobsApi, details: JobDetails, sink: Callable[[bytes], None]) -> None:
    if details.driver_node_id is None:
        sink(api.lossy_log(_id(details)))
        return
    with api.log_file(details.driver_node_id, _id(details)) as chunks:
        for chunk in chunks:
            sink(chunk)


def _adopted(details: JobDetails, head: Head) -> RunRecord:
    """A record for a job that raykit did not submit from here."""
    name = _id(details)
    return RunRecord(
        id=name,
        submission_id=name,
        job={"name": name, "arguments": [], "entrypoint": [details.entrypoint]},
        target={"chosen": head.target.reason},
        versions={"raykit": versions.RAYKIT, "python": platform.python_version()},
        machine=machine.describe(),
        started=details.start_time or time.time(),
        notes=["attached to a job that was submitted elsewhere"],
    )
