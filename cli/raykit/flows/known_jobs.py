"""Which head has a job, and which job a user's word names: by a run's record, else by the head."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from raykit.endpoint import Endpoint
from raykit.errors import JobsApiError, RaykitError, RecordError, UsageError
from raykit.flows.rayjobs import joining
from raykit.flows.targets import choosing, lost
from raykit.flows.targets.kinds import Target
from raykit.flows.targets.where import Where
from raykit.kuberay.rayjobs.rayjob import RayJob
from raykit.measure import run_ids
from raykit.measure.keeping.files import is_imported
from raykit.measure.records import RunRecord, RunsFolder
from raykit.progress import Progress
from raykit.submission.answers import not_ray
from raykit.submission.jobs_api import JobDetails, JobsApi
from raykit.submission.transport import Transport


@dataclass(frozen=True)
class Head:
    """An open connection to a head."""

    api: JobsApi
    endpoint: Endpoint
    target: Target


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
    return _exactly(api, word) or _listed(api, word)


def _exactly(api: JobsApi, word: str) -> JobDetails | None:
    """The details of the job with this id; None if the head does not know it."""
    details = api.details(word) if run_ids.is_plain(word) else None
    if details and word not in (details.submission_id, details.job_id):
        raise not_ray(
            api.transport.endpoint.url, f"asked for {word}, it answered about {id_of(details)}"
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
def reached(
    word: str,
    record: RunRecord | None,
    rayjob: RayJob | None,
    where: Where,
    runs: RunsFolder,
    progress: Progress,
) -> Iterator[tuple[Head, JobDetails]]:
    """The head where a job runs or ran, and the job's details. rayjob: as `rayjob_of` found it.

    Errors: GoneError (6) if the head of a run is gone, or does not know its job: `lost.judged`;
    those of choosing and reaching a head (2, 4, 5, 6), and of `known`.
    """
    with _opened(_target(word, record, rayjob, where, runs), progress) as head:
        if record is None or where.on:
            yield head, known(head.api, record.submission_id if record else word)
            return
        details = _exactly(head.api, record.submission_id)
        if details is None:
            # Of a RayJob that is there KubeRay has the last word: it may submit the job again.
            if rayjob:
                raise lost.unknown(record)
            raise lost.judged(record, runs, head.api, head.target)
        yield head, details


def rayjob_of(record: RunRecord | None, where: Where, runs: RunsFolder) -> RayJob | None:
    """The RayJob of a run; None if it was not submitted as one, or only its cluster may be there.

    Errors: UsageError (2) if the record is another machine's; as `joining.find`.
    """
    if record is None or where.on or not joining.is_of_rayjob(record):
        return None
    _refuse_imported(record, runs)
    return joining.find(record, where.context)


def _target(
    word: str,
    record: RunRecord | None,
    rayjob: RayJob | None,
    where: Where,
    runs: RunsFolder,
) -> Target:
    """The head that `--on` names, else the record's, else the default one."""
    if record and not where.on:
        _refuse_imported(record, runs)
        # Kueue may have taken the cluster away that the record names, and given it another one.
        if rayjob and (rayjob.cluster_name or not record.target.get("cluster")):
            record.target["cluster"] = joining.cluster_name(rayjob)
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


def id_of(details: JobDetails) -> str:
    """The id by which a head knows a job: its submission id, else Ray's own."""
    return details.submission_id or details.job_id or ""
