"""Rules for a RayJob's spec, also where it is the template of a RayCronJob."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from raykit.manifests.judging.rules import deletion
from raykit.manifests.judging.rules.cluster import MANAGERS
from raykit.manifests.judging.rules.values import at, mapping, number, text
from raykit.objects import Object
from raykit.spec.problems import Path, Problem

SUBMISSION_MODES = ("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode")
SELECTOR_KEY = "ray.io/cluster"
AT_LEAST_1 = ("activeDeadlineSeconds", "preRunningDeadlineSeconds")
NOT_NEGATIVE = ("backoffLimit", "ttlSecondsAfterFinished")


def problems(spec: Object, path: Path) -> Iterator[Problem]:
    """What KubeRay refuses in a job's spec; its cluster's spec has rules of its own."""
    yield from _numbers(spec, path)
    yield from _mode(spec, path)
    yield from _cluster(spec, path)
    yield from _suspended(spec, path)
    yield from _runtime_environment(spec, path)
    yield from deletion.problems(spec, path)
    if text(spec, "managedBy") and text(spec, "managedBy") not in MANAGERS:
        yield Problem((*path, "managedBy"), f"must be {' or '.join(MANAGERS)}")


def _numbers(spec: Object, path: Path) -> Iterator[Problem]:
    for key in AT_LEAST_1:
        value = number(spec, key)
        if value is not None and value <= 0:
            yield Problem((*path, key), f"{value} is not above 0")
    for key in NOT_NEGATIVE:
        value = number(spec, key)
        if value is not None and value < 0:
            yield Problem((*path, key), f"{value} is negative")


def _mode(spec: Object, path: Path) -> Iterator[Problem]:
    mode, here = text(spec, "submissionMode"), (*path, "submissionMode")
    if mode and mode not in SUBMISSION_MODES:
        yield Problem(here, f"must be one of {', '.join(SUBMISSION_MODES)}")
    if mode == "InteractiveMode" and (number(spec, "backoffLimit") or 0) > 0:
        yield Problem((*path, "backoffLimit"), "must be 0 with InteractiveMode")
    if mode != "SidecarMode":
        return
    for key in ("submitterPodTemplate", "submitterConfig"):
        if at(spec, key) is not None:
            yield Problem((*path, key), "has no place in SidecarMode: the head's pod submits")
    pod: Path = ("rayClusterSpec", "headGroupSpec", "template", "spec", "restartPolicy")
    if text(spec, *pod) not in {"", "Never"}:
        yield Problem((*path, *pod), "must be Never, or left out, in SidecarMode")


def _cluster(spec: Object, path: Path) -> Iterator[Problem]:
    selector = mapping(spec, "clusterSelector")
    own = at(spec, "rayClusterSpec")
    if not selector:
        if own is None:
            yield Problem((*path, "rayClusterSpec"), "is required, or clusterSelector in its place")
        return
    here: Path = (*path, "clusterSelector")
    if not text(selector, SELECTOR_KEY):
        yield Problem((*here, SELECTOR_KEY), "is required: the name of the RayCluster")
    if text(spec, "submissionMode") == "SidecarMode":
        yield Problem(here, "has no place in SidecarMode: the job needs its own cluster")
    if (number(spec, "backoffLimit") or 0) > 0:
        yield Problem((*path, "backoffLimit"), "must be 0 with clusterSelector")


def _suspended(spec: Object, path: Path) -> Iterator[Problem]:
    if at(spec, "suspend") is not True:
        return
    if at(spec, "shutdownAfterJobFinishes") is not True:
        yield Problem((*path, "suspend"), "needs shutdownAfterJobFinishes: true")
    if mapping(spec, "clusterSelector"):
        yield Problem((*path, "suspend"), "has no place beside clusterSelector")


def _runtime_environment(spec: Object, path: Path) -> Iterator[Problem]:
    written = text(spec, "runtimeEnvYAML")
    here: Path = (*path, "runtimeEnvYAML")
    try:
        node = yaml.compose(written, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        reason = str(getattr(error, "problem", None) or error).splitlines()[0]
        yield Problem(here, f"is not YAML: {reason}")
        return
    if node is not None and not isinstance(node, yaml.MappingNode):
        yield Problem(here, "must be a mapping of keys to values")
