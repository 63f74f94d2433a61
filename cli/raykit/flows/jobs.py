"""`raykit ps`, `attach`, `logs` and `stop`: commands for jobs that were submitted before."""

from __future__ import annotations

import contextlib
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from raykit import machine, versions
from raykit.errors import UsageError
from raykit.flows.keeping import collecting, reading
from raykit.flows.known_jobs import Head, connect, find_record, id_of, rayjob_of, reached
from raykit.flows.ranges import SECONDS
from raykit.flows.rayjobs import joining
from raykit.flows.session import Limits, Run, Session, run_to_end
from raykit.flows.steps.arrival import FOLDER_KEY, Arrival, new_id, stop_and_wait
from raykit.flows.targets import choosing
from raykit.flows.targets.choosing import GoneError, NoWayError
from raykit.flows.targets.lost import LostJobError
from raykit.flows.targets.where import Where
from raykit.kuberay.rayjobs.rayjob import RayJob
from raykit.measure import run_ids
from raykit.measure.outcome import judge
from raykit.measure.records import NOT_SUBMITTED, UNFINISHED, RunRecord, RunsFolder
from raykit.progress import Progress
from raykit.redaction import Redactor
from raykit.submission.following import DeletedClusterError, follow
from raykit.submission.jobs_api import JobDetails, JobsApi

STOP_SECONDS = 30.0
ADOPTED = "adopted"
"""In a record's `job`: the job was submitted by another user, or from another folder."""


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
        return _completed(record, progress)
    rayjob = rayjob_of(record, where, runs)
    if record and rayjob:
        with _runs_folder(record, runs, progress) as folder:
            is_alone = folder is runs
            return joining.attach(record, rayjob, folder, progress, timeout, is_alone=is_alone)
    try:
        with reached(word, record, rayjob, where, runs, progress) as (head, details):
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
    except LostJobError as lost:
        return _complete(lost, runs, progress)


def _completed(record: RunRecord, progress: Progress) -> Run:
    progress.note(f"the run {record.id} is complete: {record.status}")
    return Run(record, judge(record))


def _complete(lost: LostJobError, runs: RunsFolder, progress: Progress) -> Run:
    """Complete the record of a run whose job no head has any more.

    Another raykit may have followed it, and completed its record, while the head was asked.
    """
    runs.check_writable()
    with _runs_folder(lost.record, runs, progress) as folder:
        record = runs.load(lost.record.id)
        if record.status != UNFINISHED:
            return _completed(record, progress)
        progress.phases += record.phases
        arrival = Arrival(None, record.submission_id)
        arrival.arrived = lost.status != NOT_SUBMITTED
        session = Session(arrival, record, folder, progress)
        if arrival.arrived:
            session.head_lost()
        record.status, record.message = lost.status, "\n".join(lost.reasons)
        return session.file(session.error_of(None, Limits()))


def log(
    word: str,
    where: Where,
    runs: RunsFolder,
    progress: Progress,
    sink: Callable[[bytes], None],
    *,
    following: bool = False,
) -> None:
    """Hand the job's log to a sink: what the head has of it, else what is kept of it.

    What is kept counts if the head is gone or the kubeconfig lacks the run's context. following:
    go on until the job ends. Errors: as `attach`.
    """
    record = find_record(runs, word)
    if record and not where.on and (record.status != UNFINISHED or choosing.had_own_head(record)):
        sink(_saved_log(record, runs, progress))
        if following and record.status == UNFINISHED:
            progress.note(f"its head cannot be reached: this is the log saved in {runs.path}")
        return
    redactor = Redactor()

    def take(chunk: bytes) -> None:
        sink(redactor.feed(chunk))

    try:
        rayjob = rayjob_of(record, where, runs)
        if record and rayjob and joining.is_over(rayjob, record.submission_id, progress):
            take(joining.log(record, rayjob, progress))
        else:
            with reached(word, record, rayjob, where, runs, progress) as (head, details):
                _pass_on(head.api, details, take, progress, following)
    except DeletedClusterError as deleted:
        if record and joining.is_of_rayjob(record):
            deleted.next = f"raykit attach {record.id} says how it ended"
        raise
    except (GoneError, NoWayError) as gone:
        take(_kept_log(record, runs, gone, progress))
    sink(redactor.end())


