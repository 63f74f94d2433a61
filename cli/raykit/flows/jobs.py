"""Jobs that run or ran on a head: list them, follow one again, print its log, stop it."""

from __future__ import annotations

import contextlib
import difflib
import platform
import shlex
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from raykit import machine, versions
from raykit.endpoint import Endpoint
from raykit.errors import JobsApiError, RaykitError, RecordError, UsageError
from raykit.flows import targets
from raykit.flows.session import Limits, Run, Session, see_through, stop_and_wait
from raykit.flows.submit import FOLDER_KEY, new_id
from raykit.flows.targets import Where
from raykit.measure import run_ids
from raykit.measure.outcome import judge
from raykit.measure.records import LOG, UNFINISHED, RunRecord, RunsFolder
from raykit.progress import Progress
from raykit.redaction import Redactor
from raykit.submission.answers import not_ray
from raykit.submission.following import follow
from raykit.submission.jobs_api import JobDetails, JobsApi
from raykit.submission.transport import Transport

STOP_SECONDS = 30.0
ADOPTED = "adopted"
"""In a record's `job`: it was submitted by somebody else, or from another folder."""


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


def jobs(where: Where, progress: Progress) -> list[JobDetails]:
    """All jobs that the head knows, whoever submitted them, oldest first."""
    with connect(where, progress) as head:
        return sorted(head.api.jobs(), key=lambda job: job.start_time or 0.0)


def attach(
    word: str,
    where: Where,
    runs: RunsFolder,
    progress: Progress,
    timeout: float | None = None,
) -> Run:
    """Follow a job to its end and complete its record; one that others submitted gets one.

    Where another raykit on this machine follows the same run, that one keeps the record.
    """
    record = find_record(runs, word)
    if record and record.status != UNFINISHED:
        progress.note(f"the run {record.id} is complete: {record.status}")
        return Run(record, judge(record))
    with _reached(word, record, where, runs, progress) as (head, details):
        runs.check_writable()
        record = record or _adopted(details, head, runs, progress)
        progress.phases += record.phases
        with _kept(record, runs, progress) as folder:
            session = Session(head.api, head.endpoint, record, folder, progress)
            session.look()
            return see_through(session, lambda: session.join(details), Limits(timeout=timeout))


def log(
    word: str,
    where: Where,
    runs: RunsFolder,
    progress: Progress,
    sink: Callable[[bytes], None],
    *,
    following: bool = False,
) -> None:
    """Hand the job's log to a sink: what the head has, or what was saved where it is gone."""
    record = find_record(runs, word)
    if record and not where.on and (record.status != UNFINISHED or _had_own_head(record)):
        sink(runs.log(record.id))
        if following and record.status == UNFINISHED:
            progress.note(f"its head cannot be asked: this is what {runs.path} has")
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
    """Stop a job and see whether it has ended.

    Errors: UsageError (2) where `last` names a job that was not submitted from here.
    """
    record = find_record(runs, word)
    if record and run_ids.is_last(word) and record.job.get(ADOPTED):
        raise UsageError(
            f"{word} is {record.submission_id}, which was not submitted from here",
            next=f"raykit stop {record.submission_id} if it is the one",
        )
    with _reached(word, record, where, runs, progress) as (head, details):
        last = details
        if not details.ended:
            with progress.step("stop", f"stop {_id(details)}"):
                last = stop_and_wait(head.api, _id(details), STOP_SECONDS) or details
        return Stopped(_id(details), last.status, confirmed=last.ended)


