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
        "status": {"allocatable": {"cpu": cpu, "memory": memory}},
    }


def reason(wanted, place, *others):
    line = scheduling.reasons(wanted, [place], others)[0]
    assert line.startswith("node n: ")
    return line.removeprefix("node n: ")


def test_what_is_short_is_said_with_what_is_free():
    said = reason(pod(cpu="8", memory="6Gi"), node(), pod("other", "n", "500m", "1Gi"))
    assert said == "needs 8 cpu, 1.5 of 2 free; needs 6.0Gi memory, 3.0Gi of 4.0Gi free"


def test_pods_that_ended_or_run_elsewhere_take_nothing():
    ended = pod("done", "n", "2", phase="Succeeded")
    assert reason(pod(cpu="2"), node(), ended, pod("far", "other", "2")) == "has room by now"


def test_a_resource_that_a_node_does_not_have_counts_as_none():
    wanted = pod()
    wanted["spec"]["containers"][0]["resources"]["requests"]["nvidia.com/gpu"] = "1"
    assert reason(wanted, node()) == "needs 1 nvidia.com/gpu, 0 of 0 free"


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
    assert reason(pod(tolerations=[toleration]), node(taints=[TAINT])) == "has room by now"


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
    assert reason(pod(), node(taints=[soft])) == "has room by now"


def test_a_label_that_a_node_lacks_is_named():
    wanted = pod(nodeSelector={"disk": "ssd", "zone": "a"})
    assert reason(wanted, node(zone="a")) == "lacks the label disk=ssd"


def test_a_pod_that_an_empty_node_could_take_fits_some_day():
    full = pod("other", "n", "2")
    assert reason(pod(cpu="2"), node(), full) == "needs 2 cpu, 0 of 2 free"
    assert not scheduling.never_fits(pod(cpu="2"), [node()])
    assert scheduling.never_fits(pod(cpu="3"), [node(), node("m")])
    assert scheduling.never_fits(pod(), [node(taints=[TAINT])])


def test_requests_are_the_sum_or_the_largest_init_container():
    wanted = pod(cpu="200m", memory="1Gi")
    wanted["spec"]["containers"].append(wanted["spec"]["containers"][0])
    wanted["spec"]["initContainers"] = [{"name": "i", "resources": {"requests": {"cpu": "1"}}}]
    assert scheduling.requests(wanted) == {"cpu": Decimal(1), "memory": Decimal(2 * GI)}
