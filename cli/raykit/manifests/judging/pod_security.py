"""Pod Security of the pods that KubeRay will make: the levels `baseline` and `restricted`.

The rules are those of Kubernetes 1.36 (k8s.io/pod-security-admission). A field that is absent is
said at the place where it belongs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from raykit.manifests.judging.pods import Pod, pods_of
from raykit.manifests.judging.rules.values import at, items, mapping, number, text
from raykit.manifests.judging.verdict import first_of_each_path
from raykit.objects import Object
from raykit.spec.problems import Path, Problem

PRIVILEGED, BASELINE, RESTRICTED = "privileged", "baseline", "restricted"
LEVELS = (PRIVILEGED, BASELINE, RESTRICTED)
"""From the most to the least permissive."""
HOST = ("hostNetwork", "hostPID", "hostIPC")
BASELINE_CAPABILITIES = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
        *("NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)
RESTRICTED_CAPABILITY = "NET_BIND_SERVICE"
VOLUMES = (
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image"),
    *("persistentVolumeClaim", "projected", "secret"),
)
SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
SYSCTLS = frozenset(
    {
        *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies"),
        *("net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start"),
        *("net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time"),
        *("net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl"),
        *("net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"),
    }
)
PROFILES = ("RuntimeDefault", "Localhost")
APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
HANDLERS = (
    *(("livenessProbe",), ("readinessProbe",), ("startupProbe",)),
    *(("lifecycle", "postStart"), ("lifecycle", "preStop")),
)
CONTEXT = "securityContext"


def problems(manifest: Object, level: str) -> tuple[Problem, ...]:
    """What a Pod Security level has against the pods that KubeRay makes of a resource.

    level: one of LEVELS; anything else counts as `restricted`, as for Kubernetes.
    """
    if level == PRIVILEGED:
        return ()
    rules = _BASELINE if level == BASELINE else (*_BASELINE, *_RESTRICTED)
    return first_of_each_path(
        Problem(problem.path, f"{problem.message} (Pod Security {level})")
        for pod in pods_of(manifest)
        for rule in rules
        for problem in rule(pod)
    )


def stricter(*levels: str | None) -> str | None:
    """The least permissive of some levels; None if none is given."""
    given = [RESTRICTED if level not in LEVELS else level for level in levels if level is not None]
    return max(given, key=LEVELS.index, default=None)


def _contexts(pod: Pod) -> Iterator[tuple[Path, Object]]:
    """The security context of the pod and those of its containers, with their paths."""
    yield (*pod.path, CONTEXT), mapping(pod.spec, CONTEXT)
    for path, container in pod.containers():
        yield (*path, CONTEXT), mapping(container, CONTEXT)


def _host(pod: Pod) -> Iterator[Problem]:
    for key in HOST:
        if at(pod.spec, key) is True:
            yield Problem((*pod.path, key), "must not be true")


def _host_process(pod: Pod) -> Iterator[Problem]:
    for path, context in _contexts(pod):
        if at(context, "windowsOptions", "hostProcess") is True:
            yield Problem((*path, "windowsOptions", "hostProcess"), "must not be true")


def _privileged(pod: Pod) -> Iterator[Problem]:
    for path, container in pod.containers():
        if at(container, CONTEXT, "privileged") is True:
            yield Problem((*path, CONTEXT, "privileged"), "must not be true")


def _host_paths(pod: Pod) -> Iterator[Problem]:
    for place, volume in items(pod.spec, "volumes"):
        if at(volume, "hostPath") is not None:
            yield Problem((*pod.path, "volumes", place, "hostPath"), "is not allowed")


def _host_ports(pod: Pod) -> Iterator[Problem]:
    for path, container in pod.containers():
        for place, port in items(container, "ports"):
            if number(port, "hostPort"):
                yield Problem((*path, "ports", place, "hostPort"), "is not allowed")


def _added_capabilities(pod: Pod) -> Iterator[Problem]:
    for path, added in _lists(pod, "add"):
        beyond = [name for name in added if name not in BASELINE_CAPABILITIES]
        if beyond:
            yield Problem(path, f"must not add {', '.join(beyond)}")


def _lists(pod: Pod, key: str) -> Iterator[tuple[Path, list[str]]]:
    """The texts of `capabilities.add` or `.drop` of each container."""
    for path, container in pod.containers():
        found = at(container, CONTEXT, "capabilities", key)
        texts = [name for name in found if isinstance(name, str)] if isinstance(found, list) else []
        yield (*path, CONTEXT, "capabilities", key), texts


def _apparmor(pod: Pod) -> Iterator[Problem]:
    for path, context in _contexts(pod):
        if at(context, "appArmorProfile") is not None:
            kind = text(context, "appArmorProfile", "type")
            if kind not in PROFILES:
                yield Problem((*path, "appArmorProfile", "type"), _one_of(PROFILES))
    for key, value in pod.annotations.items():
        allowed = value in ("", "runtime/default") or str(value).startswith("localhost/")
        if key.startswith(APPARMOR_ANNOTATION) and not allowed:
            here: Path = (*pod.path[:-1], "metadata", "annotations", key)
            yield Problem(here, "must be runtime/default or localhost/PROFILE")


def _selinux(pod: Pod) -> Iterator[Problem]:
    for path, context in _contexts(pod):
        options = mapping(context, "seLinuxOptions")
        if text(options, "type") not in SELINUX_TYPES:
            yield Problem((*path, "seLinuxOptions", "type"), _one_of(SELINUX_TYPES[1:]))
        for key in ("user", "role"):
            if text(options, key):
                yield Problem((*path, "seLinuxOptions", key), "must be left out")


def _proc_mount(pod: Pod) -> Iterator[Problem]:
    if not _has_own_users(pod):
        yield from _masked(pod)


def _masked(pod: Pod) -> Iterator[Problem]:
    for path, container in pod.containers():
        if text(container, CONTEXT, "procMount") not in {"", "Default"}:
            yield Problem((*path, CONTEXT, "procMount"), "must be Default, or left out")


def _unconfined(pod: Pod) -> Iterator[Problem]:
    for path, context in _contexts(pod):
        profile = at(context, "seccompProfile")
        if profile is not None and text(profile, "type") not in PROFILES:
            yield Problem((*path, "seccompProfile", "type"), _one_of(PROFILES))


def _sysctls(pod: Pod) -> Iterator[Problem]:
    for place, sysctl in items(pod.spec, CONTEXT, "sysctls"):
        if text(sysctl, "name") not in SYSCTLS:
            yield Problem((*pod.path, CONTEXT, "sysctls", place), "is not allowed")


def _hosts_of_probes(pod: Pod) -> Iterator[Problem]:
    for path, container in pod.containers():
        for handler in HANDLERS:
            for kind in ("httpGet", "tcpSocket"):
                if text(container, *handler, kind, "host"):
                    yield Problem((*path, *handler, kind, "host"), "must be left out")


def _volumes(pod: Pod) -> Iterator[Problem]:
    for place, volume in items(pod.spec, "volumes"):
        kinds = [key for key in volume if key != "name"]
        if not any(kind in VOLUMES for kind in kinds) and "hostPath" not in kinds:
            yield Problem((*pod.path, "volumes", place), f"must be one of {', '.join(VOLUMES)}")


def _escalation(pod: Pod) -> Iterator[Problem]:
    for path, container in pod.containers():
        if at(container, CONTEXT, "allowPrivilegeEscalation") is not False:
            yield Problem((*path, CONTEXT, "allowPrivilegeEscalation"), "must be false")


def _dropped_capabilities(pod: Pod) -> Iterator[Problem]:
    for path, dropped in _lists(pod, "drop"):
        if "ALL" not in dropped:
            yield Problem(path, "must have ALL")
    for path, added in _lists(pod, "add"):
        beyond = [name for name in added if name != RESTRICTED_CAPABILITY]
        if beyond and all(name in BASELINE_CAPABILITIES for name in beyond):
            yield Problem(path, f"must not add {', '.join(beyond)}")


def _root(pod: Pod) -> Iterator[Problem]:
    if _has_own_users(pod):
        return
    for path, context in _contexts(pod):
        if number(context, "runAsUser") == 0:
            yield Problem((*path, "runAsUser"), "must not be 0")
    yield from _everywhere(pod, ("runAsNonRoot",), lambda value: value is True, "must be true")


def _seccomp(pod: Pod) -> Iterator[Problem]:
    yield from _everywhere(
        pod, ("seccompProfile", "type"), lambda value: value in PROFILES, _one_of(PROFILES)
    )


def _everywhere(
    pod: Pod, key: Path, is_right: Callable[[Any], bool], message: str
) -> Iterator[Problem]:
    """A field that the pod's context gives to containers which say nothing themselves."""
    of_pod = at(pod.spec, CONTEXT, *key)
    silent = False
    for path, container in pod.containers():
        own = at(container, CONTEXT, *key)
        silent |= own is None
        if own is not None and not is_right(own):
            yield Problem((*path, CONTEXT, *key), message)
    if not is_right(of_pod) and (silent or of_pod is not None):
        yield Problem((*pod.path, CONTEXT, *key), message)


def _has_own_users(pod: Pod) -> bool:
    """Whether root in the pod is nobody outside: Kubernetes 1.35 relaxes some rules for that."""
    return at(pod.spec, "hostUsers") is False


def _one_of(values: tuple[str, ...]) -> str:
    return f"must be {' or '.join(values)}"


_BASELINE = (
    *(_host, _host_process, _privileged, _host_paths, _host_ports, _added_capabilities),
    *(_apparmor, _selinux, _proc_mount, _unconfined, _sysctls, _hosts_of_probes),
)
_RESTRICTED = (_volumes, _masked, _escalation, _dropped_capabilities, _root, _seccomp)
