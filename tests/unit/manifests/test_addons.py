"""Network policies by what they let through; disruption budget and monitor by what they select."""

import pytest

from raykit.manifests.render import render
from raykit.spec.load import load
from tests.unit.manifests.network import Peer, allowed

BASE = """
name: c
namespace: ray
head: {memory: 2Gi}
workers: [{name: w, memory: 1Gi}]
"""
POLICY = """
networkPolicy:
  enabled: true
  apiServer: [10.0.0.1/32]
  clients: [{namespace: tools, podLabels: {app: notebook}}]
  egress: [{cidr: 192.0.2.0/24, ports: [443]}]
"""
HEAD = Peer("ray", {"ray.io/cluster": "c", "ray.io/node-type": "head"})
WORKER = Peer("ray", {"ray.io/cluster": "c", "ray.io/node-type": "worker"})
OTHERS = Peer("ray", {"ray.io/cluster": "d", "ray.io/node-type": "worker"})
STRANGER = Peer("ray", {"app": "shop"})
OPERATOR = Peer("ray-system", {"app.kubernetes.io/name": "kuberay-operator"})
NOTEBOOK = Peer("tools", {"app": "notebook"})
TOOL = Peer("tools", {"app": "else"})
API_SERVER = Peer(address="10.0.0.1")
DATA = Peer(address="192.0.2.7")
INTERNET = Peer(address="198.51.100.1")
DNS = Peer("kube-system", {"k8s-app": "kube-dns"})
SUBMITTER = Peer("ray", {"job-name": "c-fib-12345678"})


def objects(text):
    return render(load(text), image="raykit:2.60.0-x")


def kind(objects_, wanted):
    return [each for each in objects_ if each["kind"] == wanted]


@pytest.mark.parametrize(
    ("source", "target", "port", "opens"),
    [
        (WORKER, HEAD, 6379, True),
        (HEAD, WORKER, 10002, True),
        (WORKER, WORKER, 30000, True),
        (OTHERS, HEAD, 6379, False),
        (STRANGER, HEAD, 8265, False),
        (STRANGER, WORKER, 10002, False),
        (OPERATOR, HEAD, 8265, True),
        (OPERATOR, HEAD, 6379, False),
        (OPERATOR, WORKER, 8265, False),
        (NOTEBOOK, HEAD, 8265, True),
        (NOTEBOOK, HEAD, 10001, True),
        (TOOL, HEAD, 8265, False),
        (API_SERVER, HEAD, 8265, True),
        (API_SERVER, HEAD, 22, False),
        (INTERNET, HEAD, 8265, False),
        (SUBMITTER, HEAD, 8265, False),
        (HEAD, API_SERVER, 443, True),
        (WORKER, DATA, 443, True),
        (WORKER, DATA, 80, False),
        (WORKER, INTERNET, 443, False),
        (WORKER, STRANGER, 80, False),
        (WORKER, DNS, 53, True),
        (WORKER, DNS, 80, False),
        (STRANGER, DNS, 80, True),
    ],
)
def test_what_a_policy_lets_through(source, target, port, opens):
    assert allowed(objects(BASE + POLICY), source, target, port) is opens


def test_names_are_resolved_over_udp_too():
    assert allowed(objects(BASE + POLICY), WORKER, DNS, 53, "UDP")


def test_the_submitters_of_jobs_get_in_where_there_are_jobs():
    made = objects(BASE + POLICY + "jobs: [{name: fib, job: fib}]\n")
    assert allowed(made, SUBMITTER, HEAD, 8265)
    assert not allowed(made, STRANGER, HEAD, 8265)


def test_metrics_are_scraped_where_monitoring_is_on():
    made = objects(BASE + POLICY + "monitoring: {enabled: true}\n")
    assert allowed(made, STRANGER, WORKER, 8080)
    assert not allowed(objects(BASE + POLICY), STRANGER, WORKER, 8080)


def test_open_egress_reaches_everything_and_lets_nothing_in():
    made = objects(BASE + "networkPolicy: {enabled: true, openEgress: true}\n")
    assert allowed(made, WORKER, INTERNET, 443)
    assert not allowed(made, INTERNET, WORKER, 443)


def test_without_the_line_there_is_no_policy():
    assert kind(objects(BASE), "NetworkPolicy") == []


def test_a_drain_waits_for_the_head():
    (budget,) = kind(objects(BASE + "disruptionBudget: true\n"), "PodDisruptionBudget")
    assert budget["spec"] == {"minAvailable": 1, "selector": {"matchLabels": HEAD.labels}}


def test_prometheus_finds_the_monitor_by_the_labels_given():
    text = BASE + "monitoring: {enabled: true, interval: 5s, labels: {release: p}}\n"
    (monitor,) = kind(objects(text), "PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "p"
    assert monitor["spec"]["podMetricsEndpoints"] == [{"port": "metrics", "interval": "5s"}]
    (cluster,) = kind(objects(text), "RayCluster")
    ports = cluster["spec"]["headGroupSpec"]["template"]["spec"]["containers"][0]["ports"]
    assert "metrics" in [port["name"] for port in ports]


def test_what_guards_the_pods_is_applied_before_them():
    made = objects(BASE + POLICY + "disruptionBudget: true\njobs: [{name: fib, job: fib}]\n")
    assert [each["kind"] for each in made] == [
        "NetworkPolicy",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "RayCluster",
        "RayJob",
    ]
