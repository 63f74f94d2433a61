"""On a big Kubernetes cluster raykit reads pages, a few pods, and nothing at all for a submit."""

import pytest

from raykit.kube.connection import connect
from raykit.kuberay import observed, raycluster
from raykit.kuberay.machines import MachinesReader
from raykit.kuberay.raycluster import Cluster

NODES, PODS = "/api/v1/nodes", "/api/v1/pods"
OWN_PODS = "/api/v1/namespaces/ray/pods"
EVENTS = "/api/v1/namespaces/ray/events"
ITEM = {
    "metadata": {"name": "small", "namespace": "ray", "uid": "u"},
    "spec": {"headGroupSpec": {"template": {"spec": {"containers": [{"name": "ray-head"}]}}}},
}
STUCK = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "none"}


def pod(name="head", node=None, **status):
    labels = {"ray.io/node-type": "head", "raykit.io/cluster": "small"}
    container = {"name": "ray-head", "resources": {"requests": {"cpu": "2"}}}
    placed = {"nodeName": node} if node else {}
    return {
        "metadata": {"name": name, "namespace": "ray", "uid": name, "labels": labels},
        "spec": {"containers": [container], **placed},
        "status": status,
    }


def node(name, cpu="4"):
    room = {"cpu": cpu, "pods": "110"}
    return {"metadata": {"name": name}, "status": {"allocatable": room, "nodeInfo": {}}}


def listed(*items):
    return {"metadata": {}, "items": list(items)}


@pytest.fixture
def cluster(api, kubeconfig):
    kubeconfig(api.url)
    with connect() as connection:
        yield Cluster(connection, "small", "ray", ITEM)


def asked(api, path):
    return [
        query for (_, seen, _), query in zip(api.asked, api.queries, strict=True) if seen == path
    ]


def test_what_a_record_says_reads_only_the_nodes_that_carry_the_clusters_pods(cluster, api):
    api.say(OWN_PODS, listed(pod(node="n-1"), pod("worker", node="n-2")))
    for name in ("n-1", "n-2"):
        api.say(f"{NODES}/{name}", node(name))
    record = observed.observe(cluster)
    assert [each["name"] for each in record["nodes"]] == ["n-1", "n-2"]
    assert {path for _, path, _ in api.asked} == {
        "/version",
        OWN_PODS,
        f"{NODES}/n-1",
        f"{NODES}/n-2",
    }
    assert asked(api, OWN_PODS) == [{"limit": "500", "labelSelector": "ray.io/cluster=small"}]


def test_without_a_reader_the_scheduler_alone_says_why(cluster, api):
    api.say(EVENTS, listed())
    (found,) = raycluster.findings(cluster, [pod(conditions=[STUCK])])
    assert found.evidence == ("Kubernetes says: none",)
    assert not asked(api, NODES)


def test_nodes_are_read_by_pages_and_pods_only_of_those_that_are_large_enough(cluster, api):
    api.say(EVENTS, listed())
    api.say(NODES, listed(node("small-1", "1"), node("small-2", "1"), node("large")))
    api.say(PODS, listed(pod("other", node="large", phase="Running")))
    reader = MachinesReader(cluster.connection)
    stuck = [pod(f"worker-{at}", conditions=[STUCK]) for at in range(4)]
    for _ in range(3):
        (found,) = raycluster.findings(cluster, stuck, reader)
    assert found.what == "no Kubernetes node takes 4 pods, such as worker-0"
    assert found.evidence[:-1] == (
        "2 nodes: needs 2 cpu, has at most 1 in all, such as small-1",
        "node large: has room by now, by its cpu, memory, taints and labels",
    )
    assert asked(api, NODES) == [{"limit": "500"}]
    assert [query.get("fieldSelector") for query in asked(api, PODS)] == [
        "spec.nodeName=large",
        None,
    ]


def test_events_are_asked_for_by_the_object_and_for_eight_objects_at_most(cluster, api):
    api.say(EVENTS, listed())
    raycluster.findings(cluster, [pod(f"worker-{at}") for at in range(100)])
    selectors = [query["fieldSelector"] for query in asked(api, EVENTS)]
    assert selectors[:2] == ["involvedObject.uid=u", "involvedObject.uid=worker-0"]
    assert len(selectors) == 8


def test_who_may_not_list_nodes_gets_the_schedulers_words(cluster, api):
    api.say(EVENTS, listed())
    api.refuse(NODES, 403, "nodes is forbidden")
    reader = MachinesReader(cluster.connection)
    (found,) = raycluster.findings(cluster, [pod(conditions=[STUCK])], reader)
    assert found.evidence == ("Kubernetes says: none",)


def test_nodes_that_a_cloud_made_give_its_autoscaler_time_to_answer(cluster, api):
    api.say(EVENTS, listed())
    api.say(PODS, listed())
    kind, cloud = node("n-1", "1"), node("n-2", "1")
    kind["spec"] = {**kind.get("spec", {}), "providerID": "kind://docker/k/n-1"}
    cloud["spec"] = {**cloud.get("spec", {}), "providerID": "aws:///eu-central-1a/i-0"}
    for nodes, patience in (([kind], 12.0), ([kind, cloud], 60.0)):
        api.say(NODES, listed(*nodes))
        reader = MachinesReader(cluster.connection)
        (found,) = raycluster.findings(cluster, [pod(conditions=[STUCK])], reader)
        assert found.patience == patience
