"""RayJobs that have ended, as the API server still knows them: what ran, how it went, its log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from raykit.kube.connection import Kubernetes
from raykit.kuberay.raycluster import Cluster
from raykit.objects import Object

ENDED = ("Complete", "Failed", "ValidationFailed")
REFUSED = "ValidationFailed"
"""KubeRay refused the RayJob: nothing was submitted."""

K8S_JOB_MODE = "K8sJobMode"
SUBMITTER = "ray-job-submitter"
JOB_NAME_LABEL = "job-name"
MOST_LOG_BYTES = 128 << 20
EXIT_CODE = re.compile(r"failed with exit code (-?\d{1,5})\b")
"""Ray's words for a driver that failed, which KubeRay copies into the status."""


@dataclass(frozen=True)
class RayJob:
    """A RayJob. item: the object at the time it was read."""

    connection: Kubernetes
    name: str
    namespace: str
    item: Object = field(repr=False)

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.item.get("spec") or {}

    @property
    def status(self) -> Mapping[str, Any]:
        return self.item.get("status") or {}

    @property
    def uid(self) -> str:
        return str(self.item["metadata"].get("uid") or f"{self.namespace}/{self.name}")

    @property
    def has_ended(self) -> bool:
        return self.status.get("jobDeploymentStatus") in ENDED

    @property
    def was_refused(self) -> bool:
        return self.status.get("jobDeploymentStatus") == REFUSED

    @property
    def state(self) -> str:
        """KubeRay's word for where it is, with Ray's where there is one."""
        words = [self.status.get("jobDeploymentStatus"), self.status.get("jobStatus")]
        return ", ".join(word for word in words if word) or "not looked at by KubeRay yet"

    @property
    def message(self) -> str:
        """KubeRay's reason and Ray's message."""
        words = [self.status.get("reason"), self.status.get("message")]
        return ": ".join(word for word in words if word)

    @property
    def driver_exit_code(self) -> int | None:
        """The driver's exit code, where Ray's message names it."""
        found = EXIT_CODE.search(self.status.get("message") or "")
        return int(found[1]) if found else None

    @property
    def created(self) -> float | None:
        return _seconds(self.item["metadata"].get("creationTimestamp"))

    @property
    def began(self) -> float | None:
        """When Ray started the job; the status has whole seconds."""
        return _seconds((self.status.get("rayJobInfo") or {}).get("startTime"))

    @property
    def ended(self) -> float | None:
        """When Ray saw the job end, else when KubeRay did."""
        of_ray = (self.status.get("rayJobInfo") or {}).get("endTime")
        return _seconds(of_ray or self.status.get("endTime"))

    @property
    def cluster_name(self) -> str:
        """The RayCluster that it ran on; empty where none was made."""
        return str(self.status.get("rayClusterName") or "")

    @property
    def mode(self) -> str:
        return str(self.spec.get("submissionMode") or K8S_JOB_MODE)


def find(connection: Kubernetes, namespace: str) -> list[RayJob]:
    """The RayJobs of a namespace, oldest first."""
    items = connection.objects("RayJob", namespace)
    jobs = [RayJob(connection, each["metadata"]["name"], namespace, each) for each in items]
    return sorted(jobs, key=lambda job: (job.created or 0.0, job.name))


def log(job: RayJob) -> bytes | None:
    """What the submitter pod printed; None where there is no such pod or log any more.

    The kubelet keeps the last part of a long log, 10 MiB unless it is told otherwise.
    Errors: ForbiddenError (4) with the rule that is missing.
    """
    if job.mode != K8S_JOB_MODE:
        return None
    pods = job.connection.objects("Pod", job.namespace, labels={JOB_NAME_LABEL: job.name})
    newest_first = sorted(
        pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True
    )
    for pod in newest_first:
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
    created = _seconds(item["metadata"].get("creationTimestamp")) or 0.0
    if job.began is not None and created > job.began:
        return None
    return Cluster(job.connection, job.cluster_name, job.namespace, item)


def _container(pod: Object) -> str:
    """The submitter's container: KubeRay's name for it, else the first."""
    names = [str(container["name"]) for container in pod["spec"]["containers"]]
    return SUBMITTER if SUBMITTER in names or not names else names[0]


def _seconds(time: object) -> float | None:
    return datetime.fromisoformat(time).timestamp() if isinstance(time, str) and time else None
