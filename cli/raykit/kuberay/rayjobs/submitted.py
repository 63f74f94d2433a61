"""RayJobs that raykit made: create one, see why the head lacks its job, withdraw it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from raykit.errors import ConflictError, KubernetesError, MissingError, RaykitError
from raykit.kube.connection import Kubernetes
from raykit.kube.contexts import kubectl
from raykit.kube.errors import ForbiddenError
from raykit.kuberay import diagnosis, operator, raycluster, waiting
from raykit.kuberay.explaining import kueue
from raykit.kuberay.explaining.refusals import repair_of_refusal, why_refused
from raykit.kuberay.explaining.scene import AT_ONCE, SOON, Scene, is_warning
from raykit.kuberay.finding import Finding
from raykit.kuberay.machines import MachinesReader
from raykit.kuberay.rayjobs import ended
from raykit.kuberay.rayjobs.rayjob import FAILED, RUNNING, RayJob, submitter_pods
from raykit.manifests.submission import PAYLOAD_ANNOTATION, RUN_ANNOTATION
from raykit.objects import Object, holds, last_seen, seconds
from raykit.spec.names import SUBMITTER

SHOWN = 200


def create(connection: Kubernetes, item: Object) -> tuple[RayJob, bool]:
    """Create a RayJob; if it is there already with the same content, return that one.

    Returns the RayJob, and whether it is of this very run: else another raykit made it.
    Errors: MissingError (4) if this KubeRay does not know a field; ConflictError (8) if the name
    is taken by another RayJob; KubernetesError (5).
    """
    name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
    if connection.get("RayJob", name, namespace) is None:
        stored = connection.create(item, namespace, dry_run=True)
        unknown = sorted(dropped(item["spec"], stored.get("spec") or {}, "spec"))
        if unknown:
            raise MissingError(
                "this KubeRay does not know what the RayJob needs",
                evidence=[f"its CRD has no {path}" for path in unknown],
                next="leave the option out, or upgrade KubeRay with its CRDs",
            )
        with contextlib.suppress(ConflictError):
            return RayJob(connection, name, namespace, connection.create(item, namespace)), True
    existing = find(connection, item)
    if existing is None:
        raise ConflictError(
            f"the RayJob {namespace}/{name} exists already, with another job",
            next="choose another --id, or delete it: "
            f"{kubectl(connection.context, namespace)} delete rayjob {name}",
        )
    return existing


def find(connection: Kubernetes, item: Object) -> tuple[RayJob, bool] | None:
    """The RayJob of this name if it has the same content, and whether it is of the same run."""
    name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
    there = connection.get("RayJob", name, namespace)
    found, wanted = _annotations(there or {"metadata": {}}), _annotations(item)
    if there is None or found.get(PAYLOAD_ANNOTATION) != wanted[PAYLOAD_ANNOTATION]:
        return None
    is_ours = found.get(RUN_ANNOTATION) == wanted[RUN_ANNOTATION]
    return RayJob(connection, name, namespace, there), is_ours


def _annotations(item: Object) -> Object:
    return item["metadata"].get("annotations") or {}


def read(job: RayJob) -> RayJob | None:
    """The RayJob as it is now; None if it was deleted, or another one has its name."""
    item = job.connection.get("RayJob", job.name, job.namespace)
    if item is None or item["metadata"].get("deletionTimestamp"):
        return None
    same = item["metadata"].get("uid") == job.item["metadata"].get("uid")
    return RayJob(job.connection, job.name, job.namespace, item) if same else None


def withdraw(job: RayJob) -> None:
    """Delete a RayJob; KubeRay stops its job if it runs, and ends its own cluster.

    One that took its name since is another, and stays.
    """
    with contextlib.suppress(ConflictError):
        uid = job.item["metadata"].get("uid")
        job.connection.delete("RayJob", job.name, job.namespace, uid=uid)


def findings(job: RayJob, machines: MachinesReader, since: float = 0.0) -> list[Finding]:
    """Why the head does not have the job yet, the most serious reason first.

    since: when the wait for it began, in Unix seconds; 0: nobody waits.
    """
    state = str(job.status.get("jobDeploymentStatus") or "")
    if job.has_ended:
        return [_ended(job)]
    if not state:
        made = str(job.item["metadata"].get("creationTimestamp") or "")
        idle = operator.diagnose(job.connection, job.namespace, job.name, made)
        return idle or [Finding("unseen", "KubeRay has not looked at the RayJob yet")]
    if job.is_suspended:
        queued = kueue.waits(job.connection, job.item)
        return [queued or Finding("suspended", f"somebody suspended the RayJob {job.name}")]
    if state == RUNNING:
        return _of_submitter(job, machines, since)
    return _of_cluster(job, machines, since)


def _ended(job: RayJob) -> Finding:
    """KubeRay gave the RayJob up before the head had its job."""
    pod = next(iter(_pods(job)), None)
    log = (job.namespace, pod["metadata"]["name"], SUBMITTER, False) if pod else None
    refused = "KubeRay refuses the RayJob" if job.was_refused else f"the RayJob {FAILED}"
    return Finding(
        "ended",
        refused.replace(FAILED, "failed before its job was submitted"),
        tuple(job.message.splitlines()[:6]),
        f"{kubectl(job.connection.context, job.namespace)} describe rayjob {job.name}",
        AT_ONCE,
        log,
    )


def _of_cluster(job: RayJob, machines: MachinesReader, since: float) -> list[Finding]:
    cluster = ended.cluster(job)
    if cluster is None:
        name = job.cluster_name or "its cluster"
        return [Finding("no-cluster", f"KubeRay makes the RayCluster {name}")]
    found = raycluster.findings(cluster, raycluster.pods(cluster), machines, since)
    waits = f"KubeRay waits until the RayCluster {cluster.name} is ready"
    return found or [Finding("cluster", waits)]


def _of_submitter(job: RayJob, machines: MachinesReader, since: float) -> list[Finding]:
    """KubeRay calls the RayJob Running as soon as it has made the submitter's pod."""
    connection = job.connection
    pods = _pods(job)
    if not pods:
        return [_no_submitter(job)]
    pod = pods[0]
    scene = Scene(
        context=connection.context,
        pods=[pod],
        events=waiting.events(connection, job.namespace, [pod]),
        machines=machines.read([pod]),
        now=time.time(),
        since=since,
    )
    return diagnosis.of_pods(scene) or [_started(job, pod)]


