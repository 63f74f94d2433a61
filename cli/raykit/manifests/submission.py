"""The RayJob of one submission: on a RayCluster that is there, or with a cluster of its own."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from raykit.manifests import pods
from raykit.manifests.rayjob import SUBMITTER_RESOURCES
from raykit.objects import Object, hash_of
from raykit.spec import names

RUN_ANNOTATION, PAYLOAD_ANNOTATION = "raykit.io/run", "raykit.io/payload"
"""Annotations of a RayJob: the id of its run, and the hash of what was submitted."""

KEPT_SECONDS = 60
"""How long a cluster of its own stays after the job: raykit reads the rest of the log, and Ray's
events."""

PACKAGE_SECONDS = 600
LARGEST_WORK = 100_000
"""Bytes that one environment variable can safely hold; Linux takes 131,072."""

GRACE_SECONDS = 5
"""Until a submitter that is deleted ends: bash, as the first process, ignores SIGTERM."""

POLICIES = {"workers": "DeleteWorkers", "cluster": "DeleteCluster", "rayjob": "DeleteSelf"}
STATUSES = ("SUCCEEDED", "FAILED")
KUEUE = "kueue.x-k8s.io/"
INHERITED = ("imagePullSecrets", "nodeSelector", "tolerations")
"""Fields of the head's pod that the submitter's pod needs, to have the same image run there."""


@dataclass(frozen=True)
class Deletion:
    """What KubeRay deletes after the job's end. what: a key of POLICIES; seconds: after the end.

    status: of the job; None: any.
    """

    what: str
    seconds: int
    status: str | None = None


@dataclass(frozen=True)
class Lifetime:
    """How long a RayJob may take and stay.

    deadline: seconds from its start until KubeRay ends it. start_deadline: seconds within which it
    must run. kept: seconds for which a cluster of its own stays after the job; None: 60. deletions:
    what to delete when, in place of `kept`.
    """

    deadline: int | None = None
    start_deadline: int | None = None
    kept: int | None = None
    deletions: Sequence[Deletion] = ()


@dataclass(frozen=True)
class Submission:
    """A job to submit.

    name: of the RayJob. run: the run's id. payload: what Ray gets; fingerprint: a hash of what it
    runs. program: the text of the submitter; variable: of its environment, which has its work.
    packages: names of the packages that raykit uploads.
    """

    name: str
    run: str
    payload: Mapping[str, Any]
    fingerprint: str
    program: str
    variable: str
    packages: Sequence[str] = ()
    lifetime: Lifetime = field(default_factory=Lifetime)

    @property
    def work(self) -> str:
        """What the submitter does, as JSON."""
        content = {
            "payload": dict(self.payload),
            "packages": list(self.packages),
            "package_seconds": PACKAGE_SECONDS,
        }
        return json.dumps(content, sort_keys=True)


def rayjob_name(job: str, submission_id: str) -> str:
    """The RayJob's name: the same id always gives the same one."""
    clean = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in job)
    start = clean.lower().lstrip("-0123456789")[: names.LONGEST_RAYJOB - 9].rstrip("-")
    return f"{start or 'job'}-{hash_of({'id': submission_id}, 8)}"


def on_cluster(job: Submission, cluster: Object) -> Object:
    """The RayJob on a RayCluster. cluster: the RayCluster, with its metadata."""
    metadata = cluster["metadata"]
    head = cluster["spec"]["headGroupSpec"]["template"]["spec"]
    # KubeRay refuses a time to live where the cluster outlives the job.
    where = {"clusterSelector": {"ray.io/cluster": metadata["name"]}}
    return _ray_job(job, {"namespace": metadata["namespace"]}, head, where)


def with_own_cluster(job: Submission, cluster: Object) -> Object:
    """The RayJob with a cluster of its own. cluster: the RayCluster as a spec renders it."""
    spec, metadata = cluster["spec"], cluster["metadata"]
    # KubeRay refuses a strategy in clusters that it makes itself: they end with their job.
    own = {key: value for key, value in spec.items() if key != "upgradeStrategy"}
    where = {"rayClusterSpec": own, **_afterwards(job.lifetime)}
    head = spec["headGroupSpec"]["template"]["spec"]
    return _ray_job(job, _of_queue(metadata), head, where)


