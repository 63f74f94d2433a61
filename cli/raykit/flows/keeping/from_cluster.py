"""`raykit runs import --from-cluster`: records of RayJobs that git or kubectl started.

What the API server still knows becomes the record: KubeRay's status, the submitter pod's log with
the job's timing lines, the RayCluster where it is still there. What it no longer knows is lost, and
the record says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import shlex
from dataclasses import dataclass
from typing import Any

from raykit import kit, redaction, versions
from raykit.errors import RaykitError
from raykit.kube.connection import connect
from raykit.kube.reference import check_namespace
from raykit.kuberay import observed, operator, reach
from raykit.kuberay.raycluster import Cluster
from raykit.kuberay.rayjobs import ended
from raykit.kuberay.rayjobs.rayjob import K8S_JOB_MODE, RayJob
from raykit.measure import outcome, run_ids
from raykit.measure.keeping.summaries import UNREADABLE, summaries
from raykit.measure.records import NOT_SUBMITTED, UNFINISHED, RunRecord, RunsFolder
from raykit.phases import WALL, Phase
from raykit.progress import Progress, Silent
from raykit.redaction import redacted
from raykit.submission.recording import Recording

KUBERNETES, SECOND = "kubernetes", 1.0
FINAL = ("SUCCEEDED", "FAILED", "STOPPED")
IMPORTED, THERE, RUNNING = "new", "here already", "has not ended"
KEPT, LOST = "kept", "lost"
FIRST_LINE, BEGINNING = b"Job submission server address", 8192
"""What `ray job submit` prints first, in the submitter pod."""


@dataclass(frozen=True)
class Found:
    """One RayJob and what became of it. state: KubeRay's word and Ray's; run: its record."""

    rayjob: str
    state: str
    outcome: str
    run: str | None = None
    log: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def import_from_cluster(
    context: str | None, namespace: str | None, runs: RunsFolder, progress: Progress
) -> list[Found]:
    """Make a record for each RayJob of a namespace that has ended and has none; all of its RayJobs.

    context, namespace: as in kubectl; None: the current context, its namespace.
    Errors: UsageError (2), MissingError (4) also where a right is missing, KubernetesError (5),
    RecordError (7) where the disk refuses.
    """
    if namespace:
        check_namespace(namespace)
    runs.check_writable()
    with connect(context) as connection:
        operator.require(connection)
        place = namespace or connection.namespace
        progress.note(f"RayJobs of namespace {place} in context {connection.about}")
        known = _known(runs)
        return [_take(job, runs, known, progress) for job in ended.find(connection, place)]


def _known(runs: RunsFolder) -> dict[str, str]:
    """The runs that are here, by their ids and, where they have ended, by their submission ids."""
    found = {}
    for run in summaries(runs):
        if run.status not in (UNFINISHED, UNREADABLE):
            found[run.submission_id] = run.id
        found[run.id] = run.id
    return found


def _take(job: RayJob, runs: RunsFolder, known: dict[str, str], progress: Progress) -> Found:
    if not job.has_ended:
        return Found(job.name, job.state, RUNNING)
    record = _record(job)
    before = known.get(record.id) or _same(known.get(record.submission_id), job, runs)
    if before:
        return Found(job.name, job.state, THERE, before)
    with progress.step("import", f"import {job.name}"):
        log = ended.log(job)
        add_cluster(record, job)
        with runs.followed(record.id) as mine:
            if mine:
                add_log(record, job, log, runs)
                runs.write(record)
    return Found(job.name, job.state, IMPORTED, record.id, record.log.get("kept"))


def _same(run: str | None, job: RayJob, runs: RunsFolder) -> str | None:
    """A run with the job's submission id, unless it is another RayJob's: ids may be fixed."""
    if run is None:
        return None
    with contextlib.suppress(RaykitError):
        if runs.load(run).target.get("rayjob_uid") not in (None, job.uid):
            return None
    return run


def _record(job: RayJob) -> RunRecord:
    """What the RayJob itself says. The record's id comes from the RayJob's: one job, one record."""
    name, arguments = _job(job)
    created = job.created or 0.0
    mark = hashlib.sha256(job.uid.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    run_id = run_ids.new(name, created, mark)
    status = str(job.status.get("jobStatus") or "")
    return RunRecord(
        id=run_id,
        submission_id=str(job.status.get("jobId") or run_id),
        job={"name": name, "arguments": arguments, "entrypoint": [_entrypoint(job)]},
        target={
            "chosen": f"found afterwards as RayJob {job.namespace}/{job.name}",
            "kind": KUBERNETES,
            "context": job.connection.context,
            "namespace": job.namespace,
            "cluster": job.cluster_name,
            "rayjob": job.name,
            "rayjob_uid": job.uid,
        },
        versions={"raykit": versions.RAYKIT, "python": platform.python_version()},
        machine={},
        started=created,
        status=status if status in FINAL else NOT_SUBMITTED if job.was_refused else UNFINISHED,
        message=outcome.shortened(redacted(job.message)),
        driver_exit_code=job.driver_exit_code,
        ended=job.ended,
        phases=_phases(job),
    )


def _entrypoint(job: RayJob) -> str:
    return str(job.spec.get("entrypoint") or "")


def _job(job: RayJob) -> tuple[str, list[str]]:
    """The job's name and arguments: those of one of raykit's jobs, else the RayJob's name alone."""
    with contextlib.suppress(ValueError):
        words = shlex.split(_entrypoint(job))
        ours = [f"{kit.IN_IMAGE}/jobs"], ["-m", "jobs"], ["-P", "-m", "jobs"]
        for way in ours:
            program, before, rest = words[:1], words[1 : 1 + len(way)], words[1 + len(way) :]
            if program == ["python"] and before == way and rest[:1] and rest[0] in kit.jobs():
                return rest[0], rest[1:]
    return job.name, []


