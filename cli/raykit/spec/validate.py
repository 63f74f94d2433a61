"""Rules over several fields: KubeRay's rules that its CRD's schema lacks, and raykit's own.

KubeRay has no admission webhook: the API server accepts an object that breaks its rules, and
KubeRay refuses it later in an event. This module repeats the rules of its `validation.go` (1.6.2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from raykit import versions
from raykit.spec import names, quantity
from raykit.spec.model import (
    ClusterSpec,
    Head,
    Pods,
    WorkerGroup,
    head_task_cpus,
    most,
    wanted,
)
from raykit.spec.parts import Toleration
from raykit.spec.problems import Path, Problem
from raykit.spec.rules import extras, images, jobs, pods
from raykit.spec.rules.memory import object_store_bytes, shared_memory

# Older versions of Ray have published vulnerabilities that let others into a cluster.
OLDEST_RAY = "2.56.0"
SMALLEST_OBJECT_STORE = 75 * quantity.MIB
_SMALL_HEAD, _SMALL_WORKER = 2 * quantity.GIB, quantity.GIB
LARGEST_NODE_CPUS = 1024

_SET_BY_KUBERAY = {
    "FQ_RAY_IP",
    "KUBERAY_GEN_RAY_START_CMD",
    "RAY_ADDRESS",
    "RAY_CLOUD_INSTANCE_ID",
    "RAY_CLUSTER_NAME",
    "RAY_CLUSTER_NAMESPACE",
    "RAY_IP",
    "RAY_NODE_TYPE_NAME",
    "RAY_PORT",
    "RAY_USAGE_STATS_EXTRA_TAGS",
}
_AUTH = {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ENABLE_K8S_TOKEN_AUTH"}
_REDIS = {"RAY_REDIS_ADDRESS", "REDIS_PASSWORD", "REDIS_USERNAME"}
_AUTOSCALER = {"RAY_enable_autoscaler_v2"}


def problems(spec: ClusterSpec) -> list[Problem]:
    """The problems of a spec whose single fields are valid."""
    result = [
        *_versions(spec),
        *_head(spec),
        *_group_names(spec),
        *_autoscaling(spec),
        *extras.problems(spec),
        *jobs.problems(spec),
    ]
    for path, part in each_pods(spec):
        result += [
            *_cpus(path, part),
            *_memory(path, part),
            *_env(path, part),
            *_placement(path, part),
            *pods.problems(path, part),
        ]
    for at, group in enumerate(spec.workers):
        result += _replicas(("workers", at), group, spec.autoscaling.enabled)
    return result


def warnings(spec: ClusterSpec) -> list[Problem]:
    """The warnings of a spec: values that are allowed but probably a mistake."""
    result = [*_doubts_of_cluster(spec), *extras.warnings(spec)]
    for path, part in each_pods(spec):
        result += [*_doubts_of_quantities(path, part), *_doubts_of_memory(path, part)]
    return result


def each_pods(spec: ClusterSpec) -> Iterator[tuple[Path, Pods]]:
    """The head and the worker groups, with their paths."""
    yield ("head",), spec.head
    for at, group in enumerate(spec.workers):
        yield ("workers", at), group


def _versions(spec: ClusterSpec) -> Iterator[Problem]:
    if _numbers(spec.ray_version) < _numbers(OLDEST_RAY):
        yield Problem(
            ("rayVersion",),
            f"Ray {spec.ray_version} has known vulnerabilities; the oldest without is {OLDEST_RAY}",
        )
    if spec.image is None:
        if spec.ray_version != versions.RAY:
            yield Problem(
                ("rayVersion",),
                f"raykit's own image holds Ray {versions.RAY}: say that, or name an image",
                involves=(("image",),),
            )
        return
    named = images.ray_version_of(spec.image)
    if named is not None and named != spec.ray_version:
        yield Problem(
            ("image",),
            f'its tag names Ray {named}, rayVersion is "{spec.ray_version}": make them equal',
            involves=(("rayVersion",),),
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _head(spec: ClusterSpec) -> Iterator[Problem]:
    path: Path = ("head", "taskCpus")
    if spec.workers and head_task_cpus(spec) > 0:
        yield Problem(
            path,
            "must be 0 or left out: with workers the head takes no tasks",
            involves=(("workers",),),
        )
    if not spec.workers and head_task_cpus(spec) == 0:
        yield Problem(
            path,
            "is required, at least 1: without workers only the head can take tasks",
            involves=(("workers",),),
        )


def _group_names(spec: ClusterSpec) -> Iterator[Problem]:
    counts = Counter(group.name for group in spec.workers)
    for at, group in enumerate(spec.workers):
        if counts[group.name] > 1:
            yield Problem(("workers", at, "name"), f'"{group.name}" names more than one group')


def _autoscaling(spec: ClusterSpec) -> Iterator[Problem]:
    scaling = spec.autoscaling
    if scaling.enabled and not spec.workers:
        yield Problem(
            ("autoscaling", "enabled"), "there are no workers to scale", involves=(("workers",),)
        )
    if not scaling.enabled and scaling.idle_timeout_seconds is not None:
        yield Problem(
            ("autoscaling", "idleTimeoutSeconds"),
            "has no effect without enabled: true",
            involves=(("autoscaling", "enabled"),),
        )


def _cpus(path: Path, part: Pods) -> Iterator[Problem]:
    for key, text in (("cpu", part.cpu), ("cpuLimit", part.cpu_limit)):
        if text is not None and quantity.parse(text) == 0:
            yield Problem((*path, key), "must be above 0")
    if part.cpu_limit is None:
        return
    limit = quantity.parse(part.cpu_limit)
    if part.cpu is not None and quantity.parse(part.cpu) > limit:
        yield Problem(
            (*path, "cpu"),
            f"the request {part.cpu} is above cpuLimit {part.cpu_limit}",
            involves=((*path, "cpuLimit"),),
        )
    offered = (part.task_cpus or 0) if isinstance(part, Head | WorkerGroup) else 0
    if offered > limit:
        yield Problem(
            (*path, "cpuLimit"),
            f"{offered} task CPUs are offered, but the pod may use {part.cpu_limit} only",
            involves=((*path, "taskCpus"),),
        )
    if part.cpu is None and quantity.parse(_requested(part)) > limit:
        yield Problem(
            (*path, "cpuLimit"),
            f"is below the request, which is {_requested(part)} where cpu is left out",
            involves=((*path, "cpu"), (*path, "taskCpus")),
        )


def _requested(part: Pods) -> str:
    if part.cpu is not None:
        return part.cpu
    offered = part.task_cpus if isinstance(part, Head | WorkerGroup) else None
    return str(max(1, offered or 0))


def _memory(path: Path, part: Pods) -> Iterator[Problem]:
    memory, shared = quantity.size(part.memory), quantity.size(shared_memory(part))
    if quantity.size(part.tmp_storage) == 0:
        yield Problem((*path, "tmpStorage"), "must be above 0")
    if part.shared_memory is not None and shared > memory:
        yield Problem(
            (*path, "sharedMemory"),
            f"{part.shared_memory} is above memory {part.memory}, of which it is a part",
            involves=((*path, "memory"),),
        )
    elif object_store_bytes(part) < SMALLEST_OBJECT_STORE:
        given = part.shared_memory is not None
        yield Problem(
            (*path, "sharedMemory" if given else "memory"),
            f"leaves {shared_memory(part)} for /dev/shm; Ray's object store needs 84Mi there",
            involves=((*path, "memory"), (*path, "sharedMemory")),
        )


def _env(path: Path, part: Pods) -> Iterator[Problem]:
    reasons = (
        (_SET_BY_KUBERAY, "KubeRay sets it"),
        (_AUTH, "authentication is set by auth.mode; a token has no place in a spec"),
        (_REDIS, "KubeRay refuses it without its GCS fault tolerance"),
        (_AUTOSCALER, "autoscaling.enabled sets it"),
    )
    for name in part.env:
        for reserved, why in reasons:
            if name in reserved:
                yield Problem((*path, "env", name), why)


def _placement(path: Path, part: Pods) -> Iterator[Problem]:
    for at, toleration in enumerate(part.tolerations):
        yield from _toleration((*path, "tolerations", at), toleration)


def _toleration(path: Path, toleration: Toleration) -> Iterator[Problem]:
    """Kubernetes' own rules for tolerations."""
    yield from _label((*path, "key"), toleration.key, names.label_key)
    if toleration.operator == "Equal":
        yield from _label((*path, "value"), toleration.value, names.label_value)
        if not toleration.key:
            yield Problem((*path, "key"), "is required, or operator: Exists for any key")
    elif toleration.value:
        yield Problem((*path, "value"), "has no place beside operator: Exists")
    if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
        yield Problem((*path, "tolerationSeconds"), "needs effect: NoExecute")