def _of_queue(metadata: Object) -> Object:
    """A RayCluster's namespace, and what Kueue reads of its labels and annotations.

    KubeRay copies a RayJob's metadata to its cluster. With raykit's own labels, `raykit submit`
    and `raykit down` would take that cluster for one of `raykit up`.
    """
    kept = {
        part: {key: text for key, text in metadata.get(part, {}).items() if key.startswith(KUEUE)}
        for part in ("labels", "annotations")
    }
    return {"namespace": metadata["namespace"], **kept}


def _ray_job(job: Submission, metadata: Object, head: Object, where: Object) -> Object:
    """The RayJob. metadata: its namespace, and the labels and annotations that it inherits."""
    lifetime = job.lifetime
    body: Object = {
        "entrypoint": job.payload["entrypoint"],
        "jobId": job.payload["submission_id"],
        # A restarted submitter would submit the job again: it must run once or not at all.
        "submissionMode": "K8sJobMode",
        "backoffLimit": 0,
        "submitterConfig": {"backoffLimit": 0},
        "submitterPodTemplate": {"spec": _submitter(job, head)},
        **where,
    }
    if lifetime.deadline is not None:
        body["activeDeadlineSeconds"] = lifetime.deadline
    if lifetime.start_deadline is not None:
        body["preRunningDeadlineSeconds"] = lifetime.start_deadline
    annotations = {RUN_ANNOTATION: job.run, PAYLOAD_ANNOTATION: job.fingerprint}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {
            "name": job.name,
            "namespace": metadata["namespace"],
            "labels": {**metadata.get("labels", {}), names.MANAGED_BY_LABEL: names.MANAGED_BY},
            "annotations": {**metadata.get("annotations", {}), **annotations},
        },
        "spec": body,
    }


def _afterwards(lifetime: Lifetime) -> Object:
    """What becomes of a cluster of its own after the job."""
    if not lifetime.deletions:
        kept = KEPT_SECONDS if lifetime.kept is None else lifetime.kept
        return {"shutdownAfterJobFinishes": True, "ttlSecondsAfterFinished": kept}
    rules = [
        {
            "policy": POLICIES[each.what],
            "condition": {"jobStatus": status, "ttlSeconds": each.seconds},
        }
        for each in lifetime.deletions
        for status in ([each.status] if each.status else STATUSES)
    ]
    return {"deletionStrategy": {"deletionRules": rules}}


def _submitter(job: Submission, head: Object) -> Object:
    """The submitter's pod: the head's image and security context, since those are admitted."""
    ray = head["containers"][0]
    container: Object = {
        "name": names.SUBMITTER,
        "image": ray.get("image", ""),
        "command": ["/bin/bash", "-c", _commands(job)],
        "env": [{"name": job.variable, "value": _unexpanded(job.work)}],
        "resources": SUBMITTER_RESOURCES,
        "securityContext": ray.get("securityContext") or pods.CONTAINER_SECURITY,
        "volumeMounts": [{"name": pods.TMP, "mountPath": "/tmp"}],
    }
    if ray.get("imagePullPolicy"):
        container["imagePullPolicy"] = ray["imagePullPolicy"]
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": head.get("securityContext") or pods.POD_SECURITY,
        **{key: head[key] for key in INHERITED if key in head},
        "containers": [container],
        "volumes": [{"name": pods.TMP, "emptyDir": {"sizeLimit": "1Gi"}}],
    }


def _commands(job: Submission) -> str:
    """The submitter's shell line: submit, follow the log, and stop the job at its deadline.

    KubeRay itself lets the job run on after its deadline: it only says that the RayJob failed.
    """
    program = f"python -c {shlex.quote(job.program)}"
    follow = 'ray job logs --address "http://${RAY_DASHBOARD_ADDRESS#http://}" --follow'
    follow += ' "$RAY_JOB_SUBMISSION_ID"'
    if job.lifetime.deadline is not None:
        # 124 is what `timeout` says of a command that ran out of time.
        follow = (
            f"timeout {job.lifetime.deadline} {follow}\ncode=$?\n"
            f"[ $code != 124 ] || exec {program} stop\nexit $code"
        )
    return _unexpanded(f"{program} submit || exit 1\n{follow}")


def _unexpanded(text: str) -> str:
    """The text with `$` doubled: Kubernetes replaces `$(NAME)` and makes `$$` one `$`."""
    return text.replace("$", "$$")
