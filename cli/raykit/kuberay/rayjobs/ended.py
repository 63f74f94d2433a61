"""RayJobs that have ended, as the API server still knows them: what ran, how it went, its log."""

from __future__ import annotations

from raykit.kube.connection import Kubernetes
from raykit.kuberay.raycluster import Cluster
from raykit.kuberay.rayjobs.rayjob import K8S_JOB_MODE, RayJob, submitter_pods
from raykit.objects import Object, seconds
from raykit.spec.names import SUBMITTER

MOST_LOG_BYTES = 128 << 20


def find(connection: Kubernetes, namespace: str) -> list[RayJob]:
    """The RayJobs of a namespace (`*`: of all), oldest first."""
    items = [(each["metadata"], each) for each in connection.objects("RayJob", namespace)]
    jobs = [RayJob(connection, meta["name"], meta["namespace"], item) for meta, item in items]
    return sorted(jobs, key=lambda job: (job.created or 0.0, job.name))


def log(job: RayJob) -> bytes | None:
    """What the submitter pod printed; None where there is no such pod or log any more.

    The kubelet keeps the last part of a long log, 10 MiB unless it is told otherwise.
    Errors: ForbiddenError (4) with the rule that is missing.
    """
    if job.mode != K8S_JOB_MODE:
        return None
    for pod in submitter_pods(job):
        name = pod["metadata"]["name"]
        found = job.connection.whole_log(name, job.namespace, _container(pod), MOST_LOG_BYTES)
        if found is not None:
            return found
    return None


def cluster(job: RayJob) -> Cluster | None:
    """The RayCluster that the job ran on; None where it is gone, or another one has its name.

    Errors: ForbiddenError (4).
    """
    if not job.cluster_name:
        return None
    item = job.connection.get("RayCluster", job.cluster_name, job.namespace)
    if item is None:
        return None
    created = item["metadata"].get("creationTimestamp")
    if job.began is not None and created and seconds(created) > job.began:
        return None
    return Cluster(job.connection, job.cluster_name, job.namespace, item)


def _container(pod: Object) -> str:
    """The submitter's container: KubeRay's name for it, else the first."""
    names = [str(container["name"]) for container in pod["spec"]["containers"]]
    return SUBMITTER if SUBMITTER in names or not names else names[0]
