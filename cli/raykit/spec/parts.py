"""Parts of a spec that say where pods run, what they mount, and what else belongs to a cluster."""

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
    """A Kubernetes toleration, key by key."""

    key: str | None = None
    """Taint that is tolerated; left out, with operator Exists, any."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """Whether the taint's value counts."""
    value: str | None = None
    """The taint's value, with operator Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; left out, any."""
    toleration_seconds: Count | None = None
    """Seconds to stay on a node after a NoExecute taint appears; left out, for ever."""


class TopologySpread(Part):
    """Spread a group's pods over zones or Kubernetes nodes."""

    topology_key: str = "kubernetes.io/hostname"
    """Node label whose values are the places to spread over."""
    max_skew: Annotated[int, Field(ge=1, le=1000)] = 1
    """Most pods by which one place may be ahead of another."""
    when_unsatisfiable: Literal["ScheduleAnyway", "DoNotSchedule"] = "ScheduleAnyway"
    """Whether a pod that would break the spread is still placed. ScheduleAnyway, so that a small
    cluster still starts."""


class EnvFrom(Part):
    """Environment variables from a Secret or a ConfigMap: exactly one of the two."""

    secret: ObjectName | None = None
    """Name of a Secret of the namespace; every key becomes a variable."""
    config_map: ObjectName | None = None
    """Name of a ConfigMap of the namespace; every key becomes a variable."""
    prefix: str = ""
    """Put before each variable's name."""


class CsiVolume(Part):
    """A volume that a storage driver mounts into the pod, such as a bucket."""

    driver: str
    """The driver's name, such as gcsfuse.csi.storage.gke.io."""
    attributes: dict[str, str] = {}
    """The driver's own settings, such as bucketName."""


class Volume(Part):
    """Something mounted into the Ray container: exactly one source."""

    name: VolumeName
    """Name of the volume in the pod."""
    mount_path: MountPath
    """Where it is mounted."""
    read_only: bool = False
    """Mount it read-only."""
    claim: ObjectName | None = None
    """Source: a PersistentVolumeClaim of the namespace, such as a data cache."""
    secret: ObjectName | None = None
    """Source: a Secret of the namespace."""
    config_map: ObjectName | None = None
    """Source: a ConfigMap of the namespace."""
    scratch: Quantity | None = None
    """Source: empty space on the Kubernetes node of this size, gone with the pod."""
    csi: CsiVolume | None = None
    """Source: a storage driver, such as a read-only mount of a bucket."""


class Auth(Part):
    """Who may speak to Ray."""

    mode: Literal["token", "disabled"] = "token"
    """token: a token guards the head: anyone who reaches it can run code. disabled: no guard."""
    secret_name: ObjectName | None = None
    """An existing Secret whose key auth_token holds the token; left out, KubeRay makes one."""


class Autoscaling(Part):
    """Ray's autoscaler (version 2)."""

    enabled: bool = False
    """Let Ray start and end workers as tasks ask for them."""
    idle_timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """Seconds without work after which a worker ends. [default: 60]"""
    upscaling_mode: Literal["Default", "Aggressive", "Conservative"] | None = None
    """How many workers are asked for at once; left out, KubeRay's own default."""
    cpu: Quantity = "100m"
    """CPUs that the autoscaler's container requests."""
    memory: Quantity = "512Mi"
    """Memory that the autoscaler's container requests and may use."""


class AllowedEgress(Part):
    """Addresses that the cluster's pods may reach."""

    cidr: Cidr
    """Range of addresses."""
    ports: list[Annotated[int, Field(ge=1, le=65535)]] = []
    """TCP ports; left out, all."""


class AllowedClient(Part):
    """Pods of another namespace that may reach the head's dashboard and client ports."""

    namespace: NamespaceName
    """Their namespace."""
    pod_labels: Labels = {}
    """Labels that they carry; left out, all pods of the namespace."""


class NetworkPolicy(Part):
    """Plain NetworkPolicies: only the cluster itself, the operator and what is named get in."""

    enabled: bool = False
    """Render them. They act where the cluster's network plugin enforces NetworkPolicy."""
    operator_namespace: NamespaceName = "ray-system"
    """Namespace of KubeRay's operator, whose pods ask the head's dashboard."""
    api_server: list[Cidr] = []
    """Addresses of the API server: its service proxy is how raykit reaches the head, and the
    autoscaler speaks to it."""
    clients: list[AllowedClient] = []
    """Further pods that may reach the head."""
    egress: list[AllowedEgress] = []
    """Addresses that pods may reach besides each other and DNS, such as a data source."""
    open_egress: bool = False
    """Let pods reach any address; then `egress` has nothing to add."""


class Monitoring(Part):
    """A PodMonitor for Prometheus' operator."""

    enabled: bool = False
    """Render it. The cluster must have the PodMonitor resource."""
    interval: Duration = "30s"
    """Time between two scrapes."""
    labels: Labels = {}
    """Labels by which your Prometheus selects its monitors, such as release: prometheus."""


class Job(Part):
    """A job that comes with the cluster: a RayJob, run once for each content."""

    name: JobName
    """Name within the cluster. The RayJob's is CLUSTER-NAME-HASH, so that a change runs it again
    and a repetition does not."""
    job: str | None = None
    """One of raykit's jobs, such as fib."""
    entrypoint: list[str] | None = None
    """Or a command, word by word."""
    arguments: list[str] = []
    """Options for the job, word by word."""
    env: Env = {}
    """Environment variables of the job."""
    own_cluster: bool = False
    """Run it on a cluster of its own, which ends with it, instead of on this spec's."""
    deadline_seconds: Seconds | None = None
    """Seconds after which the job is ended."""
    start_deadline_seconds: Seconds | None = None
    """Seconds within which the job must have begun to run."""
    ttl_seconds: Count | None = None
    """Seconds for which a finished RayJob with a cluster of its own stays, so that its result can
    be collected. [default: 86400, a day] On the spec's cluster it stays until it is deleted."""


class Container(Part):
    """Another container of the pod. Fields are Kubernetes' own; raykit adds a security context
    that Pod Security `restricted` takes."""

    name: VolumeName
    """Its name."""
    image: Image
    """Its image."""
    spec: dict[str, Any] = {}
    """Further fields of a Kubernetes container, such as command, env, resources."""
