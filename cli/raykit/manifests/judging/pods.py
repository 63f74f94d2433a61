"""The pods that KubeRay makes of a resource, with the containers that it adds to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from raykit.manifests.judging.kuberay import JOBS, cluster_of
from raykit.manifests.judging.rules.cluster import Cluster
from raykit.manifests.judging.rules.values import at, items, mapping, text
from raykit.objects import Object
from raykit.spec.names import SUBMITTER
from raykit.spec.problems import Path


@dataclass(frozen=True)
class Pod:
    """A pod of a resource. path: of its spec in the manifest. annotations: those of the pod.

    added: containers that KubeRay adds, each with the path of the field that decides about it.
    """

    path: Path
    spec: Object
    annotations: Object = field(default_factory=dict)
    added: tuple[tuple[Path, Object], ...] = ()

    def containers(self) -> Iterator[tuple[Path, Object]]:
        """All containers with their paths.

        Missing are the init containers that wait for the head and for certificates: KubeRay gives
        them the security context of the Ray container, so that nothing else can be said of them.
        """
        for key in ("initContainers", "containers"):
            for place, container in items(self.spec, key):
                yield (*self.path, key, place), container
        yield from self.added


def pods_of(manifest: Object) -> Iterator[Pod]:
    """The pods that KubeRay makes of a resource: head, one of each worker group, submitter."""
    cluster = cluster_of(manifest)
    job_path = JOBS.get(text(manifest, "kind"))
    job = mapping(manifest, *job_path) if job_path else {}
    if cluster is not None:
        yield from _of_cluster(cluster, job_path, job)
    if job_path and text(job, "submissionMode") in {"", "K8sJobMode"}:
        yield _submitter(job_path, job)


def _of_cluster(cluster: Cluster, job_path: Path | None, job: Object) -> Iterator[Pod]:
    collector = tuple(_collector(cluster))
    for path, group in cluster.all_groups():
        added = collector
        if path[-1] == "headGroupSpec":
            added += (*_autoscaler(cluster), *_submitter_beside_head(job_path, job))
        template = mapping(group, "template")
        yield Pod(
            (*path, "template", "spec"),
            mapping(template, "spec"),
            mapping(template, "metadata", "annotations"),
            added,
        )


def _autoscaler(cluster: Cluster) -> Iterator[tuple[Path, Object]]:
    if cluster.autoscaled:
        # KubeRay takes these fields of the container from the options.
        options = mapping(cluster.spec, "autoscalerOptions")
        context = {"securityContext": mapping(options, "securityContext")}
        yield (*cluster.path, "autoscalerOptions"), {"name": "autoscaler", **context}


def _collector(cluster: Cluster) -> Iterator[tuple[Path, Object]]:
    path = ("historyServerOptions", "collectorOptions")
    if isinstance(at(cluster.spec, *path), dict):
        yield (*cluster.path, *path), {"name": "collector"}


def _submitter_beside_head(path: Path | None, job: Object) -> Iterator[tuple[Path, Object]]:
    if path and text(job, "submissionMode") == "SidecarMode":
        yield (*path, "submissionMode"), {"name": SUBMITTER}


def _submitter(path: Path, job: Object) -> Pod:
    here: Path = (*path, "submitterPodTemplate")
    template = at(job, "submitterPodTemplate")
    if not isinstance(template, dict):
        # KubeRay's own submitter has one container without a security context.
        return Pod((*here, "spec"), {"containers": [{"name": SUBMITTER}]})
    return Pod(
        (*here, "spec"), mapping(template, "spec"), mapping(template, "metadata", "annotations")
    )
