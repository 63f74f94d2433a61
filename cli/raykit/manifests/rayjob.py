"""A spec's jobs as RayJobs: named by what they run, so that one content runs once."""

from __future__ import annotations

import shlex

from raykit import kit
from raykit.manifests import pods
from raykit.manifests.metadata import canonical, hash_of, labels, metadata
from raykit.objects import Object
from raykit.spec.model import ClusterSpec
from raykit.spec.parts import Job

SUBMITTER_RESOURCES: Object = {
    "limits": {"memory": "512Mi"},
    "requests": {"cpu": "100m", "memory": "512Mi"},
}


def ray_job(spec: ClusterSpec, job: Job, cluster: Object, image: str, pull_policy: str) -> Object:
    """The RayJob of one job. cluster: the RayCluster's `spec`, for a job with a cluster of its own.

    The name ends with a hash of all that decides what runs: applied again, the same job is the same
    object and does not run again; another image, argument or cluster is another job.
    """
    body = {**_what(spec, job, image, pull_policy), **_where(spec, job, cluster)}
    decisive = {**body, "cluster": cluster, "image": spec.image or image}
    decisive.pop("ttlSecondsAfterFinished")
    name = f"{spec.name}-{job.name}-{content_hash(decisive)}"
    made = metadata(spec, name, queued=job.own_cluster)
    return {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": made, "spec": body}


def content_hash(content: Object) -> str:
    """Eight hexadecimal digits that change with anything in the content."""
    return hash_of(content, 8)


def entrypoint(job: Job) -> str:
    """The command line of a job, quoted for the submitter's shell."""
    words = job.entrypoint or ["python", f"{kit.IN_IMAGE}/jobs", str(job.job)]
    return shlex.join([*words, *job.arguments])


def _what(spec: ClusterSpec, job: Job, image: str, pull_policy: str) -> Object:
    body: Object = {
        "entrypoint": entrypoint(job),
        # A submitter that starts again would submit again: the job runs once or not at all.
        "submissionMode": "K8sJobMode",
        "backoffLimit": 0,
        "submitterConfig": {"backoffLimit": 0},
        "submitterPodTemplate": _submitter(spec, image, pull_policy),
        "ttlSecondsAfterFinished": job.ttl_seconds,
    }
    if job.env:
        environment = {"env_vars": dict(sorted(job.env.items()))}
        # JSON is YAML, and the chart can write the same text.
        body["runtimeEnvYAML"] = canonical(environment)
    if job.deadline_seconds is not None:
        body["activeDeadlineSeconds"] = job.deadline_seconds
    if job.start_deadline_seconds is not None:
        body["preRunningDeadlineSeconds"] = job.start_deadline_seconds
    return body


def _where(spec: ClusterSpec, job: Job, cluster: Object) -> Object:
    if not job.own_cluster:
        return {"clusterSelector": {"ray.io/cluster": spec.name}}
    return {"shutdownAfterJobFinishes": True, "rayClusterSpec": cluster}


def _submitter(spec: ClusterSpec, image: str, pull_policy: str) -> Object:
    """The pod that submits; it passes Pod Security `restricted` like every pod of the cluster."""
    container: Object = {
        "name": "ray-job-submitter",
        "image": spec.image or image,
        "imagePullPolicy": pull_policy,
        "resources": SUBMITTER_RESOURCES,
        "securityContext": pods.CONTAINER_SECURITY,
        "volumeMounts": [{"name": pods.TMP, "mountPath": "/tmp"}],
    }
    pod: Object = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": pods.POD_SECURITY,
        "containers": [container],
        "volumes": [{"name": pods.TMP, "emptyDir": {"sizeLimit": "1Gi"}}],
    }
    if spec.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in spec.pull_secrets]
    return {"metadata": {"labels": labels(spec)}, "spec": pod}
