"""Render the pod templates of the head and the worker groups.

Every pod that KubeRay makes from them passes Pod Security `restricted`. KubeRay copies the Ray
container's security context, environment and mounts to the init container that it adds to workers.
"""

from __future__ import annotations

from raykit.manifests.metadata import labels
from raykit.manifests.patching import merged
from raykit.manifests.placement import accelerators, placement
from raykit.manifests.ray_environment import FIXED_SIZE, RAY_ENVIRONMENT
from raykit.objects import Object
from raykit.spec.model import ClusterSpec, Pods, WorkerGroup, head_task_cpus
from raykit.spec.parts import Container, EnvFrom, Volume
from raykit.spec.rules import memory

USER = 1000
# Ray drains for 30 s after SIGTERM; Kubernetes must not kill it during that time.
GRACE_SECONDS = 60
SHM, TMP, LOGS, API_TOKEN = "shared-memory", "tmp", "ray-logs", "autoscaler-token"
API_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"

# Do not set RAY_BACKEND_LOG_LEVEL: every process would print a line about it.
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
# KubeRay's own probe begins 10 s after the start, but Ray is up sooner. On the head this path also
# shows the health of the GCS.
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
    """The head's pod template. Only the autoscaler's container gets the API token."""
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
        **_start_params(spec.head, head_task_cpus(spec)),
    }


def worker_start_params(group: WorkerGroup) -> dict[str, str]:
    """A worker's `ray start` options."""
    return _start_params(group, group.task_cpus)


def _start_params(pods: Pods, task_cpus: int) -> dict[str, str]:
    # KubeRay takes numbers from one place only: with custom resources, from `resources`.
    counts = {} if pods.resources else _counts(pods, task_cpus)
    options = {"CPU": "num-cpus", "GPU": "num-gpus"}
    return {
        **{options[name]: count for name, count in counts.items()},
        "object-store-memory": str(memory.object_store_bytes(pods)),
        **dict(sorted(pods.ray_start_params.items())),
    }


def _counts(pods: Pods, task_cpus: int) -> dict[str, str]:
    """The numbers that every Ray node offers, by Ray's names."""
    gpus = {} if pods.gpu is None else {"GPU": str(pods.gpu)}
    return {"CPU": str(task_cpus), **gpus}


def ray_offers(pods: Pods, task_cpus: int) -> Object:
    """Resources and labels of a group's Ray nodes, in KubeRay's own fields."""
    offers: Object = {}
    if pods.ray_labels:
        offers["labels"] = dict(sorted(pods.ray_labels.items()))
    if pods.resources:
        custom = {name: f"{amount:g}" for name, amount in sorted(pods.resources.items())}
        offers["resources"] = {**_counts(pods, task_cpus), **custom}
    return offers


def autoscaler_options(spec: ClusterSpec, pull_policy: str) -> Object:
    """KubeRay's options for the autoscaler's container in the head's pod."""
    mode = spec.autoscaling.upscaling_mode
    upscaling = {} if mode is None else {"upscalingMode": mode}
    options: Object = {
        "version": "v2",
        "idleTimeoutSeconds": spec.autoscaling.idle_timeout_seconds or 60,
        **upscaling,
        "imagePullPolicy": pull_policy,
        "resources": {
            "limits": {"memory": spec.autoscaling.memory},
            "requests": {"cpu": spec.autoscaling.cpu, "memory": spec.autoscaling.memory},
        },
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": TMP, "mountPath": "/tmp"},
            {"name": API_TOKEN, "mountPath": API_TOKEN_PATH, "readOnly": True},
        ],
    }
    if spec.auth.mode == "disabled":
        options["env"] = [{"name": "RAY_AUTH_MODE", "value": "disabled"}]
    return options


def head_cpu(spec: ClusterSpec) -> str:
    """CPUs that the head's pod requests."""
    return spec.head.cpu or str(max(1, head_task_cpus(spec)))


