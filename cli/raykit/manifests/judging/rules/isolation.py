"""Rules for what KubeRay 1.7 adds to a cluster: network policies, TLS, the history server."""

from __future__ import annotations

from collections.abc import Iterator

from raykit.manifests.judging.rules.cluster import Cluster
from raykit.manifests.judging.rules.values import at, items, mapping, text, variables
from raykit.objects import Object
from raykit.spec import names
from raykit.spec.problems import Path, Problem

TLS_VARIABLES = ("RAY_USE_TLS", "RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT")
COLLECTOR_VARIABLES = (
    *("POD_IP", "FQ_RAY_IP", "RAY_CLUSTER_NAME", "RAY_CLUSTER_NAMESPACE", "RAY_ROLE"),
    *("OWNER_KIND", "OWNER_NAME", "EVENTS_PORT"),
)
STORAGE = "STORAGE_BACKEND"
NEEDED_BY_STORAGE = {
    "GCS": ("GCS_BUCKET",),
    "S3": ("S3_REGION",),
    "ALIYUNOSS": ("ALIYUN_BUCKET", "ALIYUN_ENDPOINT", "ALIYUN_REGION"),
}
OPEN_SIDE = {"DenyAllEgress": "ingressRules", "DenyAllIngress": "egressRules"}


def problems(cluster: Cluster) -> Iterator[Problem]:
    """What KubeRay refuses in these parts of a cluster."""
    if isinstance(at(cluster.spec, "networkPolicy"), dict):
        yield from _network_policy(cluster)
    if isinstance(at(cluster.spec, "tlsOptions"), dict) and _tls_is_on(cluster):
        yield from _tls(cluster)
    if isinstance(at(cluster.spec, "historyServerOptions"), dict):
        yield from _history_server(cluster)


def _network_policy(cluster: Cluster) -> Iterator[Problem]:
    policy: Path = (*cluster.path, "networkPolicy")
    given = mapping(cluster.spec, "networkPolicy")
    for key in ("head", "worker"):
        yield from _open_side(given, (*policy, key), mapping(given, key))
    known = set()
    for path, group in cluster.groups():
        name = text(group, "groupName")
        known.add(name)
        if not _is_label(name):
            yield Problem(
                (*path, "groupName"),
                f'"{name}" becomes a part of a NetworkPolicy\'s name: '
                "lower-case letters, digits and inner dashes",
            )
    for place, group in items(given, "workerGroups"):
        path = (*policy, "workerGroups", place)
        yield from _open_side(given, path, group)
        if text(group, "groupName") not in known:
            yield Problem((*path, "groupName"), "is no name of a worker group")


def _open_side(policy: Object, path: Path, rules: Object) -> Iterator[Problem]:
    mode = text(policy, "mode")
    key = OPEN_SIDE.get(mode)
    if key and rules.get(key):
        yield Problem((*path, key), f"has no effect with mode: {mode}, which leaves this side open")


def _is_label(name: str) -> bool:
    try:
        return bool(names.volume_name(name))
    except ValueError:
        return False


def _tls_is_on(cluster: Cluster) -> bool:
    return at(cluster.spec, "tlsOptions", "enabled") is not False


def _tls(cluster: Cluster) -> Iterator[Problem]:
    holders: list[tuple[Path, Object]] = [
        (
            (*path, "template", "spec", "containers", 0),
            mapping(group, "template", "spec", "containers", 0),
        )
        for path, group in cluster.all_groups()
    ]
    holders.append(
        ((*cluster.path, "autoscalerOptions"), mapping(cluster.spec, "autoscalerOptions"))
    )
    for path, container in holders:
        for place, name, _ in variables(container):
            if name in TLS_VARIABLES:
                yield Problem((*path, "env", place), f"{name}: KubeRay sets it with tlsOptions")


def _history_server(cluster: Cluster) -> Iterator[Problem]:
    server: Path = (*cluster.path, "historyServerOptions")
    collector = at(cluster.spec, "historyServerOptions", "collectorOptions")
    here: Path = (*server, "collectorOptions")
    if not isinstance(collector, dict):
        yield Problem(here, "is required")
        return
    if not text(collector, "image"):
        yield Problem((*here, "image"), "is required")
    for place, name, _ in variables(collector):
        if name in COLLECTOR_VARIABLES:
            yield Problem((*here, "env", place), f"{name}: KubeRay sets it")
    yield from _storage((*here, "env"), collector)


def _storage(path: Path, collector: Object) -> Iterator[Problem]:
    given = {
        text(variable, "name"): variable
        for _, variable in items(collector, "env")
        if text(variable, "value") or at(variable, "valueFrom") is not None
    }
    backend = text(given.get(STORAGE), "value").upper()
    if not backend:
        yield Problem(path, f"needs {STORAGE} with a value written out")
    for name in NEEDED_BY_STORAGE.get(backend, ()):
        if name not in given:
            yield Problem(path, f"needs {name} for {STORAGE} {backend}")
    if backend == "AZUREBLOB":
        yield from _azure(path, given)


def _azure(path: Path, given: dict[str, Object]) -> Iterator[Problem]:
    mode = text(given.get("AZURE_STORAGE_AUTH_MODE"), "value").strip().lower()
    text_of_account, address = "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT_URL"
    needed = {
        "connection_string": (text_of_account,),
        "workload_identity": (address,),
        "default": (address,),
    }.get(mode, (text_of_account, address))
    if not any(name in given for name in needed):
        yield Problem(path, f"needs {' or '.join(needed)} for {STORAGE} AZUREBLOB")
