"""docker, kind and what their machine must offer: memory, disk, cgroups, privileged containers."""

from __future__ import annotations

import shutil

from raykit import checks
from raykit.checks import Check
from raykit.containers import docker, image, kind
from raykit.containers.docker import Engine
from raykit.errors import MissingError

GIB = kind.GIB
LEAST_MEMORY, LEAST_DISK = 4 * GIB, 10 * GIB
"""Bytes: for a kind cluster with one Ray head; for the images of Ray, of kind and of its nodes."""
PRIVILEGED = "privileged"
USE = "raykit kind, raykit image, and up on a kind cluster"


def engine() -> list[Check]:
    """The engine, and what its machine offers. Without an engine only that is said."""
    try:
        engine = docker.engine()
    except MissingError as error:
        return [checks.as_warning(checks.of_error("docker", error), USE)]
    size = f"{engine.cpus} CPUs, {engine.memory / GIB:.1f} GiB"
    answers = checks.ok("docker", f"docker {engine.version}: {size}, {engine.architecture}")
    return [answers, memory(engine), disk(engine), cgroups(engine), privileged()]


def kind_version() -> Check:
    """Whether raykit supports the kind on PATH. Errors: as `kind.check_version`."""
    return checks.ok("kind", f"kind {kind.check_version()}")


def memory(engine: Engine) -> Check:
    has = f"the docker engine has {engine.memory / GIB:.1f} GiB of memory"
    if engine.memory >= LEAST_MEMORY:
        return checks.ok("docker-memory", has)
    return checks.warning(
        "docker-memory",
        has,
        [f"a kind cluster with one Ray head needs {LEAST_MEMORY // GIB} GiB"],
        "give its machine more: Docker Desktop, Settings, Resources",
    )


def disk(engine: Engine) -> Check:
    """Free space where the engine keeps images; it may be on another machine than this one."""
    try:
        free = shutil.disk_usage(engine.root).free
    except OSError:
        return checks.skipped("docker-disk", f"the engine's disk is not here: {engine.root}")
    has = f"{free / GIB:.0f} GiB are free in {engine.root}"
    if free >= LEAST_DISK:
        return checks.ok("docker-disk", has)
    needs = f"the images of Ray and kind need {LEAST_DISK // GIB} GiB"
    return checks.warning("docker-disk", has, [needs], "docker system prune   (asks first)")


def cgroups(engine: Engine) -> Check:
    """Whether kubelets start: from Kubernetes 1.35 on they refuse cgroup v1 by default."""
    if engine.cgroup_version != "1":
        return checks.ok(
            "cgroups", f"the docker engine uses cgroup v{engine.cgroup_version or '2'}"
        )
    return checks.warning(
        "cgroups",
        "the docker engine uses cgroup v1: kubelets of Kubernetes 1.35 and newer may not start",
        ["they refuse it unless the node image sets failCgroupV1: false"],
        "boot with systemd.unified_cgroup_hierarchy=1, "
        f"or set {kind.NODE_IMAGE}=kindest/node:v1.34.0",
    )


def privileged() -> Check:
    """Whether the engine starts privileged containers, as the nodes of kind are.

    It starts one of raykit's own image, if that is built, which ends at once.
    """
    name = image.reference()
    if not image.is_built(name):
        what = "not tried: the docker engine does not have raykit's image"
        return checks.skipped(PRIVILEGED, what, next="raykit image build")
    words = ("--privileged", "--network", "none", "--pull", "never", "--entrypoint", "true")
    done = docker.docker("run", "--rm", *words, name, check=False)
    if done.returncode == 0:
        return checks.ok(PRIVILEGED, "the docker engine starts privileged containers")
    return checks.warning(
        PRIVILEGED,
        "the docker engine starts no privileged containers, as the nodes of kind are",
        [*done.evidence(), f"needed by {USE}"],
        "an engine with userns-remap, or with a policy against them, cannot run kind: use another",
    )


def inotify() -> Check:
    """Whether kubelets may watch enough files; the limit is one for the whole machine."""
    instances = kind.inotify_instances()
    if instances is None:
        return checks.skipped("inotify", "this system has no limit of inotify instances")
    if instances >= kind.FEWEST_WATCHERS:
        return checks.ok("inotify", f"{instances} inotify instances are allowed")
    what = f"only {instances} inotify instances are allowed: too few for several kind clusters"
    return checks.warning("inotify", what, [str(kind.WATCHERS)], kind.INOTIFY_COMMAND)
