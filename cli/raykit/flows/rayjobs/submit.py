"""`raykit submit --as rayjob`: KubeRay submits the job, raykit follows and records it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from raykit import kit, versions
from raykit.containers import image
from raykit.errors import UsageError
from raykit.flows import submit as plain
from raykit.flows.clusters import consent, up
from raykit.flows.examining import advice
from raykit.flows.examining.advice import About, advised_run
from raykit.flows.keeping import collecting
from raykit.flows.rayjobs import code
from raykit.flows.rayjobs.arrival import RayJobArrival
from raykit.flows.rayjobs.session import RayJobSession
from raykit.flows.session import Limits, Run, Session, run_to_end
from raykit.flows.steps.arrival import PAYLOAD_KEY
from raykit.flows.submit import Request
from raykit.flows.targets.kinds import OnKubernetes, Target
from raykit.flows.targets.where import refuse_headers
from raykit.kube.connection import connect
from raykit.kuberay import observed, operator
from raykit.kuberay.raycluster import Cluster
from raykit.kuberay.rayjobs import submitter
from raykit.manifests import submission
from raykit.manifests.judging import kuberay
from raykit.manifests.render import render
from raykit.manifests.submission import LARGEST_WORK, Lifetime, Submission
from raykit.measure.records import RunRecord, RunsFolder
from raykit.objects import Object
from raykit.progress import Progress
from raykit.spec.model import ClusterSpec
from raykit.submission import uploads
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport
from raykit.submission.uploads import Packed


@dataclass(frozen=True)
class AsRayJob:
    """What `--as rayjob` adds to a submission.

    spec: of the job's own cluster; None: a RayCluster that is there. confirm: asks before raykit
    changes a context whose Kubernetes cluster it did not make.
    """

    lifetime: Lifetime = field(default_factory=Lifetime)
    spec: ClusterSpec | None = None
    confirm: consent.Confirm = field(default=lambda _: False)


def submit(request: Request, rayjob: AsRayJob, runs: RunsFolder, progress: Progress) -> Run:
    """Run a job as a RayJob to its end.

    Errors: as `flows.submit.submit`; UsageError (2) also for what KubeRay would refuse.
    """
    plain.check(request, runs)
    if rayjob.spec is not None:
        about: About = partial(advice.of_own_cluster, rayjob.spec, request.where)
        own = partial(_with_own_cluster, request, rayjob, rayjob.spec, runs, progress)
        return advised_run(about, own)
    target = plain.chosen(request.where)
    there = partial(_on_cluster, request, target, rayjob.lifetime, runs, progress)
    return advised_run(partial(advice.of_target, target), there)


def _on_cluster(
    request: Request, target: Target, lifetime: Lifetime, runs: RunsFolder, progress: Progress
) -> Run:
    """The job on a RayCluster that is there: its code is uploaded before the RayJob is made."""
    if not isinstance(target, OnKubernetes):
        raise UsageError(
            f"--as rayjob needs a RayCluster; this would be {target.reason}",
            next="--on CLUSTER names one that is up; -f SPEC gives the job a cluster of its own",
        )
    _refuse_deletions(lifetime)
    request = plain.with_our_jobs_of(target, request)
    upload = uploads.plan(request.entrypoint, request.runtime_env)
    plain.say_where(f"{target.reason}, as a RayJob", progress)
    record = plain.begin(request, target.reason)
    with (
        upload.packed(request.runtime_env) as packed,
        target.open(progress) as endpoint,
        Transport(endpoint) as transport,
    ):
        job = _submission(request, record, packed, lifetime)
        item = _checked(submission.on_cluster(job, target.cluster.item), versions.KUBERAY)
        arrival = RayJobArrival(
            target.cluster.connection,
            item,
            progress,
            api=JobsApi(transport),
            timeout=request.timeout,
            packed=packed,
        )
        session = RayJobSession(arrival, record, runs, progress)
        session.check_head(endpoint)
        record.cluster = target.observe()
        arrival.upload()
        record.target |= arrival.target

        def begin() -> None:
            _submit(session, arrival, job)

        with runs.followed(record.id):
            run = run_to_end(session, lambda: session.start(begin), _limits(request))
            if request.collect:
                collecting.after_failure(run, target, session.api, runs, progress)
            return run


def _with_own_cluster(
    request: Request, rayjob: AsRayJob, spec: ClusterSpec, runs: RunsFolder, progress: Progress
) -> Run:
    """The job with a cluster of its own: its code is uploaded once that cluster's head answers.

    The submitter waits for the code. Until it is there the job needs raykit: an interrupt deletes
    the RayJob. Without code to upload the RayJob goes on without raykit from its creation.
    """
    refuse_headers(request.where)
    if request.where.on:
        raise UsageError("--on and -f are two places to run", next="leave one of them out")
    if spec.queue and rayjob.lifetime.deletions:
        raise UsageError(
            "--delete has no place in a queue: Kueue wants the cluster to end with its job",
            next="--ttl SECONDS keeps it for a while",
        )
    with progress.step("preflight", "Kubernetes and KubeRay"):
        connection = connect(request.where.context)
        operator.require(connection)
        spec = up.in_namespace(spec, connection)
        context = consent.describe(connection)
        reference = spec.image or image.reference()
        up.refuse_absent_image(context, spec)
    cluster = _only_cluster(spec, reference)
    if image.has_jobs(reference):
        request = replace(request, entrypoint=request.entrypoint.from_kit(kit.IN_IMAGE))
    upload = uploads.plan(request.entrypoint, request.runtime_env)
    reason = f"running on a cluster of its own, {connection.context}:{spec.namespace} (-f)"
    plain.say_where(f"{reason}, as a RayJob", progress)
    doing = f"run {request.entrypoint.name} with a cluster of its own in namespace {spec.namespace}"
    consent.require(context, doing, rayjob.confirm)
    with progress.step("image", "image"):
        up.bring_image(context, reference, progress)
    record = plain.begin(request, reason)
    with upload.packed(request.runtime_env) as packed, contextlib.ExitStack() as way:
        job = _submission(request, record, packed, rayjob.lifetime)
        arrival = RayJobArrival(
            connection,
            _checked(submission.with_own_cluster(job, cluster), spec.kuberay),
            progress,
            timeout=request.timeout,
            packed=packed,
        )

        own: list[Cluster] = []

        def bring_up() -> None:
            own[:] = [_bring_up(session, arrival, way)]
            _submit(session, arrival, job)

        def begin() -> None:
            _create(session, arrival)
            if request.follow or arrival.needs_us:
                bring_up()

        session = RayJobSession(arrival, record, runs, progress, bring_up)
        with runs.followed(record.id):
            run = run_to_end(session, lambda: session.start(begin), _limits(request))
            if request.collect and own:
                target = OnKubernetes(own[0], reason)
                collecting.after_failure(run, target, session.api, runs, progress)
            return run


def _only_cluster(spec: ClusterSpec, reference: str) -> Object:
    """The RayCluster that a spec renders to.

    Errors: UsageError (2) if there is more: nothing else of a spec has a place in a RayJob.
    """
    objects = {each["kind"]: each for each in render(spec, image=reference)}
    others = sorted(objects.keys() - {"RayCluster"})
    if others:
        raise UsageError(
            "a RayJob takes only the cluster of a spec, and this one describes more",
            evidence=[f"it renders to {', '.join(others)} as well"],
            next="leave that out of the spec, or apply it: raykit render -f SPEC",
        )
    return objects["RayCluster"]


def _limits(request: Request) -> Limits:
    return Limits(request.follow, request.timeout, stop_on_interrupt=request.stop_on_interrupt)


def _create(session: Session, arrival: RayJobArrival) -> None:
    """Create the RayJob; the record names it before, so that `raykit attach` finds it."""
    session.record.target |= arrival.target
    session.runs.write(session.record)
    with session.progress.step("create", f"RayJob {arrival.name} created"):
        arrival.create()


def _bring_up(session: Session, arrival: RayJobArrival, way: contextlib.ExitStack) -> Cluster:
    """Wait for the head of the RayJob's own cluster, and upload the job's code to it."""
    with _reason_in_record(session, arrival):
        endpoint, cluster = arrival.reach_head(way)
    session.check_head(endpoint)
    session.record.cluster = observed.observe(cluster)
    arrival.upload()
    return cluster


def _submit(session: Session, arrival: RayJobArrival, job: Submission) -> None:
    """Wait until the submitter has submitted the job; creates the RayJob if it is not there."""
    with _reason_in_record(session, arrival):
        session.submit(job.payload)


@contextlib.contextmanager
def _reason_in_record(session: Session, arrival: RayJobArrival) -> Iterator[None]:
    """After a time-out the record says what the RayJob was waiting for."""
    try:
        yield
    except TimeoutError:
        session.record.message = arrival.waits_for
        raise


def _submission(
    request: Request, record: RunRecord, packed: Packed, lifetime: Lifetime
) -> Submission:
    """What the RayJob carries. Errors: UsageError (2) if that is too big for a pod."""
    code.keep(record, packed)
    payload = plain.payload_of(request, record, packed.environment, on_this_machine=False)
    job = Submission(
        submission.rayjob_name(request.entrypoint.name, record.submission_id),
        record.id,
        payload,
        payload["metadata"][PAYLOAD_KEY],
        Path(submitter.__file__).read_text("utf-8"),
        submitter.WORK,
        packed.names,
        lifetime,
    )
    size = len(job.work.encode())
    if size > LARGEST_WORK:
        raise UsageError(
            f"the job's command, environment and metadata are too big for a RayJob: {size} bytes",
            evidence=[f"the submitter's pod gets them in one variable, of {LARGEST_WORK} bytes"],
            next="put large values into a file of --working-dir, or submit without --as rayjob",
        )
    return job


def _checked(item: Object, version: str) -> Object:
    """The RayJob, if KubeRay would take it. Errors: UsageError (2) with every reason."""
    problems = kuberay.problems(item, version)
    if problems:
        raise UsageError(
            "KubeRay would refuse the RayJob",
            evidence=[str(problem) for problem in problems],
            next="change the options; raykit submit --help",
        )
    return item


def _refuse_deletions(lifetime: Lifetime) -> None:
    """Errors: UsageError (2) for what KubeRay does not do where the cluster outlives the job."""
    if lifetime.kept is not None or lifetime.deletions:
        raise UsageError(
            "--ttl and --delete are for a cluster of its own: KubeRay deletes nothing else",
            next="leave them out, or give the job its own cluster with -f SPEC",
        )