def stop(word: str, where: Where, runs: RunsFolder, progress: Progress) -> Stopped:
    """Stop a job and check whether it has ended.

    One whose head is gone has ended: what its record or KubeRay says of it is returned.
    Errors: UsageError (2) if `last` names a job that was not submitted from here; else as `attach`.
    """
    record = find_record(runs, word)
    if record and run_ids.is_last(word) and record.job.get(ADOPTED):
        raise UsageError(
            f"{word} is {record.submission_id}, which was not submitted from here",
            next=f"raykit stop {record.submission_id} if you mean that job",
        )
    try:
        rayjob = rayjob_of(record, where, runs)
        if record and rayjob:
            status = joining.stop_without_head(rayjob, record.submission_id, progress)
            if status:
                return Stopped(record.submission_id, status, confirmed=True)
        return _stop_on_head(word, record, rayjob, where, runs, progress)
    except LostJobError as lost:
        progress.note(f"{lost.what}: {lost.reasons[-1]}")
        progress.note(lost.next)
        return Stopped(lost.record.submission_id, lost.status, confirmed=True)
    except (GoneError, NoWayError):
        if record is None or record.status == UNFINISHED:
            raise
        progress.note(f"the run {record.id} is complete: {record.status}")
        return Stopped(record.submission_id, record.status, confirmed=True)


def _stop_on_head(
    word: str,
    record: RunRecord | None,
    rayjob: RayJob | None,
    where: Where,
    runs: RunsFolder,
    progress: Progress,
) -> Stopped:
    with reached(word, record, rayjob, where, runs, progress) as (head, details):
        last = details
        if not details.ended:
            with progress.step("stop", f"stop {id_of(details)}"):
                last = stop_and_wait(head.api, id_of(details), STOP_SECONDS) or details
        return Stopped(id_of(details), last.status, confirmed=last.ended)


def _saved_log(record: RunRecord, runs: RunsFolder, progress: Progress) -> bytes:
    """The log of a run that has ended. If it was not read to its end, the evidence may have more.

    Errors: RecordError (7) if there is none.
    """
    kept = reading.log(runs, record) if record.log.get("source") == "partial" else None
    if kept is None:
        return runs.log(record.id)
    progress.note(f"this is the log {kept.source}")
    return kept.text


def _kept_log(
    record: RunRecord | None, runs: RunsFolder, gone: GoneError | NoWayError, progress: Progress
) -> bytes:
    """What is kept of the log of a run whose head cannot be asked. Errors: `gone`, if nothing."""
    kept = record and reading.log(runs, record)
    if not kept:
        raise gone
    progress.note(f"{gone.what}; this is the log {kept.source}")
    if isinstance(gone, LostJobError):
        progress.note(gone.next)
    return kept.text


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


def _pass_on(
    api: JobsApi,
    details: JobDetails,
    sink: Callable[[bytes], None],
    progress: Progress,
    following: bool,
) -> None:
    """Hand on the log that the head has. following: until the job ends."""
    if not following:
        _print_file(api, details, sink)
        return
    followed = follow(api, id_of(details), sink)
    if followed.shortfall:
        progress.note(followed.shortfall)


def _print_file(api: JobsApi, details: JobDetails, sink: Callable[[bytes], None]) -> None:
    if details.driver_node_id is None:
        sink(api.lossy_log(id_of(details)))
        return
    with api.log_file(details.driver_node_id, id_of(details)) as chunks:
        for chunk in chunks:
            sink(chunk)


def _adopted(details: JobDetails, head: Head, runs: RunsFolder, progress: Progress) -> RunRecord:
    """A record for a job that raykit did not submit from here.

    raykit makes the record's id itself: a head's answer must not decide where raykit writes.
    """
    name, started = id_of(details), details.start_time or time.time()
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
