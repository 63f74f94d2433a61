"""The spec: what a person writes to describe one Ray cluster.

Keys are camelCase, as in Kubernetes manifests. `taskCpus` is Ray's `num-cpus`: the CPUs offered to
tasks, apart from what a pod requests (`cpu`) and may use (`cpuLimit`).
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from raykit import versions
from raykit.spec import names, quantity

"""Ray of raykit's own image, and of a spec that names none."""

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VERSION = re.compile(r"\d{1,4}\.\d{1,4}\.\d{1,4}", re.ASCII)
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}")


def _env_name(text: str) -> str:
    if not _ENV_NAME.fullmatch(text):
        raise ValueError(f'"{text}" is no name of an environment variable')
    return text


def _version(text: str) -> str:
    if not _VERSION.fullmatch(text):
        raise ValueError(f'"{text}" is no Ray version such as "{versions.RAY}"')
    return text


def _image(text: str) -> str:
    if not _IMAGE.fullmatch(text):
        raise ValueError(f'"{text}" is no image reference')
    return text


def _whole_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _quantity(text: str) -> str:
    quantity.parse(text)
    return text


Quantity = Annotated[str, AfterValidator(_quantity), BeforeValidator(_whole_as_text)]
Count = Annotated[int, Field(ge=0, le=100_000)]
Env = dict[Annotated[str, AfterValidator(_env_name)], str]
LabelKey = Annotated[str, AfterValidator(names.label_key)]
LabelValue = Annotated[str, AfterValidator(names.label_value)]


class Part(BaseModel):
    """What every part of a spec has in common: strict types, and no unknown key."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel)


class Toleration(Part):
    """A Kubernetes toleration, key by key."""

    key: str | None = None
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: Count | None = None


class Pods(Part):
    """What the head and each worker group say of their pods.

    cpu: requested, default the task CPUs and at least 1; cpu_limit: none unless given.
    memory: request and limit in one. shared_memory: size of `/dev/shm`, where Ray's object store
    lies; default 30 % of the memory. tmp_storage: size of `/tmp`: logs, spilled objects, packages.
    """

    cpu: Quantity | None = None
    cpu_limit: Quantity | None = None
    memory: Quantity
    shared_memory: Quantity | None = None
    tmp_storage: Quantity = "10Gi"
    env: Env = {}
    node_selector: dict[LabelKey, LabelValue] = {}
    tolerations: list[Toleration] = []


class Head(Pods):
    """The head group. task_cpus: 0 where there are workers, else at least 1."""

    task_cpus: Count | None = None


class WorkerGroup(Pods):
    """A worker group: `replicas` pods alike, each a Ray node with `task_cpus` CPUs for tasks.

    replicas: default 1; not given where Ray's autoscaler decides. max_replicas: default replicas.
    """

    name: Annotated[str, AfterValidator(names.group_name)]
    task_cpus: Annotated[int, Field(ge=1, le=4096)] = 1
    replicas: Count | None = None
    min_replicas: Count = 0
    max_replicas: Count | None = None


class Auth(Part):
    """Who may speak to Ray. mode: `token` (default) or `disabled`."""

    mode: Literal["token", "disabled"] = "token"


class Autoscaling(Part):
    """Ray's autoscaler. idle_timeout_seconds: default 60."""

    enabled: bool = False
    idle_timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None


class ClusterSpec(Part):
    """One Ray cluster. image: none means raykit's own, which carries the jobs."""

    name: Annotated[str, AfterValidator(names.cluster_name)]
    namespace: Annotated[str, AfterValidator(names.namespace_name)] | None = None
    ray_version: Annotated[str, AfterValidator(_version)] = versions.RAY
    image: Annotated[str, AfterValidator(_image)] | None = None
    auth: Auth = Auth()
    autoscaling: Autoscaling = Autoscaling()
    head: Head
    workers: list[WorkerGroup] = []

    @property
    def task_cpus(self) -> int:
        """p: the CPUs offered to tasks; with autoscaling, the most there can be."""
        replicas = most if self.autoscaling.enabled else wanted
        return head_task_cpus(self) + sum(each.task_cpus * replicas(each) for each in self.workers)


def head_task_cpus(spec: ClusterSpec) -> int:
    """Task CPUs of the head: none unless it says so."""
    return spec.head.task_cpus or 0


def wanted(group: WorkerGroup) -> int:
    """Replicas of a group that no autoscaler moves."""
    return 1 if group.replicas is None else group.replicas


def most(group: WorkerGroup) -> int:
    """Replicas that a group may grow to."""
    return wanted(group) if group.max_replicas is None else group.max_replicas