def find_record(runs: RunsFolder, word: str) -> RunRecord | None:
    """The record that a word names, as `RunsFolder.find` takes it; None where there is none.

    Errors: RecordError (7) for a `last` that is not there; UsageError (2) where several match.
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
    """The details of the job of this id, or of the only one whose id begins so.

    Errors: JobsApiError (6) with the nearest ids, where the head does not know it.
    """
    details = api.details(word) if run_ids.is_plain(word) else None
    if details is None:
        details = _listed(api, word)
        word = _id(details)
    if word not in (details.submission_id, details.job_id):
        raise not_ray(api.transport.endpoint.url, f"asked for {word}, it told of {_id(details)}")
    return details


def _listed(api: JobsApi, word: str) -> JobDetails:
    """The job of this id among all that the head knows, else the only one whose id begins so."""
    known_jobs = {job.submission_id: job for job in api.jobs() if job.submission_id}
    begun = [word] if word in known_jobs else run_ids.beginning_with(word, known_jobs)
    if len(begun) == 1:
        return known_jobs[begun[0]]
    near = begun or difflib.get_close_matches(word, known_jobs, n=3, cutoff=0.5)
    raise JobsApiError(
        f"the head knows {len(begun)} jobs that begin with {word}"
        if begun
        else f"the head knows no job {word}",
        evidence=[f"nearest: {', '.join(near)}"] if near else [],
        next="raykit ps lists the jobs that it knows",
    )


@contextlib.contextmanager
def connect(where: Where, progress: Progress) -> Iterator[Head]:
    """A connection to the head that `--on` names, else to the one that is there."""
    with _opened(targets.choose(where), progress) as head:
        yield head


@contextlib.contextmanager
def _reached(
    word: str, record: RunRecord | None, where: Where, runs: RunsFolder, progress: Progress
) -> Iterator[tuple[Head, JobDetails]]:
    """The head where a job is, and what it knows of the job."""
    with _opened(_target(word, record, where, runs), progress) as head:
        yield head, known(head.api, record.submission_id if record else word)


def _target(word: str, record: RunRecord | None, where: Where, runs: RunsFolder) -> targets.Target:
    """The head that `--on` names, else the record's, else the one that is there."""
    if record and not where.on:
        if _had_own_head(record):
            raise _own_head(record, runs)
        return targets.of_record(record, where)
    try:
        return targets.choose(where)
    except RaykitError as error:
        if record or where.word:
            raise
        raise type(error)(
            f"there is no run {word} here, and no head was named that may know the job",
            evidence=[f"looked in {runs.path}", error.what, *error.evidence],
            next=error.next,
        ) from error


@contextlib.contextmanager
def _opened(target: targets.Target, progress: Progress) -> Iterator[Head]:
    if target.owned:
        raise JobsApiError(
            "no head to ask: no --on, no RAYKIT_ON and no local head that is up",
            next="raykit up --on local keeps one; or name one with --on",
        )
    with target.open(progress) as endpoint, Transport(endpoint) as transport:
        yield Head(JobsApi(transport), endpoint, target)


def _had_own_head(record: RunRecord) -> bool:
    """Whether the run's head was started for it alone: nobody else has its address and token."""
    return record.target.get("kind") == "local" and not record.target.get("cluster")


def _own_head(record: RunRecord, runs: RunsFolder) -> JobsApiError:
    """Why a run on a local head of its own cannot be reached: it is another terminal's, or over."""
    if not runs.is_followed(record.id):
        return JobsApiError(
            f"the run {record.id} had a local head of its own, which has ended",
            evidence=["its raykit was killed, and the head and the job ended with it"],
            next=f"raykit runs show {record.id} --log; raykit up --on local keeps a head",
        )
    return JobsApiError(
        f"the run {record.id} is under way in another terminal, on a local head of its own",
        evidence=["only the raykit that started that head can reach it; Ctrl-C there ends it"],
        next=f"tail -f {shlex.quote(str(runs.folder(record.id) / LOG))} shows its log; "
        "raykit up --on local keeps a head that every terminal can reach",
    )


@contextlib.contextmanager
def _kept(record: RunRecord, runs: RunsFolder, progress: Progress) -> Iterator[RunsFolder]:
    """Where this process keeps the record: a folder that goes away where another one keeps it."""
    with runs.followed(record.id) as mine, tempfile.TemporaryDirectory() as elsewhere:
        if not mine:
            progress.note("another raykit follows this run and keeps its record; this one shows it")
        yield runs if mine else RunsFolder(Path(elsewhere))


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

    Its id is made here: a head's answer never decides where raykit writes.
    """
    name, started = _id(details), details.start_time or time.time()
    origin = details.metadata.get(FOLDER_KEY)
    where = f"; it was submitted from {origin}" if origin and head.target.here else ""
    progress.note(f"no run in {runs.path} is of the job {name}: a new record is kept there{where}")
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
