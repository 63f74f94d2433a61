"""What is applied to a cluster that runs."""

import copy

import pytest

from raykit.flows.clusters.applying import Plan, keep_autoscaled, plan, remove_beside, renewed
from raykit.kuberay.raycluster import Cluster
from raykit.manifests.render import render
from raykit.spec import load

SPEC = """
name: elastic
image: example.com/ray:2.60.0
head: {memory: 2Gi}
workers:
- {name: small, taskCpus: 1, memory: 1Gi, minReplicas: 1, maxReplicas: 3}
- {name: large, taskCpus: 2, memory: 2Gi, maxReplicas: 2}
autoscaling: {enabled: true}
"""


def ray_cluster(text=SPEC):
    return next(item for item in render(load.load(text), image="") if item["kind"] == "RayCluster")


def groups(item):
    return {group["groupName"]: group for group in item["spec"]["workerGroupSpecs"]}


@pytest.fixture
def running():
    """The cluster after the autoscaler added workers, and ended one."""
    item = copy.deepcopy(ray_cluster())
    groups(item)["small"] |= {"replicas": 2, "scaleStrategy": {"workersToDelete": ["a-pod"]}}
    groups(item)["large"]["replicas"] = 2
    return item


def test_up_again_leaves_the_autoscalers_numbers_as_they_are(running):
    assert keep_autoscaled(ray_cluster(), running) == running


def test_numbers_of_the_autoscaler_stay_within_new_bounds(running):
    edited = SPEC.replace("maxReplicas: 2", "maxReplicas: 1")
    assert groups(keep_autoscaled(ray_cluster(edited), running))["large"]["replicas"] == 1


def test_a_group_that_is_new_begins_with_its_fewest_pods(running):
    renamed = groups(keep_autoscaled(ray_cluster(SPEC.replace("small", "other")), running))
    assert renamed["other"]["replicas"] == 1
    assert "scaleStrategy" not in renamed["other"]


def test_without_the_autoscaler_the_spec_decides(running):
    fixed = SPEC.replace("autoscaling: {enabled: true}\n", "").replace("minReplicas: 1, ", "")
    item = ray_cluster(fixed)
    assert keep_autoscaled(item, running) is item


def test_objects_beside_the_cluster_are_applied_as_they_are(running):
    item = {"kind": "NetworkPolicy", "metadata": {"name": "elastic"}}
    assert keep_autoscaled(item, running) is item


def owned(item, *managers):
    entries = [{"manager": name, "fieldsV1": {"f:spec": {}}} for name in managers]
    status = {"manager": "kuberay-operator", "subresource": "status", "fieldsV1": {"f:status": {}}}
    item["metadata"]["managedFields"] = [*entries, status]
    return item


@pytest.mark.parametrize(
    ("managers", "forces"),
    [
        (["raykit", "python-requests"], True),
        (["raykit"], False),
        (["raykit", "python-requests", "kubectl-edit"], False),
        (["raykit", "argocd-controller"], False),
    ],
)
def test_groups_are_taken_over_from_the_autoscaler_and_from_nobody_else(running, managers, forces):
    applied = []

    class Kept:
        """An API server that takes what it is given."""

        def apply(self, item, *, force=False, dry_run=False):
            applied.append(force)
            return item

        def objects(self, *_, **__):
            return []

    existing = Cluster(Kept(), "elastic", "ray", owned(running, *managers))
    to_do = plan(Kept(), [ray_cluster(SPEC.replace("maxReplicas: 3", "maxReplicas: 4"))], existing)
    assert (to_do.force, applied) == (forces, [forces])
    assert to_do.change.lines == ["workers[small].maxReplicas: 3 -> 4"]


def test_a_worker_that_comes_while_raykit_asks_is_kept(running):
    planned = Plan([keep_autoscaled(ray_cluster(), running)])
    groups(running)["small"]["replicas"] = 3
    del groups(running)["small"]["scaleStrategy"]
    (item,) = renewed(planned, running).items
    assert groups(item)["small"]["replicas"] == 3
    assert "scaleStrategy" not in groups(item)["small"]


MINE = {"ownerReferences": [{"kind": "RayCluster", "name": "elastic", "uid": "uid-elastic"}]}
ANOTHERS = {"ownerReferences": [{"kind": "RayCluster", "name": "elastic", "uid": "uid-before"}]}


def applied(manager, operation="Apply"):
    fields = {"f:spec": {}}
    return {"managedFields": [{"manager": manager, "operation": operation, "fieldsV1": fields}]}


@pytest.mark.parametrize(
    ("metadata", "is_surplus"),
    [
        ({}, False),
        (ANOTHERS, False),
        (applied("kubectl"), False),
        (applied("raykit", "Update"), False),
        (applied("raykit"), True),
        (MINE, True),
        (ANOTHERS | applied("raykit"), True),
    ],
)
def test_only_what_raykit_made_beside_a_cluster_is_removed(running, metadata, is_surplus):
    """A label is set by anybody, such as on a policy that selects the pods of a cluster."""
    item = {"metadata": {"name": "theirs", "namespace": "ray", **metadata}, "spec": {}}
    deleted = []

    class Kept:
        """An API server that has this one object."""

        def objects(self, kind, *_, **__):
            return [item] if kind == "NetworkPolicy" else []

        def apply(self, item, **_):
            return item

        def delete(self, kind, name, *_, **__):
            deleted.append((kind, name))

    running["metadata"]["uid"] = "uid-elastic"
    existing = Cluster(Kept(), "elastic", "ray", running)
    to_do = plan(Kept(), [ray_cluster()], existing)
    assert bool(to_do.surplus) == is_surplus
    assert bool(to_do.change) == is_surplus
    remove_beside(Kept(), existing)
    assert deleted == ([("NetworkPolicy", "theirs")] if is_surplus else [])
