"""Parts of a spec: placement, volumes, authentication, autoscaling, network, monitoring, jobs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from raykit.spec.fields import (
    Cidr,
    Count,
    Duration,
    Env,
    Image,
    JobName,
    LabelKey,
    Labels,
    MountPath,
    NamespaceName,
    ObjectName,
    Part,
    Quantity,
    Seconds,
    VolumeName,
)


class Toleration(Part):
    """A Kubernetes toleration, with the same keys."""

    key: str | None = None
    """Key of the taint; without it, and with operator Exists, any taint."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """Equal: the taint's value must be equal. Exists: any value."""
    value: str | None = None
    """The taint's value, with operator Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; without it, any effect."""
    toleration_seconds: Count | None = None
    """Seconds to stay on a node after a NoExecute taint appears; without it, for ever."""


class TopologySpread(Part):
    """Spread a group's pods over zones or Kubernetes nodes."""

    topology_key: LabelKey = "kubernetes.io/hostname"
    """Label of Kubernetes nodes; pods are spread over its values."""
    max_skew: Annotated[int, Field(ge=1, le=1000)] = 1
    """The most pods that one value may have more than another."""
    when_unsatisfiable: Literal["ScheduleAnyway", "DoNotSchedule"] = "ScheduleAnyway"
    """Whether a pod that would break the spread is still placed. With ScheduleAnyway a small
    cluster still starts."""


class EnvFrom(Part):
    """Environment variables from a Secret or a ConfigMap: exactly one of the two."""

    secret: ObjectName | None = None
    """Name of a Secret of the namespace; every key becomes a variable."""
    config_map: ObjectName | None = None
    """Name of a ConfigMap of the namespace; every key becomes a variable."""
    prefix: str = ""
    """Text put before each variable's name."""


class CsiVolume(Part):
    """A volume that a storage driver mounts into the pod, such as a bucket."""

    driver: str
    """The driver's name, such as gcsfuse.csi.storage.gke.io."""
    attributes: dict[str, str] = {}
    """The driver's own settings, such as bucketName."""


class Volume(Part):
    """A volume of the Ray container, with exactly one source."""

    name: VolumeName
    """Name of the volume in the pod."""
    mount_path: MountPath
    """Path in the container."""
    read_only: bool = False
    """Mount it read-only."""
    claim: ObjectName | None = None
    """Source: a PersistentVolumeClaim of the namespace, such as a data cache."""
    secret: ObjectName | None = None
    """Source: a Secret of the namespace."""
    config_map: ObjectName | None = None
    """Source: a ConfigMap of the namespace."""
    scratch: Quantity | None = None
    """Source: an empty volume of this size on the Kubernetes node; it is deleted with the pod."""
    csi: CsiVolume | None = None
    """Source: a storage driver, such as a read-only mount of a bucket."""


class Auth(Part):
    """Who may use Ray."""

    mode: Literal["token", "disabled"] = "token"
    """token: the head asks for a token. disabled: anyone who reaches the head can run code."""
    secret_name: ObjectName | None = None
    """A Secret with the token under the key auth_token. [default: KubeRay makes one]"""


class Autoscaling(Part):
    """Ray's autoscaler (version 2)."""

    enabled: bool = False
    """Let Ray start and end workers according to its tasks. Off by default: runs on a fixed size
    can be compared."""
    idle_timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """Seconds without work after which a worker ends. [default: 60, KubeRay's own]"""
    upscaling_mode: Literal["Default", "Aggressive", "Conservative"] | None = None
    """How fast workers are added. [default: KubeRay's own]"""
    cpu: Quantity = "100m"
    """CPUs that the autoscaler's container requests; it waits most of the time."""
    memory: Quantity = "512Mi"
    """Memory that the autoscaler's container requests and may use at most. 512Mi is KubeRay's
    own."""


class AllowedEgress(Part):
    """Addresses that the cluster's pods may reach."""

    cidr: Cidr
    """Range of addresses."""
    ports: list[Annotated[int, Field(ge=1, le=65535)]] = []
    """TCP ports. [default: all]"""


class AllowedClient(Part):
    """Pods of another namespace that may reach the head's dashboard and client ports."""

    namespace: NamespaceName
    """Their namespace."""
    pod_labels: Labels = {}
    """Labels that they must have. [default: all pods of the namespace]"""


class NetworkPolicy(Part):
    """NetworkPolicies that let in only the cluster itself, the operator and the named clients."""

    enabled: bool = False
    """Render them. They work only if the cluster's network plugin enforces NetworkPolicy. Off by
    default, since the addresses of your API server and data are yours to name."""
    operator_namespace: NamespaceName = "ray-system"
    """Namespace of KubeRay's operator, whose pods request the head's dashboard; by default where
    `raykit kind up` installs it."""
    api_server: list[Cidr] = []
    """Addresses of the API server, such as 10.0.0.1/32. raykit reaches the head through its
    service proxy, and the autoscaler uses it."""
    clients: list[AllowedClient] = []
    """Further pods that may reach the head."""
    egress: list[AllowedEgress] = []
    """Addresses that pods may reach besides each other and DNS, such as a data source."""
    open_egress: bool = False
    """Let pods reach any address; `egress` is then not needed."""


class Monitoring(Part):
    """A PodMonitor for Prometheus' operator."""

    enabled: bool = False
    """Render the PodMonitor. The Kubernetes cluster must have that resource."""
    interval: Duration = "30s"
    """Time between two scrapes. 30s is Prometheus Operator's own."""
    labels: Labels = {}
    """Labels by which your Prometheus selects its monitors, such as release: prometheus."""


class Job(Part):
    """A job that comes with the cluster: a RayJob, which runs once for each content."""

    name: JobName
    """Name within the cluster. The RayJob's name is CLUSTER-NAME-HASH with a hash of its content,
    so that a changed job runs again and an unchanged one does not."""
    job: str | None = None
    """One of raykit's jobs, such as fib."""
    entrypoint: list[str] | None = None
    """A command instead of `job`, word by word."""
    arguments: list[str] = []
    """Options for the job, word by word."""
    env: Env = {}
    """Environment variables of the job."""
    own_cluster: bool = False
    """Run it on a cluster of its own, which ends with the job, instead of on this cluster."""
    deadline_seconds: Seconds | None = None
    """Seconds after which KubeRay ends the job."""
    start_deadline_seconds: Seconds | None = None
    """Seconds within which the job must start."""
    ttl_seconds: Count | None = None
    """Seconds for which a finished RayJob with a cluster of its own stays, so that its result can
    be collected. [default: 86400, a day] Without a cluster of its own it stays until it is
    deleted."""


class Container(Part):
    """Another container of the pod. raykit adds a security context that passes Pod Security
    `restricted`."""

    name: VolumeName
    """Its name."""
    image: Image
    """Its image."""
    spec: dict[str, Any] = {}
    """Further fields of a Kubernetes container, such as command, env, resources."""
