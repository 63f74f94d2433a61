"""Render a CronJob that runs `raykit down --idle` in a cluster, with the rights that it needs."""

from __future__ import annotations

import yaml

from raykit.manifests.pods import CONTAINER_SECURITY, POD_SECURITY
from raykit.objects import Object, hash_of
from raykit.spec.names import MANAGED_BY, MANAGED_BY_LABEL, token_secret

NAME, CONTEXT = "raykit-idle", "in-cluster"
SCHEDULE, LONGEST_SECONDS = "*/10 * * * *", 540
LONGEST_NAME = 52
SERVICE_ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
CONFIG_FOLDER = "/etc/raykit"
RBAC = "rbac.authorization.k8s.io"


def idle_cronjob(image: str, namespace: str, age: str, cluster: str | None = None) -> list[Object]:
    """The objects of the CronJob, in the order to apply them.

    image: has `raykit` on PATH. age: as in `down --idle`, such as `2h`. cluster: the only one to
    end; None: all of raykit's in the namespace.
    """
    metadata: Object = {
        "name": _name(cluster),
        "namespace": namespace,
        "labels": {MANAGED_BY_LABEL: MANAGED_BY},
    }
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": _rules(cluster),
        },
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": metadata["name"]},
            "subjects": [
                {"kind": "ServiceAccount", "name": metadata["name"], "namespace": namespace}
            ],
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {"kubeconfig": _kubeconfig(namespace)},
        },
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": metadata,
            "spec": {
                "schedule": SCHEDULE,
                "concurrencyPolicy": "Forbid",
                "successfulJobsHistoryLimit": 1,
                "failedJobsHistoryLimit": 3,
                "jobTemplate": {
                    "spec": {
                        "backoffLimit": 0,
                        "activeDeadlineSeconds": LONGEST_SECONDS,
                        "template": {"spec": _pod(image, metadata["name"], age, cluster)},
                    }
                },
            },
        },
    ]


def _name(cluster: str | None) -> str:
    """The name of the objects: Kubernetes takes 52 characters for a CronJob."""
    full = f"{NAME}-{cluster}" if cluster else NAME
    if len(full) <= LONGEST_NAME:
        return full
    return f"{full[: LONGEST_NAME - 9]}-{hash_of({'cluster': cluster}, 8)}"


def _rules(cluster: str | None) -> list[Object]:
    """Find clusters, ask their heads with their tokens, see their pods, delete them."""
    named = {"resourceNames": [cluster]} if cluster else {}
    secret = {"resourceNames": [token_secret(cluster)]} if cluster else {}
    finding = [] if cluster else ["list"]
    return [
        {
            "apiGroups": ["ray.io"],
            "resources": ["rayclusters"],
            **named,
            "verbs": ["get", *finding, "delete"],
        },
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["secrets"], **secret, "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["services/proxy"], "verbs": ["get"]},
    ]


def _kubeconfig(namespace: str) -> str:
    """A kubeconfig without secrets: it names the files that Kubernetes mounts into the pod."""
    cluster = {
        "server": "https://kubernetes.default.svc",
        "certificate-authority": f"{SERVICE_ACCOUNT_FOLDER}/ca.crt",
    }
    names = {"cluster": CONTEXT, "user": CONTEXT, "namespace": namespace}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "contexts": [{"name": CONTEXT, "context": names}],
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": {"tokenFile": f"{SERVICE_ACCOUNT_FOLDER}/token"}}],
    }
    return yaml.safe_dump(config, sort_keys=False)


def _pod(image: str, name: str, age: str, cluster: str | None) -> Object:
    named = [cluster] if cluster else []
    container: Object = {
        "name": "raykit",
        "image": image,
        "command": ["raykit", "down", *named, "--idle", age, "--yes"],
        "workingDir": "/tmp",
        "env": [
            {"name": "KUBECONFIG", "value": f"{CONFIG_FOLDER}/kubeconfig"},
            {"name": "HOME", "value": "/tmp"},
        ],
        "resources": {
            "requests": {"cpu": "50m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "kubeconfig", "mountPath": CONFIG_FOLDER, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    return {
        "serviceAccountName": name,
        "restartPolicy": "Never",
        "securityContext": POD_SECURITY,
        "containers": [container],
        "volumes": [
            {"name": "kubeconfig", "configMap": {"name": name}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    }
