"""A RayJob as the API server has it: what KubeRay says of it, and its submitter's pods."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from raykit.kube.connection import Kubernetes
from raykit.objects import Object, seconds

COMPLETE, FAILED, REFUSED = "Complete", "Failed", "ValidationFailed"
"""KubeRay's words for a RayJob that has ended. Refused: nothing was submitted."""
ENDED = (COMPLETE, FAILED, REFUSED)

INITIALIZING, RUNNING = "Initializing", "Running"
SUSPENDED = ("Suspending", "Suspended")

K8S_JOB_MODE = "K8sJobMode"
JOB_NAME_LABEL = "job-name"
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
    def was_submitted(self) -> bool:
        """Whether KubeRay has seen its job on a head."""
        return bool(self.status.get("jobStatus"))

    @property
    def was_refused(self) -> bool:
        return self.status.get("jobDeploymentStatus") == REFUSED

    @property
    def is_suspended(self) -> bool:
        """Whether it is suspended, such as by Kueue, or about to be."""
        asked = bool(self.spec.get("suspend"))
        return asked or self.status.get("jobDeploymentStatus") in SUSPENDED

    @property
    def waits_again(self) -> bool:
        """Whether it waits for a cluster, as before its first one."""
        return self.is_suspended or self.status.get("jobDeploymentStatus") in (INITIALIZING, None)

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
        return _moment(self.item["metadata"].get("creationTimestamp"))

    def is_of_attempt(self, moment: float) -> bool:
        """Whether a moment is not before the present attempt. Unix seconds; 0: unknown, which is.

        A RayJob that was suspended has a new attempt, with a Job of the same name.
        """
        return not 0 < moment < (_moment(self.status.get("startTime")) or self.created or 0.0)

    @property
    def began(self) -> float | None:
        """When Ray started the job; the status has whole seconds."""
        return _moment((self.status.get("rayJobInfo") or {}).get("startTime"))

    @property
    def ended(self) -> float | None:
        """When Ray saw the job end, else when KubeRay did."""
        of_ray = (self.status.get("rayJobInfo") or {}).get("endTime")
        return _moment(of_ray or self.status.get("endTime"))

    @property
    def cluster_name(self) -> str:
        """The RayCluster that it ran on; empty where none was made."""
        return str(self.status.get("rayClusterName") or "")

    @property
    def mode(self) -> str:
        return str(self.spec.get("submissionMode") or K8S_JOB_MODE)


def submitter_pods(job: RayJob) -> list[Object]:
    """The pods of the Kubernetes Job that submits a RayJob, the newest first.

    Errors: ForbiddenError (4) if the user may not list pods.
    """
    pods = job.connection.objects("Pod", job.namespace, labels={JOB_NAME_LABEL: job.name})
    return sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True)


def _moment(time: object) -> float | None:
    """A time of Kubernetes in Unix seconds; None if there is none."""
    return seconds(time) if isinstance(time, str) and time else None