def _label(path: Path, text: str | None, rule: Callable[[str], str]) -> Iterator[Problem]:
    try:
        if text:
            rule(text)
    except ValueError as wrong:
        yield Problem(path, str(wrong))


def _replicas(path: Path, group: WorkerGroup, autoscaled: bool) -> Iterator[Problem]:
    least, largest = group.min_replicas, most(group)
    if autoscaled and group.replicas is not None:
        yield Problem(
            (*path, "replicas"),
            "the autoscaler decides it: give minReplicas and maxReplicas",
            involves=(("autoscaling",),),
        )
    if autoscaled and group.max_replicas is None:
        yield Problem(
            (*path, "maxReplicas"),
            "is required with autoscaling: left out, KubeRay sets no bound",
            involves=(("autoscaling",),),
        )
        return
    bounds = ((*path, "minReplicas"), (*path, "maxReplicas"), (*path, "replicas"))
    if least > largest:
        yield Problem(bounds[0], f"{least} is above maxReplicas {largest}", involves=bounds[1:])
    elif not autoscaled and not least <= wanted(group) <= largest:
        yield Problem(
            bounds[2], f"{wanted(group)} is not between {least} and {largest}", involves=bounds[:2]
        )


def _doubts_of_cluster(spec: ClusterSpec) -> Iterator[Problem]:
    if spec.auth.mode == "disabled":
        yield Problem(("auth", "mode"), "anyone who reaches the head can run code on this cluster")
    if spec.image is not None and "@" not in spec.image:
        tag = images.repository_and_tag(spec.image)[1]
        if tag in {"", "latest", "nightly"}:
            yield Problem(("image",), "its tag is not fixed: pods started later may run another")
    if spec.workers and not spec.autoscaling.enabled and spec.task_cpus == 0:
        yield Problem(("workers",), "no replica is wanted: nothing takes tasks")


