"""Render the objects beside a RayCluster: network policies, disruption budget, pod monitor."""

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
    """The objects that a spec asks for beside the RayCluster, in the order to apply them."""
    objects = []
    if spec.network_policy.enabled:
        objects += [_pods_policy(spec), _head_policy(spec)]
    if spec.disruption_budget:
        objects.append(_disruption_budget(spec))
    if spec.monitoring.enabled:
        objects.append(_pod_monitor(spec))
    return objects


def _selector(spec: ClusterSpec, **labels: str) -> Object:
    return {"matchLabels": {RAY_CLUSTER_LABEL: spec.name, **labels}}


def _head(spec: ClusterSpec) -> Object:
    return _selector(spec, **{NODE_TYPE_LABEL: "head"})


def _disruption_budget(spec: ClusterSpec) -> Object:
    """A budget that makes a drain wait for the head.

    It uses `minAvailable`: `maxUnavailable` needs a scale subresource, which RayClusters lack.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(spec, f"{spec.name}-head"),
        "spec": {"minAvailable": 1, "selector": _head(spec)},
    }


def _pod_monitor(spec: ClusterSpec) -> Object:
    labelled = metadata(spec, spec.name)
    labelled["labels"] = {**labelled["labels"], **dict(sorted(spec.monitoring.labels.items()))}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": labelled,
        "spec": {
            "selector": _selector(spec),
            "podMetricsEndpoints": [{"port": "metrics", "interval": spec.monitoring.interval}],
        },
    }


def _pods_policy(spec: ClusterSpec) -> Object:
    """The policy of all pods: from each other in; to each other, DNS and named addresses out."""
    policy = spec.network_policy
    egress: list[Object] = [
        {"to": [{"podSelector": _selector(spec)}]},
        {"ports": [_port(53, "UDP"), _port(53)]},
        *({"to": [{"ipBlock": {"cidr": cidr}}]} for cidr in policy.api_server),
        *(_egress(allowed) for allowed in policy.egress),
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
    """The policy of the head: in from the operator, the API server's proxy and named clients."""
    policy = spec.network_policy
    peers: list[Object] = [
        {
            "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: policy.operator_namespace}},
            "podSelector": {"matchLabels": OPERATOR_LABELS},
        },
        *({"ipBlock": {"cidr": cidr}} for cidr in policy.api_server),
        *(_client(client) for client in policy.clients),
    ]
    # The submitter pod of a RayJob runs in the cluster's namespace and uses the dashboard.
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


def _client(client: AllowedClient) -> Object:
    peer: Object = {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: client.namespace}}}
    if client.pod_labels:
        peer["podSelector"] = {"matchLabels": dict(sorted(client.pod_labels.items()))}
    return peer


def _submitter() -> Object:
    return {
        "podSelector": {"matchExpressions": [{"key": "job-name", "operator": "Exists"}]},
    }


def _egress(allowed: AllowedEgress) -> Object:
    rule: Object = {"to": [{"ipBlock": {"cidr": allowed.cidr}}]}
    if allowed.ports:
        rule["ports"] = [_port(number) for number in allowed.ports]
    return rule


def _port(number: int, protocol: str = "TCP") -> Object:
    return {"protocol": protocol, "port": number}
