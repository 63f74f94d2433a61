"""What NetworkPolicies let through, by Kubernetes' own rules; independent of what renders them.

Source: the API reference of networking.k8s.io/v1. A pod that no policy of a direction selects is
open in that direction; otherwise some rule of some policy that selects it must match.
"""

import ipaddress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Peer:
    """A pod, or with an address alone something outside the cluster."""

    namespace: str = ""
    labels: dict = field(default_factory=dict)
    address: str = "203.0.113.9"
    namespace_labels: dict = field(default_factory=dict)

    @property
    def of_namespace(self):
        return {"kubernetes.io/metadata.name": self.namespace, **self.namespace_labels}


def allowed(policies, source, target, port, protocol="TCP"):
    """Whether a connection opens: out of the source and into the target."""
    out = not source.namespace or _open(policies, "Egress", source, target, port, protocol)
    into = not target.namespace or _open(policies, "Ingress", target, source, port, protocol)
    return out and into


def _open(policies, direction, pod, other, port, protocol):
    selecting = [
        each["spec"]
        for each in policies
        if each["kind"] == "NetworkPolicy"
        and each["metadata"]["namespace"] == pod.namespace
        and direction in each["spec"]["policyTypes"]
        and _selects(each["spec"]["podSelector"], pod.labels)
    ]
    if not selecting:
        return True
    key, peers = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    return any(
        _peers_match(rule.get(peers), other, pod.namespace)
        and _ports_match(rule.get("ports"), port, protocol)
        for spec in selecting
        for rule in spec.get(key) or []
    )


def _peers_match(peers, other, namespace):
    return not peers or any(_peer_matches(peer, other, namespace) for peer in peers)


def _peer_matches(peer, other, namespace):
    if "ipBlock" in peer:
        address = ipaddress.ip_address(other.address)
        inside = address in ipaddress.ip_network(peer["ipBlock"]["cidr"])
        excepted = peer["ipBlock"].get("except", [])
        return inside and not any(address in ipaddress.ip_network(each) for each in excepted)
    if not other.namespace:
        return False
    if "namespaceSelector" in peer:
        if not _selects(peer["namespaceSelector"], other.of_namespace):
            return False
    elif other.namespace != namespace:
        return False
    return "podSelector" not in peer or _selects(peer["podSelector"], other.labels)


def _ports_match(ports, port, protocol):
    return not ports or any(
        each.get("protocol", "TCP") == protocol
        and each.get("port", port) <= port <= each.get("endPort", each.get("port", port))
        for each in ports
    )


def _selects(selector, labels):
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions") or []:
        there, values = rule["key"] in labels, rule.get("values") or []
        holds = {
            "Exists": there,
            "DoesNotExist": not there,
            "In": labels.get(rule["key"]) in values,
            "NotIn": labels.get(rule["key"]) not in values,
        }
        if not holds[rule["operator"]]:
            return False
    return True
