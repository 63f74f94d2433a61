"""The spec: the fields with which people describe one Ray cluster.

Keys are camelCase, as in Kubernetes manifests. `taskCpus` is Ray's `num-cpus`, the CPUs offered to
tasks; `cpu` is what a pod requests, `cpuLimit` what it may use at most.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from raykit import versions
from raykit.spec.fields import (
    AnnotationKey,
    ClusterName,
    Count,
    Env,
    GroupName,
    Image,
    KubeRayVersion,
    Labels,
    LabelValue,
    NamespaceName,
    ObjectName,
    Part,
    Quantity,
    RayVersion,
)
from raykit.spec.parts import (
    Auth,
    Autoscaling,
    Container,
    EnvFrom,
    Job,
    Monitoring,
    NetworkPolicy,
    Toleration,
    TopologySpread,
    Volume,
)

NVIDIA = "nvidia.com/gpu"


class Pods(Part):
    """The fields that the head and each worker group have for their pods."""

    cpu: Quantity | None = None
    """CPUs that each pod requests. [default: the task CPUs, at least 1]"""
    cpu_limit: Quantity | None = None
    """CPUs that each pod may use at most. Without it there is no limit; a limit slows tasks down
    even on an idle Kubernetes node."""
    memory: Quantity
    """Memory that each pod requests and may use at most; one value, since Kubernetes cannot take
    memory back."""
    shared_memory: Quantity | None = None
    """Size of /dev/shm for Ray's object store; it counts as memory. [default: 30 % of memory,
    Ray's own share]"""
    tmp_storage: Quantity = "10Gi"
    """Size of /tmp: Ray's logs, spilled objects, packages. Bounded, so that they cannot fill the
    Kubernetes node."""
    ephemeral_storage: Quantity | None = None
    """Local disk that each pod requests and may use at most, /tmp included; without it, no
    limit."""
    gpu: Annotated[int, Field(ge=1, le=64)] | None = None
    """GPUs of each pod; sets the resource, Ray's num-gpus, and the toleration that clouds use."""
    gpu_resource: str = NVIDIA
    """Name of the GPU's resource, such as amd.com/gpu."""
    accelerators: dict[str, Annotated[int, Field(ge=1, le=1024)]] = {}
    """Other accelerators of each pod by resource, such as google.com/tpu: 4; sets tolerations,
    too."""
    env: Env = {}
    """Environment variables of the Ray container."""
    env_from: list[EnvFrom] = []
    """Environment variables from Secrets and ConfigMaps."""
    volumes: list[Volume] = []
    """Volumes of the Ray container besides /dev/shm and /tmp."""
    node_selector: Labels = {}
    """Labels that a Kubernetes node must have."""
    tolerations: list[Toleration] = []
    """Taints that these pods tolerate."""
    affinity: dict[str, Any] = {}
    """A Kubernetes affinity, as in a pod's spec."""
    topology_spread: list[TopologySpread] = []
    """Spread the pods over zones or Kubernetes nodes."""
    priority_class: ObjectName | None = None
    """PriorityClass of the pods."""
    service_account: ObjectName | None = None
    """ServiceAccount of the pods, such as one with access to a bucket; its token is not mounted."""
    labels: Labels = {}
    """Further labels of the pods."""
    annotations: dict[AnnotationKey, str] = {}
    """Annotations of the pods."""
    init_containers: list[Container] = []
    """Containers that run before Ray starts."""
    sidecars: list[Container] = []
    """Containers beside the Ray container."""
    ray_start_params: dict[str, str] = {}
    """Further options of `ray start`, without the dashes; values are texts."""
    resources: dict[str, Annotated[float, Field(gt=0, le=1e9)]] = {}
    """Custom resources that each Ray node offers to tasks, by name."""
    ray_labels: Labels = {}
    """Labels of the Ray nodes, for scheduling by label."""
    patch: dict[str, Any] = {}
    """Last resort: fields merged into the rendered pod template. Lists of named items merge by
    name; null removes a key."""


class Head(Pods):
    """The head group."""

    task_cpus: Count | None = None
    """CPUs that the head offers to tasks: 0 if there are workers, else at least 1."""


class WorkerGroup(Pods):
    """A worker group: pods with the same fields; each is a Ray node."""

    name: GroupName
    """Name of the group."""
    task_cpus: Annotated[int, Field(ge=1, le=4096)] = 1
    """CPUs that each pod offers to tasks; with 1, one task at a time."""
    replicas: Count | None = None
    """Number of pods; leave it out if the autoscaler decides. [default: 1]"""
    min_replicas: Count = 0
    """Fewest pods that the autoscaler keeps; with 0, an idle group has none."""
    max_replicas: Count | None = None
    """Most pods that the autoscaler starts. [default: replicas]"""
    idle_timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """This group's own idle time-out, in place of the autoscaler's."""


class ClusterSpec(Part):
    """One Ray cluster."""

    name: ClusterName
    """Name of the RayCluster, at most 53 characters."""
    namespace: NamespaceName | None = None
    """Namespace. [default: that of --namespace, else the context's]"""
    ray_version: RayVersion = versions.RAY
    """Version of Ray in the image. KubeRay needs it to turn authentication on."""
    kuberay: KubeRayVersion = versions.KUBERAY
    """Version of KubeRay that the spec is checked against; by default the one that raykit
    installs."""
    image: Image | None = None
    """Image of the Ray pods. [default: raykit's own, which holds the jobs]"""
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"] | None = None
    """When kubelets pull the image. [default: IfNotPresent: a node that has the
    image asks no registry]"""
    pull_secrets: list[ObjectName] = []
    """Secrets with which kubelets log in to the registry."""
    auth: Auth = Auth()
    """Who may use Ray."""
    autoscaling: Autoscaling = Autoscaling()
    """Ray's autoscaler."""
    upgrade: Literal["Recreate", "None"] = "Recreate"
    """What a change of the spec does to running pods. Recreate: KubeRay replaces them, and running
    jobs are lost. None: they stay until you delete them."""
    suspend: bool = False
    """End all pods and keep the RayCluster."""
    queue: LabelValue | None = None
    """Kueue's LocalQueue that admits the cluster."""
    disruption_budget: bool = False
    """Render a PodDisruptionBudget: draining a Kubernetes node waits while the head runs on it. Off
    by default, since it holds up upgrades of nodes."""
    network_policy: NetworkPolicy = NetworkPolicy()
    """Which addresses may reach the pods, and which the pods may reach."""
    monitoring: Monitoring = Monitoring()
    """Metrics for Prometheus."""
    head: Head
    """The head group."""
    workers: list[WorkerGroup] = []
    """Worker groups; without any, the head runs the tasks."""
    jobs: list[Job] = []
    """Jobs that come with the cluster."""

    @property
    def task_cpus(self) -> int:
        """The CPUs that the cluster offers to tasks (p); with autoscaling, at its largest size."""
        replicas = most if self.autoscaling.enabled else wanted
        workers = sum(group.task_cpus * replicas(group) for group in self.workers)
        return head_task_cpus(self) + workers


def head_task_cpus(spec: ClusterSpec) -> int:
    """The head's `taskCpus`; 0 if it is left out."""
    return spec.head.task_cpus or 0


def wanted(group: WorkerGroup) -> int:
    """The number of replicas of a group without autoscaling."""
    return 1 if group.replicas is None else group.replicas


def most(group: WorkerGroup) -> int:
    """The largest number of replicas of a group."""
    return wanted(group) if group.max_replicas is None else group.max_replicas