def _no_submitter(job: RayJob) -> Finding:
    """The Kubernetes Job has no pod: the API server refuses it, or it is about to be made."""
    refusals = [
        event
        for event in _events_of_job(job)
        if is_warning(event) and event.get("message") and job.is_of_attempt(last_seen(event))
    ]
    if not refusals:
        return Finding("no-submitter", "its submitter's pod is not there yet")
    message = str(max(reversed(refusals), key=last_seen)["message"])
    return Finding(
        "submitter-refused",
        f"its submitter's pod is refused: {why_refused(message)}",
        (message,),
        repair_of_refusal(message, job.connection.context, job.namespace),
        SOON,
    )


def _events_of_job(job: RayJob) -> list[Object]:
    fields = {"involvedObject.name": job.name, "involvedObject.kind": "Job"}
    with contextlib.suppress(ForbiddenError):
        return job.connection.objects("Event", job.namespace, fields=fields)
    return []


def _started(job: RayJob, pod: Object) -> Finding:
    """The submitter's pod starts or runs, and the head does not have the job yet."""
    name = pod["metadata"]["name"]
    if not holds(pod, "Ready"):
        phase = str((pod.get("status") or {}).get("phase") or "Pending")
        return Finding("submitter-starts", f"its submitter's pod {name} is {phase}", pod=name)
    last = next(iter(_last_words(job, name)), "")
    says = f": {last[:SHOWN]}" if last else ""
    return Finding("submitter-runs", f"its submitter's pod {name} runs{says}", pod=name)


def _last_words(job: RayJob, pod: str) -> Iterator[str]:
    with contextlib.suppress(KubernetesError, ForbiddenError):
        lines = job.connection.log(pod, job.namespace, SUBMITTER, 1, False)
        yield from (line for line in lines if line.strip())


def _pods(job: RayJob) -> list[Object]:
    """The submitter's pods of the present attempt; none if the user may not list pods."""
    with contextlib.suppress(RaykitError):
        return [pod for pod in submitter_pods(job) if job.is_of_attempt(_made(pod))]
    return []


def _made(pod: Object) -> float:
    created = pod["metadata"].get("creationTimestamp")
    return seconds(created) if created else 0.0


def dropped(sent: object, stored: object, path: str) -> Iterator[str]:
    """The paths of fields that the API server did not keep: the CRD does not know them.

    Lists are compared item by item, unless admission added items to them.
    """
    if isinstance(sent, dict) and isinstance(stored, dict):
        for key, value in sent.items():
            if key in stored:
                yield from dropped(value, stored[key], f"{path}.{key}")
            elif value not in ({}, [], None):
                yield f"{path}.{key}"
    if isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        for index, (one, kept) in enumerate(zip(sent, stored, strict=True)):
            yield from dropped(one, kept, f"{path}[{index}]")
