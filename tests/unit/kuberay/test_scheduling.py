"""Why no node takes a pod is said node by node, as the scheduler counts."""

from decimal import Decimal

import pytest

from raykit.kuberay import scheduling

GI = 1024**3


def pod(name="p", node=None, cpu="1", memory="1Gi", phase="Running", **spec):
    container = {"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}}
    return {
        "metadata": {"name": name},
        "spec": {"containers": [container], "nodeName": node, **spec},
        "status": {"phase": phase},
    }


def node(name="n", cpu="2", memory="4Gi", taints=(), **labels):
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": list(taints)},
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": "110"}},
    }


def survey(wanted, nodes, *others):
    """What nodes say to a pod; others: pods that run on them."""
    said = scheduling.Survey(wanted)
    for place in nodes:
        said.add(place)
    for name in said.candidates:
        said.count_pods(name, [pod for pod in others if pod["spec"]["nodeName"] == name])
    return said


def reason(wanted, place, *others):
    (line,) = survey(wanted, [place], *others).lines()
    assert line.startswith("node n: ")
    return line.removeprefix("node n: ")


ROOM = "has room by now, by its cpu, memory, taints and labels"


def test_what_is_short_is_said_with_what_is_free():
    said = reason(pod(cpu="2", memory="4Gi"), node(), pod("other", "n", "500m", "1Gi"))
    assert said == "needs 2 cpu, 1.5 of 2 free; needs 4.0Gi memory, 3.0Gi of 4.0Gi free"


def test_what_no_empty_node_has_is_said_with_what_there_is_in_all():
    said = reason(pod(cpu="8", memory="1Gi"), node(), pod("other", "n", "500m", "1Gi"))
    assert said == "needs 8 cpu, has 2 in all"


def test_pods_that_ended_take_nothing():
    ended = pod("done", "n", "2", phase="Succeeded")
    assert reason(pod(cpu="2"), node(), ended) == ROOM


def test_a_resource_that_a_node_does_not_have_counts_as_none():
    wanted = pod()
    wanted["spec"]["containers"][0]["resources"]["requests"]["nvidia.com/gpu"] = "1"
    assert reason(wanted, node()) == "needs 1 nvidia.com/gpu, has 0 in all"


def test_a_node_takes_no_more_pods_than_it_allows():
    full = node()
    full["status"]["allocatable"]["pods"] = "1"
    assert reason(pod(), full, pod("other", "n", "0", "0")) == "needs 1 pods, 0 of 1 free"


def test_nodes_that_say_the_same_are_one_line_with_a_count_and_an_example():
    fake = [node(f"fake-{at}", taints=[FAKE]) for at in range(2000)]
    small = [node("a", cpu="2"), node("b", cpu="4")]
    assert survey(pod(cpu="8"), [*small, *fake, node("c", cpu="16")]).lines() == [
        "2,000 nodes: taint fake:NoSchedule is not tolerated, such as fake-0",
        "2 nodes: needs 8 cpu, has at most 4 in all, such as a",
        f"node c: {ROOM}",
    ]


def test_of_many_nodes_that_are_large_enough_ten_are_looked_into():
    nodes = [node(f"n-{at}") for at in range(1000)]
    full = [pod("other", f"n-{at}", "1500m") for at in range(1000)]
    said = survey(pod(), nodes, *full)
    assert said.large_enough == 1000
    assert said.lines() == [
        "10 nodes: needs 1 cpu, at most 0.5 of 2 free, such as n-0",
        "990 more nodes are large enough; their pods were not counted",
    ]


FAKE = {"key": "fake", "effect": "NoSchedule"}
TAINT = {"key": "spot", "value": "yes", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    "toleration",
    [
        {"operator": "Exists"},
        {"key": "spot", "operator": "Exists"},
        {"key": "spot", "value": "yes"},
        {"key": "spot", "value": "yes", "effect": "NoSchedule"},
    ],
)
def test_a_tolerated_taint_keeps_nothing_off(toleration):
    assert reason(pod(tolerations=[toleration]), node(taints=[TAINT])) == ROOM


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "other", "operator": "Exists"},
        {"key": "spot", "value": "no"},
        {"key": "spot", "value": "yes", "effect": "NoExecute"},
    ],
)
def test_a_taint_that_is_not_tolerated_is_named(toleration):
    said = reason(pod(tolerations=[toleration]), node(taints=[TAINT]))
    assert said == "taint spot:NoSchedule is not tolerated"


def test_a_preference_keeps_no_pod_off():
    soft = {**TAINT, "effect": "PreferNoSchedule"}
    assert reason(pod(), node(taints=[soft])) == ROOM


def test_a_label_that_a_node_lacks_is_named():
    wanted = pod(nodeSelector={"disk": "ssd", "zone": "a"})
    assert reason(wanted, node(zone="a")) == "lacks the label disk=ssd"


def test_a_pod_that_an_empty_node_could_take_fits_some_day():
    full = pod("other", "n", "2")
    assert reason(pod(cpu="2"), node(), full) == "needs 2 cpu, 0 of 2 free"
    assert survey(pod(cpu="2"), [node()]).large_enough
    assert not survey(pod(cpu="3"), [node(), node("m")]).large_enough
    assert not survey(pod(), [node(taints=[TAINT])]).large_enough


def test_pods_of_one_shape_share_what_the_nodes_say():
    assert scheduling.needs(pod("a")) == scheduling.needs(pod("b"))
    assert scheduling.needs(pod("a")) != scheduling.needs(pod("b", cpu="2"))
    assert scheduling.needs(pod("a")) != scheduling.needs(pod("b", nodeSelector={"a": "b"}))


def test_requests_are_the_sum_or_the_largest_init_container():
    wanted = pod(cpu="200m", memory="1Gi")
    wanted["spec"]["containers"].append(wanted["spec"]["containers"][0])
    wanted["spec"]["initContainers"] = [{"name": "i", "resources": {"requests": {"cpu": "1"}}}]
    assert scheduling.requests(wanted) == {"pods": 1, "cpu": 1, "memory": 2 * GI}


def test_a_sidecar_among_the_init_containers_and_the_overhead_count_too():
    wanted = pod(cpu="1", memory="1Gi", overhead={"cpu": "250m"})
    sidecar = {"name": "i", "restartPolicy": "Always", "resources": {"requests": {"cpu": "500m"}}}
    wanted["spec"]["initContainers"] = [sidecar]
    assert scheduling.requests(wanted)["cpu"] == Decimal("1.75")


@pytest.mark.parametrize(
    ("provider", "of_cloud"),
    [
        ("gce://project/europe-west1-b/gke-pool-1", True),
        ("aws:///eu-central-1a/i-0123", True),
        ("azure:///subscriptions/x/virtualMachines/0", True),
        ("kind://docker/raykit/raykit-worker", False),
        ("k3s://node", False),
        ("", False),
        (None, False),
        (7, False),
    ],
)
def test_a_nodes_provider_says_whether_a_cloud_made_it(provider, of_cloud):
    assert scheduling.is_of_cloud({"spec": {"providerID": provider}}) is of_cloud
    assert scheduling.is_of_cloud({"spec": None}) is False
