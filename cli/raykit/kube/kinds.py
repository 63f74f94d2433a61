"""The kinds of Kubernetes objects that raykit uses, and their paths on the API server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

RAY_API = "ray.io/v1"
EVERYWHERE = "*"
"""Stands for all namespaces."""


@dataclass(frozen=True)
class Kind:
    """One kind. plural: its name in paths. namespaced: whether its objects are in namespaces."""

    api_version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The path of one object, or of all objects if `name` is None.

        namespace: `*` means all namespaces. Errors: ValueError if a namespace is missing.
        """
        group = "api" if "/" not in self.api_version else "apis"
        parts = [group, self.api_version]
        if self.namespaced and namespace != EVERYWHERE:
            if not namespace:
                raise ValueError(f"{self.plural} need a namespace")
            parts += ["namespaces", _segment(namespace)]
        parts.append(self.plural)
        return "/" + "/".join([*parts, *([_segment(name)] if name else [])])


KINDS = {
    "ClusterQueue": Kind("kueue.x-k8s.io/v1beta2", "clusterqueues", namespaced=False),
    "ConfigMap": Kind("v1", "configmaps"),
    "CustomResourceDefinition": Kind(
        "apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False
    ),
    "Deployment": Kind("apps/v1", "deployments"),
    "Event": Kind("v1", "events"),
    "LocalQueue": Kind("kueue.x-k8s.io/v1beta2", "localqueues"),
    "Namespace": Kind("v1", "namespaces", namespaced=False),
    "NetworkPolicy": Kind("networking.k8s.io/v1", "networkpolicies"),
    "Node": Kind("v1", "nodes", namespaced=False),
    "PendingWorkloads": Kind("visibility.kueue.x-k8s.io/v1beta2", "localqueues"),
    "Pod": Kind("v1", "pods"),
    "PodDisruptionBudget": Kind("policy/v1", "poddisruptionbudgets"),
    "PodMonitor": Kind("monitoring.coreos.com/v1", "podmonitors"),
    "RayCluster": Kind(RAY_API, "rayclusters"),
    "RayJob": Kind(RAY_API, "rayjobs"),
    "RayService": Kind(RAY_API, "rayservices"),
    "ResourceQuota": Kind("v1", "resourcequotas"),
    "Secret": Kind("v1", "secrets"),
    "SelfSubjectAccessReview": Kind(
        "authorization.k8s.io/v1", "selfsubjectaccessreviews", namespaced=False
    ),
    "Workload": Kind("kueue.x-k8s.io/v1beta2", "workloads"),
    "SelfSubjectReview": Kind("authentication.k8s.io/v1", "selfsubjectreviews", namespaced=False),
}


def selectors(labels: Mapping[str, str] | None, fields: Mapping[str, str] | None) -> dict[str, str]:
    """Label and field selectors as a URL query; a label with an empty value may have any value."""
    chosen = {
        "labelSelector": [
            f"{key}={value}" if value else key for key, value in (labels or {}).items()
        ],
        "fieldSelector": [f"{key}={value}" for key, value in (fields or {}).items()],
    }
    return {key: ",".join(terms) for key, terms in chosen.items() if terms}


def _segment(name: str) -> str:
    """A name as one segment of a path: slashes and `..` are escaped."""
    escaped = quote(name, safe="", errors="replace")
    return escaped.replace(".", "%2E") if set(name) == {"."} else escaped