def _phases(job: RayJob) -> list[Phase]:
    """From the RayJob's creation until Ray started the job, and until it ended: to the second."""
    moments = [("submit", job.created, job.began), ("job", job.began, job.ended)]
    return [
        Phase(name, start, end - start, KUBERNETES, WALL, SECOND)
        for name, start, end in moments
        if start is not None and end is not None and end >= start
    ]


def add_cluster(record: RunRecord, job: RayJob) -> None:
    """Add what is known of the cluster, and learn its token so that the log can be redacted."""
    cluster = ended.cluster(job)
    spec = cluster.item["spec"] if cluster else job.spec.get("rayClusterSpec") or {}
    if spec.get("rayVersion"):
        record.versions["ray"] = str(spec["rayVersion"])
    if cluster:
        _learn_token(cluster)
        record.cluster = observed.observe(cluster)
        record.notes.append("its cluster was looked at after its end")


def _learn_token(cluster: Cluster) -> None:
    """Read the cluster's token, if the user may."""
    with contextlib.suppress(RaykitError):
        token = reach.token(cluster)
        if token:
            redaction.learn(token)


def add_log(record: RunRecord, job: RayJob, log: bytes | None, runs: RunsFolder) -> None:
    """Keep the log, file its timing lines, and judge the run by both.

    Errors: RecordError (7) where the disk refuses.
    """
    last_lines: list[str] = []
    if log is None:
        record.log = {"source": "none", "kept": LOST}
        record.notes.append(f"its log is lost: {why_lost(job)}")
    else:
        recording = Recording(record, runs, Silent())
        keep(record, log, recording)
        if recording.failure:
            raise recording.failure
        last_lines = recording.last_lines()
    if record.status == UNFINISHED:
        record.notes.append(f"Ray gave no final status; KubeRay says: {job.state}")
    if record.status in FINAL:
        record.cause = _cause(record, last_lines, log is not None)
        error = outcome.judge(record, last_lines)
        record.exit_code = error.exit_code if error else 0


def keep(record: RunRecord, log: bytes, recording: Recording) -> None:
    """Write a submitter's log and its events, in place of what was recorded before."""
    recording.begin()
    recording.take(log)
    recording.end()
    record.log |= {"source": "submitter pod", "kept": KEPT}
    if FIRST_LINE not in log[:BEGINNING] or len(log) >= ended.MOST_LOG_BYTES:
        record.notes.append("a part of its log may be lost: a kubelet keeps the last 10 MiB")


def why_lost(job: RayJob) -> str:
    """Why no pod has the log of a RayJob."""
    if job.mode != K8S_JOB_MODE:
        return f"{job.mode} leaves none in a pod of its own"
    return "the submitter pod is gone"


def _cause(record: RunRecord, last_lines: list[str], has_log: bool) -> str | None:
    """The cause, a word of `measure.outcome`. Without a log nothing is missed in it."""
    cause = outcome.cause(record, last_lines)
    return None if cause == outcome.NO_RESULT and not has_log else cause
