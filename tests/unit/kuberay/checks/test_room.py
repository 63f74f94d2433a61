"""Counting: what a RayCluster asks for, beside what a quota has left."""

import pytest

from raykit.checks import State
from raykit.kube.connection import connect
from raykit.kuberay.checks import room


def template(cpu="1", memory="1Gi", limit="2Gi"):
    resources = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": limit}}
    return {"spec": {"containers": [{"name": "ray", "resources": resources}]}}


def cluster(replicas=2):
    return {
        "metadata": {"name": "c"},
        "spec": {
            "headGroupSpec": {"template": template()},
            "workerGroupSpecs": [
                {"groupName": "w", "template": template(cpu="500m"), "replicas": replicas}
            ],
        },
    }


def quota(hard, used=None):
    return {
        "metadata": {"name": "q", "namespace": "n"},
        "status": {"hard": hard, "used": used or {}},
    }


@pytest.mark.parametrize(
    ("hard", "used", "lines"),
    [
        ({"pods": "3"}, {"pods": "0"}, []),
        ({"pods": "3"}, {"pods": "1"}, ["pods: needs 3, 2 of 3 is free (quota q)"]),
        ({"count/pods": "2"}, None, ["count/pods: needs 3, 2 of 2 is free (quota q)"]),
        ({"requests.cpu": "2"}, None, []),
        ({"cpu": "1900m"}, None, ["cpu: needs 2, 1.9 of 1.9 is free (quota q)"]),
        (
            {"limits.memory": "5Gi"},
            None,
            ["limits.memory: needs 6.0Gi, 5.0Gi of 5.0Gi is free (quota q)"],
        ),
        (
            {"requests.memory": "3Gi"},
            {"requests.memory": "4Gi"},
            ["requests.memory: needs 3.0Gi, 0.0Gi of 3.0Gi is free (quota q)"],
        ),
        (
            {"count/rayclusters.ray.io": "1"},
            {"count/rayclusters.ray.io": "1"},
            ["count/rayclusters.ray.io: needs 1, 0 of 1 is free (quota q)"],
        ),
        ({"persistentvolumeclaims": "0"}, None, []),
    ],
)
def test_a_quota_with_too_little_left_says_how_much_is_free(hard, used, lines):
    assert list(room.short(quota(hard, used), cluster())) == lines


def test_a_group_without_replicas_counts_its_smallest_number():
    item = cluster()
    group = item["spec"]["workerGroupSpecs"][0]
    del group["replicas"]
    group["minReplicas"] = 0
    assert list(room.short(quota({"pods": "1"}), item)) == []


@pytest.mark.parametrize(
    "scope",
    [
        {"scopes": ["BestEffort"]},
        {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass"}]}},
    ],
)
def test_a_quota_of_some_pods_only_is_left_to_the_dry_run_of_each(scope):
    of_some = quota({"pods": "0"})
    of_some["spec"] = {**of_some.get("spec", {}), **scope}
    assert list(room.short(of_some, cluster())) == []


def test_a_quota_that_was_just_made_has_no_status_yet():
    new = {"metadata": {"name": "q", "namespace": "n"}, "spec": {"hard": {"pods": "1"}}}
    assert list(room.short(new, cluster())) == ["pods: needs 3, 1 of 1 is free (quota q)"]


PODS = 'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1'
SECURITY = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": a'


@pytest.fixture
def refusing(api, kubeconfig):
    """An API server that refuses pods; `api.refusals["pods"]` says why."""
    kubeconfig(api.url)
    api.keep("rayclusters")
    api.keep("pods")
    return api


def admitted():
    return room.admission(connect(), "n", cluster())


def test_a_quota_that_the_clusters_own_pods_use_refuses_nothing(refusing):
    refusing.refusals["pods"] = PODS
    assert admitted().what.endswith("the namespace's quota is exceeded")
    item = cluster()
    item["metadata"]["namespace"] = "n"
    refusing.keep("rayclusters", item)
    assert admitted().state is State.ok
    refusing.refusals["pods"] = SECURITY
    assert admitted().what.endswith("they violate the namespace's Pod Security level")


def test_who_may_not_read_the_cluster_still_learns_of_the_quota(refusing):
    refusing.refusals["pods"] = PODS
    refusing.refuse("/apis/ray.io/v1/namespaces/n/rayclusters/c", 403, "no")
    assert admitted().what.endswith("the namespace's quota is exceeded")
