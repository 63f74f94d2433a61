"""Objects beside a RayCluster: disruption budget, monitor, network policies."""

from __future__ import annotations

from raykit.manifests.metadata import metadata
from raykit.objects import Object
from raykit.spec.model import ClusterSpec
from raykit.spec.parts import AllowedClient, AllowedEgress

RAY_CLUSTER_LABEL, NODE_TYPE_LABEL = "ray.io/cluster", "ray.io/node-type"
OPERATOR_LABELS = {"app.kubernetes.io/name": "kuberay-operator"}
NAMESPACE_NAME = "kubernetes.io/metadata.name"
DASHBOARD, CLIENT, METRICS = 8265, 10001, 8080


def addons(spec: ClusterSpec) -> list[Object]:
    """What the spec asks for beside the RayCluster, in the order to apply it."""
    found = []
    if spec.network_policy.enabled:
        found += [_pods_policy(spec), _head_policy(spec)]
    if spec.disruption_budget:
        found.append(_disruption_budget(spec))
    if spec.monitoring.enabled:
        found.append(_pod_monitor(spec))
    return found


def _selector(spec: ClusterSpec, **labels: str) -> Object:
    return {"matchLabels": {RAY_CLUSTER_LABEL: spec.name, **labels}}


def _head(spec: ClusterSpec) -> Object:
    return _selector(spec, **{NODE_TYPE_LABEL: "head"})


def _disruption_budget(spec: ClusterSpec) -> Object:
    """A drain waits for the head. `maxUnavailable` needs a scale subresource, which RayClusters
    do not have."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(spec, f"{spec.name}-head"),
        "spec": {"minAvailable": 1, "selector": _head(spec)},
    }


def _pod_monitor(spec: ClusterSpec) -> Object:
    made = metadata(spec, spec.name)
    made["labels"] = {**made["labels"], **dict(sorted(spec.monitoring.labels.items()))}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": made,
        "spec": {
            "selector": _selector(spec),
            "podMetricsEndpoints": [{"port": "metrics", "interval": spec.monitoring.interval}],
        },
    }


def _pods_policy(spec: ClusterSpec) -> Object:
    """All pods of the cluster: in from each other, out to each other, DNS and what is named."""
    policy = spec.network_policy
    egress: list[Object] = [
        {"to": [{"podSelector": _selector(spec)}]},
        {"ports": [_port(53, "UDP"), _port(53)]},
        *({"to": [{"ipBlock": {"cidr": cidr}}]} for cidr in policy.api_server),
        *(_egress(each) for each in policy.egress),
    ]
    metrics = [{"ports": [_port(METRICS)]}] if spec.monitoring.enabled else []
    return _network_policy(
        spec,
        f"{spec.name}-pods",
        _selector(spec),
        ingress=[{"from": [{"podSelector": _selector(spec)}]}, *metrics],
        egress=[{}] if policy.open_egress else egress,
    )


def _head_policy(spec: ClusterSpec) -> Object:
    """The head: in from the operator, from the API server's service proxy, and from clients."""
    policy = spec.network_policy
    peers: list[Object] = [
        {
            "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: policy.operator_namespace}},
            "podSelector": {"matchLabels": OPERATOR_LABELS},
        },
        *({"ipBlock": {"cidr": cidr}} for cidr in policy.api_server),
        *(_client(each) for each in policy.clients),
    ]
    # A RayJob's submitter runs in the namespace of its cluster and speaks to the dashboard.
    submitters = [_submitter()] if spec.jobs else []
    return _network_policy(
        spec,
        f"{spec.name}-head",
        _head(spec),
        ingress=[{"from": [*peers, *submitters], "ports": [_port(DASHBOARD), _port(CLIENT)]}],
    )


def _network_policy(
    spec: ClusterSpec,
    name: str,
    selector: Object,
    *,
    ingress: list[Object],
    egress: list[Object] | None = None,
) -> Object:
    types = ["Ingress"] if egress is None else ["Ingress", "Egress"]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(spec, name),
        "spec": {
            "podSelector": selector,
            "policyTypes": types,
            "ingress": ingress,
            **({} if egress is None else {"egress": egress}),
        },
    }


def _client(each: AllowedClient) -> Object:
    peer: Object = {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: each.namespace}}}
    if each.pod_labels:
        peer["podSelector"] = {"matchLabels": dict(sorted(each.pod_labels.items()))}
    return peer


def _submitter() -> Object:
    return {
        "podSelector": {"matchExpressions": [{"key": "job-name", "operator": "Exists"}]},
    }


def _egress(each: AllowedEgress) -> Object:
    rule: Object = {"to": [{"ipBlock": {"cidr": each.cidr}}]}
    if each.ports:
        rule["ports"] = [_port(number) for number in each.ports]
    return rule


def _port(number: int, protocol: str = "TCP") -> Object:
    return {"protocol": protocol, "port": number}