def worker_cpu(group: WorkerGroup) -> str:
    """CPUs that each pod of a group requests."""
    return group.cpu or str(group.task_cpus)


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
        **({"envFrom": [_env_from(source) for source in pods.env_from]} if pods.env_from else {}),
        **container,
    }
    pod: Object = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _pod_security(pods),
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "containers": [container, *(_beside(sidecar) for sidecar in pods.sidecars)],
        "volumes": volumes,
    }
    if pods.init_containers:
        pod["initContainers"] = [_beside(other) for other in pods.init_containers]
    if spec.autoscaling.enabled:
        pod["restartPolicy"] = "Never"
    if spec.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in spec.pull_secrets]
    if pods.priority_class is not None:
        pod["priorityClassName"] = pods.priority_class
    if pods.service_account is not None:
        pod["serviceAccountName"] = pods.service_account
    metadata: Object = {"labels": {**labels(spec), **dict(sorted(pods.labels.items()))}}
    if pods.annotations:
        metadata["annotations"] = dict(sorted(pods.annotations.items()))
    return merged({"metadata": metadata, "spec": {**pod, **placement(spec, pods)}}, pods.patch)


def _pod_security(pods: Pods) -> Object:
    if not any(volume.claim for volume in pods.volumes):
        return POD_SECURITY
    # A new disk belongs to root; fsGroup makes it writable for Ray's user.
    return {**POD_SECURITY, "fsGroup": USER, "fsGroupChangePolicy": "OnRootMismatch"}


def _beside(other: Container) -> Object:
    """Another container of the pod, with the Ray container's security context as default."""
    own = {"name": other.name, "image": other.image, **other.spec}
    given = own.get("securityContext", {})
    # Anything but a mapping is left to KubeRay's schema, which refuses it.
    security = {**CONTAINER_SECURITY, **given} if isinstance(given, dict) else given
    return {**own, "securityContext": security}


def _container(name: str, pods: Pods, cpu: str, ports: dict[str, int]) -> Object:
    disk = {} if pods.ephemeral_storage is None else {"ephemeral-storage": pods.ephemeral_storage}
    extended = {name: str(count) for name, count in sorted(accelerators(pods).items())}
    limits = {"memory": pods.memory, **disk, **extended}
    if pods.cpu_limit is not None:
        limits = {"cpu": pods.cpu_limit, **limits}
    requests = {"cpu": cpu, "memory": pods.memory, **disk, **extended}
    return {
        "name": name,
        # The API server would add the protocol; written here, a comparison shows no difference.
        "ports": [
            {"name": port, "containerPort": number, "protocol": "TCP"}
            for port, number in ports.items()
        ],
        "resources": {"limits": limits, "requests": requests},
        **PROBES,
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": SHM, "mountPath": "/dev/shm"},
            {"name": TMP, "mountPath": "/tmp"},
            *(_mount(volume) for volume in pods.volumes),
        ],
    }


def _env(spec: ClusterSpec, pods: Pods) -> list[Object]:
    fixed = {} if spec.autoscaling.enabled else FIXED_SIZE
    values = {**QUIET_AND_FAIR, **fixed, **pods.env}
    if spec.auth.mode == "disabled":
        # Without this variable a plain ray.init() turns token mode on.
        values["RAY_AUTH_MODE"] = "disabled"
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


def _env_from(source: EnvFrom) -> Object:
    prefix = {"prefix": source.prefix} if source.prefix else {}
    if source.secret is not None:
        return {**prefix, "secretRef": {"name": source.secret}}
    return {**prefix, "configMapRef": {"name": source.config_map}}


def _mount(volume: Volume) -> Object:
    read_only = {"readOnly": True} if volume.read_only else {}
    return {"name": volume.name, "mountPath": volume.mount_path, **read_only}


def _volume(volume: Volume) -> Object:
    if volume.claim is not None:
        source: Object = {"persistentVolumeClaim": {"claimName": volume.claim}}
    elif volume.secret is not None:
        source = {"secret": {"secretName": volume.secret}}
    elif volume.config_map is not None:
        source = {"configMap": {"name": volume.config_map}}
    elif volume.csi is not None:
        attributes = dict(sorted(volume.csi.attributes.items()))
        read_only = {"readOnly": True} if volume.read_only else {}
        source = {"csi": {"driver": volume.csi.driver, **read_only, "volumeAttributes": attributes}}
    else:
        source = {"emptyDir": {"sizeLimit": volume.scratch}}
    return {"name": volume.name, **source}


def _volumes(pods: Pods) -> list[Object]:
    shm = {"medium": "Memory", "sizeLimit": memory.shared_memory(pods)}
    own = [{"name": SHM, "emptyDir": shm}, _disk(TMP, pods.tmp_storage)]
    return own + [_volume(volume) for volume in pods.volumes]


def _disk(name: str, size: str) -> Object:
    return {"name": name, "emptyDir": {"sizeLimit": size}}


def _api_token() -> Object:
    sources: list[Object] = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    return {"name": API_TOKEN, "projected": {"sources": sources}}
