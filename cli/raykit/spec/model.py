"""The spec: what a person writes to describe one Ray cluster.

Keys are camelCase, as in Kubernetes manifests. `taskCpus` is Ray's `num-cpus`: the CPUs offered to
tasks, apart from what a pod requests (`cpu`) and may use (`cpuLimit`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from raykit import versions
from raykit.spec.fields import (
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
    """What the head and each worker group say of their pods."""

    cpu: Quantity | None = None
    """CPUs that each pod requests. [default: the task CPUs, at least 1]"""
    cpu_limit: Quantity | None = None
    """CPUs that each pod may use; left out, no limit: a limit slows tasks down on an idle node."""
    memory: Quantity
    """Memory that each pod requests and may use: one value, since memory cannot be taken back."""
    shared_memory: Quantity | None = None
    """Size of /dev/shm, where Ray's object store lies; a part of memory. [default: 30 % of it]"""
    tmp_storage: Quantity = "10Gi"
    """Size of /tmp: Ray's logs, spilled objects, packages."""
    ephemeral_storage: Quantity | None = None
    """Local disk that each pod requests and may use, /tmp included; left out, no bound."""
    gpu: Annotated[int, Field(ge=1, le=64)] | None = None
    """GPUs of each pod: gives the resource, Ray's num-gpus, and the toleration that clouds use."""
    gpu_resource: str = NVIDIA
    """Resource that a GPU is, such as amd.com/gpu."""
    accelerators: dict[str, Annotated[int, Field(ge=1, le=1024)]] = {}
    """Other accelerators of each pod by resource, such as google.com/tpu: 4; each is tolerated."""
    env: Env = {}
    """Environment variables of the Ray container."""
    env_from: list[EnvFrom] = []
    """Environment variables from Secrets and ConfigMaps."""
    volumes: list[Volume] = []
    """What is mounted into the Ray container besides /dev/shm and /tmp."""
    node_selector: Labels = {}
    """Labels that a Kubernetes node must have."""
    tolerations: list[Toleration] = []
    """Taints that do not keep these pods away."""
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
    annotations: dict[str, str] = {}
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
    """Last resort: merged into the pod template after everything else. Lists of named things
    merge by name, null removes a key."""


class Head(Pods):
    """The head group."""

    task_cpus: Count | None = None
    """CPUs that the head offers to tasks: 0 where there are workers, else at least 1."""


class WorkerGroup(Pods):
    """A worker group: pods alike, each a Ray node."""

    name: GroupName
    """Name of the group."""
    task_cpus: Annotated[int, Field(ge=1, le=4096)] = 1
    """CPUs that each pod offers to tasks."""
    replicas: Count | None = None
    """Pods in the group; not given where the autoscaler decides. [default: 1]"""
    min_replicas: Count = 0
    """Fewest pods that the autoscaler keeps."""
    max_replicas: Count | None = None
    """Most pods that the autoscaler starts. [default: replicas]"""
    idle_timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """This group's own idle time-out, in place of the autoscaler's."""


class ClusterSpec(Part):
    """One Ray cluster."""

    name: ClusterName
    """Name of the RayCluster, at most 53 characters."""
    namespace: NamespaceName | None = None
    """Namespace; left out, that of the context or of --namespace."""
    ray_version: RayVersion = versions.RAY
    """Version of Ray in the image. KubeRay needs it to turn authentication on."""
    kuberay: KubeRayVersion = versions.KUBERAY
    """Version of KubeRay that the spec is checked against."""
    image: Image | None = None
    """Image of the Ray pods; left out, raykit's own, which carries the jobs."""
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"] | None = None
    """When kubelets pull it. [default: IfNotPresent]"""
    pull_secrets: list[ObjectName] = []
    """Secrets with which kubelets log in to the registry."""
    auth: Auth = Auth()
    """Who may speak to Ray."""
    autoscaling: Autoscaling = Autoscaling()
    """Ray's autoscaler."""
    upgrade: Literal["Recreate", "None"] = "Recreate"
    """What an edit does to running pods. Recreate: they are replaced, and running jobs are lost.
    None: they stay as they are until they are restarted."""
    suspend: bool = False
    """End all pods and keep the RayCluster."""
    queue: LabelValue | None = None
    """Kueue's LocalQueue that admits the cluster."""
    disruption_budget: bool = False
    """Render a PodDisruptionBudget: a drained Kubernetes node waits while the head runs on it."""
    network_policy: NetworkPolicy = NetworkPolicy()
    """Who may reach the pods, and whom they may reach."""
    monitoring: Monitoring = Monitoring()
    """Metrics for Prometheus."""
    head: Head
    """The head group."""
    workers: list[WorkerGroup] = []
    """Worker groups; without any, the head takes the tasks itself."""
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
