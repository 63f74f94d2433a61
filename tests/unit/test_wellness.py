"""When the tests on kind call the shared cluster well, from objects as Kubernetes shows them."""

import copy
from datetime import UTC, datetime

import pytest

from tests.kind.wellness import SHARED, judged

NOW = datetime(2026, 11, 27, 9, 0, 0, tzinfo=UTC).timestamp()
BIRTHS = {"far": "2026-11-27T08:30:00.123456789Z"}
READY = [{"type": "Ready", "status": "True"}]


def pod(name, namespace, started="2026-11-27T08:40:00Z", **labels):
    running = {"state": {"running": {"startedAt": started}}}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"nodeName": "far"},
        "status": {"phase": "Running", "conditions": READY, "containerStatuses": [running]},
    }


def item(kind, name, namespace, spec, status):
    metadata = {"name": name, "namespace": namespace, "generation": 2}
    return {"kind": kind, "metadata": metadata, "spec": spec, "status": status}


WELL = {
    "node": {
        "kind": "Node",
        "metadata": {"name": "far"},
        "spec": {},
        "status": {"conditions": READY},
    },
    "operator": pod("kuberay-operator-1", "ray-system"),
    "deployment": item(
        "Deployment",
        "kuberay-operator",
        "ray-system",
        {"replicas": 1},
        {"observedGeneration": 2, "availableReplicas": 1, "updatedReplicas": 1},
    ),
    "lease": item(
        "Lease",
        "ray-operator-leader",
        "ray-system",
        {"renewTime": "2026-11-27T08:59:58.123456Z"},
        {},
    ),
    "head": pod("single-node-head", "raykit", **{"ray.io/cluster": "single-node"}),
    "cluster": item(
        "RayCluster",
        "single-node",
        "raykit",
        {},
        {"conditions": [{"type": "HeadPodReady", "status": "True"}]},
    ),
    "of a test": pod("of-a-test", "t-one", started="2026-11-27T08:00:00Z"),
}


def found(**changes):
    """What is ill where one object has other values. changes: `name="path/to/value", value`."""
    items = copy.deepcopy(WELL)
    for name, (path, value) in changes.items():
        *places, last = path.split("/")
        target = items[name]
        for place in places:
            target = target[int(place)] if isinstance(target, list) else target[place]
        target[last] = value
    return judged(items.values(), BIRTHS, NOW, SHARED)


def test_a_cluster_where_all_is_well_has_no_ills_and_pods_of_tests_do_not_count():
    assert found() == []
    assert judged(WELL.values(), BIRTHS, NOW, (*SHARED, "t-one")) == ["pod of-a-test"]


RUNNING = "status/containerStatuses/0/state/running"


@pytest.mark.parametrize(
    ("name", "path", "value", "ill"),
    [
        ("node", "status/conditions", [], "Kubernetes node far"),
        (
            "node",
            "spec/taints",
            [{"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}],
            "Kubernetes node far",
        ),
        ("head", "status/conditions", [], "pod single-node-head"),
        # From before the power of its Kubernetes node went.
        ("head", f"{RUNNING}/startedAt", "2026-11-27T08:29:59Z", "pod single-node-head"),
        ("deployment", "status/availableReplicas", 0, "deployment kuberay-operator"),
        ("deployment", "metadata/generation", 3, "deployment kuberay-operator"),
        ("lease", "spec/renewTime", "2026-11-27T08:59:40.123456Z", "lease ray-operator-leader"),
        ("lease", "spec/renewTime", None, "lease ray-operator-leader"),
        # A new operator waits for the lease of the old one.
        ("operator", f"{RUNNING}/startedAt", "2026-11-27T08:59:58Z", "lease ray-operator-leader"),
        ("cluster", "status/conditions", [], "cluster single-node"),
        ("cluster", "status/desiredWorkerReplicas", 1, "cluster single-node"),
        ("head", "metadata/deletionTimestamp", "2026-11-27T08:59:58Z", "cluster single-node"),
    ],
)
def test_what_is_ill_is_named(name, path, value, ill):
    assert found(**{name: (path, value)}) == [ill]


def test_a_pod_that_has_ended_is_not_ill():
    assert found(operator=("status/phase", "Succeeded")) == []
