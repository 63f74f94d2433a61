"""Render the jobs of a spec as RayJobs. Their names hold a hash, so that each job runs once."""

from __future__ import annotations

import shlex

from raykit import kit
from raykit.manifests import pods
from raykit.manifests.metadata import labels, metadata, queue_annotations
from raykit.objects import Object, canonical, hash_of
from raykit.spec.model import ClusterSpec
from raykit.spec.names import SUBMITTER
from raykit.spec.parts import Job

DAY_SECONDS = 86_400
SUBMITTER_RESOURCES: Object = {
    "limits": {"memory": "512Mi"},
    "requests": {"cpu": "100m", "memory": "512Mi"},
}


def ray_job(spec: ClusterSpec, job: Job, cluster: Object, image: str, pull_policy: str) -> Object:
    """The RayJob of one job.

    cluster: the RayCluster's `spec`, for a job with its own cluster. image, pull_policy: of the
    pods, if the spec names no image.
    The name ends with a hash of everything that decides what runs. Applying the same job again
    changes nothing; another image, argument or cluster makes a new RayJob.
    """
    body = {**_what(spec, job, image, pull_policy), **_where(spec, job, cluster)}
    decisive = {**body, "cluster": cluster, "image": spec.image or image}
    decisive.pop("ttlSecondsAfterFinished", None)
    name = f"{spec.name}-{job.name}-{content_hash(decisive)}"
    job_metadata = metadata(spec, name, queued=job.own_cluster)
    if job.own_cluster and queue_annotations(spec):
        job_metadata["annotations"] = queue_annotations(spec)
    return {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": job_metadata, "spec": body}


def content_hash(content: Object) -> str:
    """A hash of the content: eight hexadecimal digits."""
    return hash_of(content, 8)


def entrypoint(job: Job) -> str:
    """The command line of a job, quoted for the submitter's shell."""
    words = job.entrypoint or ["python", f"{kit.IN_IMAGE}/jobs", str(job.job)]
    return shlex.join([*words, *job.arguments])


def _what(spec: ClusterSpec, job: Job, image: str, pull_policy: str) -> Object:
    body: Object = {
        "entrypoint": entrypoint(job),
        # A restarted submitter would submit the job again: it must run once or not at all.
        "submissionMode": "K8sJobMode",
        "backoffLimit": 0,
        "submitterConfig": {"backoffLimit": 0},
        "submitterPodTemplate": _submitter(spec, image, pull_policy),
    }
    if job.env:
        environment = {"env_vars": dict(sorted(job.env.items()))}
        # JSON is valid YAML, and the chart can write the same text.
        body["runtimeEnvYAML"] = canonical(environment)
    if job.deadline_seconds is not None:
        body["activeDeadlineSeconds"] = job.deadline_seconds
    if job.start_deadline_seconds is not None:
        body["preRunningDeadlineSeconds"] = job.start_deadline_seconds
    return body


def _where(spec: ClusterSpec, job: Job, cluster: Object) -> Object:
    if not job.own_cluster:
        # KubeRay refuses a time to live where the cluster outlives the job; 0 is what its CRD sets.
        return {"clusterSelector": {"ray.io/cluster": spec.name}, "ttlSecondsAfterFinished": 0}
    # KubeRay refuses a strategy in clusters that it makes itself: they end with their job.
    own = {key: value for key, value in cluster.items() if key != "upgradeStrategy"}
    return {
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": DAY_SECONDS if job.ttl_seconds is None else job.ttl_seconds,
        "rayClusterSpec": own,
    }


def _submitter(spec: ClusterSpec, image: str, pull_policy: str) -> Object:
    """The template of the submitter pod; like all pods it passes Pod Security `restricted`."""
    container: Object = {
        "name": SUBMITTER,
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