def _doubts_of_quantities(path: Path, part: Pods) -> Iterator[Problem]:
    sizes = {
        "memory": part.memory,
        "sharedMemory": part.shared_memory,
        "tmpStorage": part.tmp_storage,
    }
    for key, text in sizes.items():
        if text is None:
            continue
        suffix = quantity.unit(text)
        if suffix in {"m", "u", "n"}:
            yield Problem((*path, key), f'"{text}" is a fraction of bytes; M is the mega suffix')
        elif text.isdigit():
            yield Problem((*path, key), f'"{text}" is in bytes; Mi or Gi says it shorter')
        if quantity.parse(text) > quantity.TIB:
            yield Problem((*path, key), f'"{text}" is over 1Ti')
    if part.cpu is not None and quantity.parse(part.cpu) > LARGEST_NODE_CPUS:
        yield Problem((*path, "cpu"), f'"{part.cpu}" is over {LARGEST_NODE_CPUS} CPUs')


def _doubts_of_memory(path: Path, part: Pods) -> Iterator[Problem]:
    memory = quantity.parse(part.memory)
    if isinstance(part, Head) and memory < _SMALL_HEAD:
        yield Problem(
            (*path, "memory"), f"{part.memory} is small: an idle head takes 600 MB; give it 2Gi"
        )
    if isinstance(part, WorkerGroup) and memory < _SMALL_WORKER:
        yield Problem(
            (*path, "memory"), f"{part.memory} is small: an idle Ray node takes 250 MB; give it 1Gi"
        )
    shared = quantity.parse(shared_memory(part))
    if memory / 2 < shared <= memory:
        yield Problem(
            (*path, "sharedMemory"), "is over half of memory: little is left for the tasks"
        )
