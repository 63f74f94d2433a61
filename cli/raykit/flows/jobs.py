"""`raykit ps`, `attach`, `logs` and `stop`: commands for jobs that were submitted before."""

from __future__ import annotations

import contextlib
import difflib
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from raykit import machine, versions
from raykit.endpoint import Endpoint
from raykit.errors import JobsApiError, RaykitError, RecordError, UsageError
from raykit.flows.keeping import collecting
from raykit.flows.ranges import SECONDS
from raykit.flows.rayjobs import joining
from raykit.flows.session import Limits, Run, Session, run_to_end
from raykit.flows.steps.arrival import FOLDER_KEY, Arrival, new_id, stop_and_wait
from raykit.flows.targets import choosing
from raykit.flows.targets.kinds import Target
from raykit.flows.targets.where import Where
from raykit.measure import run_ids
from raykit.measure.keeping.files import is_imported
from raykit.measure.outcome import judge
from raykit.measure.records import NOT_SUBMITTED, UNFINISHED, RunRecord, RunsFolder
from raykit.progress import Progress
from raykit.redaction import Redactor
from raykit.submission.answers import not_ray
from raykit.submission.following import follow
from raykit.submission.jobs_api import JobDetails, JobsApi
from raykit.submission.transport import Transport

STOP_SECONDS = 30.0
ADOPTED = "adopted"
"""In a record's `job`: the job was submitted by another user, or from another folder."""


@dataclass(frozen=True)
class Head:
    """An open connection to a head."""

    api: JobsApi
    endpoint: Endpoint
    target: Target


@dataclass(frozen=True)
class Stopped:
    """The result of a stop. status: Ray's word; confirmed: the job has really ended."""

    submission_id: str
    status: str
    confirmed: bool


def jobs(where: Where, progress: Progress) -> list[JobDetails]:
    """All jobs that the head knows, also those of other users, oldest first.

    Errors: those of choosing and reaching a head (2, 4, 5, 6).
    """
    with connect(where, progress) as head:
        return sorted(head.api.jobs(), key=lambda job: job.start_time or 0.0)


def attach(
    word: str,
    where: Where,
    runs: RunsFolder,
    progress: Progress,
    timeout: float | None = None,
    *,
    collect: bool = False,
) -> Run:
    """Follow a job to its end and complete its record; a job of other users gets a new record.

    word: a run's or submission id, its beginning, or `last`. timeout: seconds to follow; None: no
    limit. collect: keep evidence of the cluster if the run fails. If another raykit on this machine
    follows the same run, that one keeps the record.

    Errors: those of finding the record (2, 7) and of choosing and reaching a head (2, 4, 5, 6);
    later ones are in the run.
    """
    SECONDS.check("timeout", timeout)
    record = find_record(runs, word)
    if record and record.status != UNFINISHED:
        progress.note(f"the run {record.id} is complete: {record.status}")
        return Run(record, judge(record))
    if record and joining.is_of_rayjob(record) and not where.on:
        job = joining.find(record, where.context)
        with _runs_folder(record, runs, progress) as folder:
            return joining.attach(record, job, folder, progress, timeout)
    with _reached(word, record, where, runs, progress) as (head, details):
        runs.check_writable()
        record = record or _adopted(details, head, runs, progress)
        progress.phases += record.phases
        with _runs_folder(record, runs, progress) as folder:
            arrival = Arrival(head.api, record.submission_id)
            session = Session(arrival, record, folder, progress)
            session.check_head(head.endpoint)
            run = run_to_end(session, lambda: session.join(details), Limits(timeout=timeout))
            if collect and folder is runs:
                collecting.after_failure(run, head.target, head.api, runs, progress)
            return run


def log(
    word: str,
    where: Where,
    runs: RunsFolder,
    progress: Progress,
    sink: Callable[[bytes], None],
    *,
    following: bool = False,
) -> None:
    """Hand the job's log to a sink: from its head, or the saved log if the head has ended.

    following: go on until the job ends. Errors: as `attach`.
    """
    record = find_record(runs, word)
    if record and not where.on and (record.status != UNFINISHED or choosing.had_own_head(record)):
        sink(runs.log(record.id))
        if following and record.status == UNFINISHED:
            progress.note(f"its head cannot be reached: this is the log saved in {runs.path}")
        return
    with _reached(word, record, where, runs, progress) as (head, details):
        redactor = Redactor()
        if following:
            followed = follow(head.api, _id(details), lambda chunk: sink(redactor.feed(chunk)))
            if followed.shortfall:
                progress.note(followed.shortfall)
        else:
            _print_file(head.api, details, lambda chunk: sink(redactor.feed(chunk)))
        sink(redactor.end())


def stop(word: str, where: Where, runs: RunsFolder, progress: Progress) -> Stopped:
    """Stop a job and check whether it has ended.

    Errors: UsageError (2) if `last` names a job that was not submitted from here; else as `attach`.
    """
    record = find_record(runs, word)
    if record and run_ids.is_last(word) and record.job.get(ADOPTED):
        raise UsageError(
            f"{word} is {record.submission_id}, which was not submitted from here",
            next=f"raykit stop {record.submission_id} if you mean that job",
        )
    if record and joining.is_of_rayjob(record) and not where.on:
        job = joining.find(record, where.context)
        if not joining.has_arrived(job, record.submission_id, progress):
            joining.withdraw(job, progress)
            return Stopped(record.submission_id, NOT_SUBMITTED, confirmed=True)
    with _reached(word, record, where, runs, progress) as (head, details):
        last = details
        if not details.ended:
            with progress.step("stop", f"stop {_id(details)}"):
                last = stop_and_wait(head.api, _id(details), STOP_SECONDS) or details
        return Stopped(_id(details), last.status, confirmed=last.ended)


