"""Pod templates: what the head and each worker group look like to Kubernetes.

Written so that every pod KubeRay makes of them passes Pod Security `restricted`. KubeRay copies the
Ray container's security context, environment and mounts to the init container it adds to workers.
"""

from __future__ import annotations

from raykit.manifests.ray_environment import RAY_ENVIRONMENT
from raykit.objects import Object
from raykit.spec import memory, names
from raykit.spec.model import ClusterSpec, Pods, WorkerGroup, head_task_cpus

USER = 1000
# Ray drains for 30 s after SIGTERM; Kubernetes must not kill it meanwhile.
GRACE_SECONDS = 60
SHM, TMP, LOGS, API_TOKEN = "shared-memory", "tmp", "ray-logs", "autoscaler-token"
API_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"

# Not RAY_BACKEND_LOG_LEVEL: each process that finds it set prints a line to say so.
QUIET_AND_FAIR = {**RAY_ENVIRONMENT, "RAY_DATA_DISABLE_PROGRESS_BARS": "1"}

CONTAINER_SECURITY: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
POD_SECURITY: Object = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
# KubeRay's own probe first looks ten seconds after the start; Ray is up sooner. On the head the
# path answers for the GCS as well.
HEALTH: Object = {"path": "/api/healthz", "port": 52365}
PROBES: Object = {
    "startupProbe": {
        "httpGet": HEALTH,
        "periodSeconds": 1,
        "timeoutSeconds": 5,
        "failureThreshold": 300,
    },
    "readinessProbe": {
        "httpGet": HEALTH,
        "periodSeconds": 5,
        "timeoutSeconds": 5,
        "failureThreshold": 10,
    },
}
HEAD_PORTS = {"gcs-server": 6379, "dashboard": 8265, "metrics": 8080}
WORKER_PORTS = {"metrics": 8080}


def head_template(spec: ClusterSpec, image: str, pull_policy: str) -> Object:
    """The head's pod template. The autoscaler's token is mounted for its own container only."""
    container = _container("ray-head", spec.head, head_cpu(spec), HEAD_PORTS)
    volumes = _volumes(spec.head)
    if spec.autoscaling.enabled:
        volumes += [_disk(LOGS, spec.head.tmp_storage), _api_token()]
    return _template(spec, spec.head, container, volumes, image, pull_policy)


def worker_template(spec: ClusterSpec, group: WorkerGroup, image: str, pull_policy: str) -> Object:
    """The pod template of a worker group."""
    container = _container("ray-worker", group, worker_cpu(group), WORKER_PORTS)
    return _template(spec, group, container, _volumes(group), image, pull_policy)


def head_start_params(spec: ClusterSpec) -> dict[str, str]:
    """The head's `ray start` options; values are texts, as KubeRay wants them."""
    return {
        "dashboard-host": "0.0.0.0",
        "num-cpus": str(head_task_cpus(spec)),
        "object-store-memory": str(memory.object_store_bytes(spec.head)),
    }


def worker_start_params(group: WorkerGroup) -> dict[str, str]:
    """A worker's `ray start` options."""
    return {
        "num-cpus": str(group.task_cpus),
        "object-store-memory": str(memory.object_store_bytes(group)),
    }


def autoscaler_options(spec: ClusterSpec, pull_policy: str) -> Object:
    """What KubeRay makes the autoscaler's container of, in the head's pod."""
    options: Object = {
        "version": "v2",
        "idleTimeoutSeconds": spec.autoscaling.idle_timeout_seconds or 60,
        "imagePullPolicy": pull_policy,
        "resources": {"limits": {"memory": "512Mi"}, "requests": AUTOSCALER_REQUESTS},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": TMP, "mountPath": "/tmp"},
            {"name": API_TOKEN, "mountPath": API_TOKEN_PATH, "readOnly": True},
        ],
    }
    if spec.auth.mode == "disabled":
        options["env"] = [{"name": "RAY_AUTH_MODE", "value": "disabled"}]
    return options


AUTOSCALER_REQUESTS = {"cpu": "100m", "memory": "512Mi"}


def head_cpu(spec: ClusterSpec) -> str:
    """CPUs that the head's pod requests."""
    return spec.head.cpu or str(max(1, head_task_cpus(spec)))


def worker_cpu(group: WorkerGroup) -> str:
    """CPUs that each pod of a group requests."""
    return group.cpu or str(group.task_cpus)


def labels(spec: ClusterSpec) -> dict[str, str]:
    """What marks an object as raykit's and as this cluster's.

    Not `app.kubernetes.io/name` nor `created-by`: KubeRay's head service selects pods by them.
    """
    return {
        names.INSTANCE_LABEL: spec.name,
        names.MANAGED_BY_LABEL: names.MANAGED_BY,
        names.CLUSTER_LABEL: spec.name,
    }


def _template(
    spec: ClusterSpec,
    pods: Pods,
    container: Object,
    volumes: list[Object],
    image: str,
    pull_policy: str,
) -> Object:
    container = {
        "name": container["name"],
        "image": spec.image or image,
        "imagePullPolicy": pull_policy,
        "env": _env(spec, pods),
        **container,
    }
    pod: Object = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": POD_SECURITY,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "containers": [container],
        "volumes": volumes,
    }
    if spec.autoscaling.enabled:
        pod["restartPolicy"] = "Never"
    if pods.node_selector:
        pod["nodeSelector"] = dict(sorted(pods.node_selector.items()))
    if pods.tolerations:
        pod["tolerations"] = [
            each.model_dump(by_alias=True, exclude_none=True) for each in pods.tolerations
        ]
    return {"metadata": {"labels": labels(spec)}, "spec": pod}


def _container(name: str, pods: Pods, cpu: str, ports: dict[str, int]) -> Object:
    limits = {"memory": pods.memory}
    if pods.cpu_limit is not None:
        limits = {"cpu": pods.cpu_limit, **limits}
    return {
        "name": name,
        "ports": [{"name": port, "containerPort": number} for port, number in ports.items()],
        "resources": {"limits": limits, "requests": {"cpu": cpu, "memory": pods.memory}},
        **PROBES,
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": SHM, "mountPath": "/dev/shm"},
            {"name": TMP, "mountPath": "/tmp"},
        ],
    }


def _env(spec: ClusterSpec, pods: Pods) -> list[Object]:
    merged = {**QUIET_AND_FAIR, **pods.env}
    if spec.auth.mode == "disabled":
        # Left unset, a plain ray.init() turns token mode on by itself.
        merged["RAY_AUTH_MODE"] = "disabled"
    return [{"name": name, "value": value} for name, value in sorted(merged.items())]


def _volumes(pods: Pods) -> list[Object]:
    shm = {"medium": "Memory", "sizeLimit": memory.shared_memory(pods)}
    return [{"name": SHM, "emptyDir": shm}, _disk(TMP, pods.tmp_storage)]


def _disk(name: str, size: str) -> Object:
    return {"name": name, "emptyDir": {"sizeLimit": size}}


def _api_token() -> Object:
    sources: list[Object] = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    return {"name": API_TOKEN, "projected": {"sources": sources}}