def find_record(runs: RunsFolder, word: str) -> RunRecord | None:
    """The record of a word, as `RunsFolder.find` takes it; None if it names no record.

    Errors: RecordError (7) if there is no `last`; UsageError (2) if several match.
    """
    run_id = runs.find(word)
    if run_id is None:
        if run_ids.is_last(word):
            raise runs.missing(word)
        return None
    try:
        return runs.read(run_id)
    except RecordError:
        if run_id != word or run_ids.is_last(word):
            raise
        return None


def known(api: JobsApi, word: str) -> JobDetails:
    """The details of the job with this id, or of the only one whose id begins with the word.

    Errors: JobsApiError (6) with the nearest ids, if the head does not know it.
    """
    details = api.details(word) if run_ids.is_plain(word) else None
    if details is None:
        details = _listed(api, word)
        word = _id(details)
    if word not in (details.submission_id, details.job_id):
        raise not_ray(
            api.transport.endpoint.url, f"asked for {word}, it answered about {_id(details)}"
        )
    return details


def _listed(api: JobsApi, word: str) -> JobDetails:
    """The job with this id among all that the head knows, else the only one that begins so."""
    by_id = {job.submission_id: job for job in api.jobs() if job.submission_id}
    matches = [word] if word in by_id else run_ids.beginning_with(word, by_id)
    if len(matches) == 1:
        return by_id[matches[0]]
    near = matches or difflib.get_close_matches(word, by_id, n=3, cutoff=0.5)
    raise JobsApiError(
        f"the head knows {len(matches)} jobs that begin with {word}"
        if matches
        else f"the head knows no job {word}",
        evidence=[f"nearest: {', '.join(near)}"] if near else [],
        next="raykit ps lists the jobs that it knows",
    )


@contextlib.contextmanager
def connect(where: Where, progress: Progress) -> Iterator[Head]:
    """A connection to the head that `--on` names, else to the default one.

    Errors: those of choosing and reaching a head (2, 4, 5, 6).
    """
    with _opened(choosing.choose(where), progress) as head:
        yield head


@contextlib.contextmanager
def _reached(
    word: str, record: RunRecord | None, where: Where, runs: RunsFolder, progress: Progress
) -> Iterator[tuple[Head, JobDetails]]:
    """The head where a job runs or ran, and the job's details."""
    with _opened(_target(word, record, where, runs), progress) as head:
        yield head, known(head.api, record.submission_id if record else word)


def _target(word: str, record: RunRecord | None, where: Where, runs: RunsFolder) -> Target:
    """The head that `--on` names, else the record's, else the default one."""
    if record and not where.on:
        _refuse_imported(record, runs)
        if joining.is_of_rayjob(record) and not record.target.get("cluster"):
            record.target["cluster"] = joining.cluster_name(record, where.context)
        return choosing.of_record(record, where)
    try:
        return choosing.choose(where)
    except RaykitError as error:
        if record or where.word:
            raise
        raise type(error)(
            f"there is no run {word} here, and no --on names a head that may know the job",
            evidence=[f"looked in {runs.path}", error.what, *error.evidence],
            next=error.next,
        ) from error


def _refuse_imported(record: RunRecord, runs: RunsFolder) -> None:
    """Errors: UsageError (2): an archive may name any address, and a token would be sent there."""
    if is_imported(runs.folder(record.id)):
        raise UsageError(
            f"the run {record.id} was imported; where it ran is another machine's word",
            next=f"raykit runs show {record.id} --log; --on names the head that may know the job",
        )


@contextlib.contextmanager
def _opened(target: Target, progress: Progress) -> Iterator[Head]:
    if target.ends_with_job:
        raise JobsApiError(
            "no head to ask: no --on, no RAYKIT_ON and no local head that is up",
            next="raykit up --on local keeps one; or name one with --on",
        )
    with target.open(progress) as endpoint, Transport(endpoint) as transport:
        yield Head(JobsApi(transport), endpoint, target)


@contextlib.contextmanager
def _runs_folder(record: RunRecord, runs: RunsFolder, progress: Progress) -> Iterator[RunsFolder]:
    """The folder for this process's record: a temporary one if another raykit keeps the record."""
    with runs.followed(record.id) as is_ours:
        if is_ours:
            yield runs
            return
        progress.note("another raykit follows this run and keeps its record; this one shows it")
        with tempfile.TemporaryDirectory() as temporary:
            yield RunsFolder(Path(temporary))


def _id(details: JobDetails) -> str:
    return details.submission_id or details.job_id or ""


def _print_file(api: JobsApi, details: JobDetails, sink: Callable[[bytes], None]) -> None:
    if details.driver_node_id is None:
        sink(api.lossy_log(_id(details)))
        return
    with api.log_file(details.driver_node_id, _id(details)) as chunks:
        for chunk in chunks:
            sink(chunk)


def _adopted(details: JobDetails, head: Head, runs: RunsFolder, progress: Progress) -> RunRecord:
    """A record for a job that raykit did not submit from here.

    raykit makes the record's id itself: a head's answer must not decide where raykit writes.
    """
    name, started = _id(details), details.start_time or time.time()
    origin = details.metadata.get(FOLDER_KEY) if head.target.on_this_machine else None
    from_where = f"; it was submitted from {origin}" if origin else ""
    progress.note(
        f"{runs.path} has no run of the job {name}: a new record is kept there{from_where}"
    )
    return RunRecord(
        id=new_id(name, started),
        submission_id=name,
        job={"name": name, "arguments": [], "entrypoint": [details.entrypoint], ADOPTED: True},
        target={"chosen": head.target.reason},
        versions={"raykit": versions.RAYKIT, "python": platform.python_version()},
        machine=machine.describe(),
        started=started,
        notes=["attached to a job that was submitted elsewhere"],
    )
