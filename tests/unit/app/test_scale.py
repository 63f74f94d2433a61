"""`raykit scale`: who may change which numbers, what it says, and what it applies."""

import copy
import json

import pytest

from raykit.flows.clusters.scale import numbers, scaled
from tests.unit.app.small_cluster import (
    HEAD,
    changes,
    deleted_before_it_changes,
    keep,
    made_by_raykit,
    runs_a_job,
)

SPEC = """
name: small
image: example.com/ray:2.60.0
auth: {mode: disabled}
head: {memory: 2Gi}
workers:
- {name: few, memory: 1Gi, replicas: 1}
- {name: many, memory: 1Gi, replicas: 2}
"""
OWN = {
    "f:metadata": {"f:labels": {"f:raykit.io/cluster": {}}},
    "f:spec": {"f:workerGroupSpecs": {}},
}


def entry(manager, operation="Apply", fields=OWN):
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


def pod(name, group):
    worker = copy.deepcopy(HEAD)
    worker["metadata"] |= {"name": name, "uid": f"uid-{name}"}
    worker["metadata"]["labels"] |= {"ray.io/node-type": "worker", "ray.io/group": group}
    return worker


@pytest.fixture
def small(prod, spec):
    """A cluster with two worker groups, which raykit applied; all of its pods are ready."""
    workers = [pod("few-a", "few"), pod("many-a", "many"), pod("many-b", "many")]
    keep(prod, spec, *workers, managedFields=[entry("raykit")])
    return prod


def groups(api):
    item = api.kept["rayclusters"]["raykit", "small"]
    return {
        group["groupName"]: (group["replicas"], group["maxReplicas"])
        for group in item["spec"]["workerGroupSpecs"]
    }


def test_fewer_pods_are_said_before_they_end_and_need_consent(small, raykit):
    code, _, said = raykit("scale", "small", "many=1")
    assert code == 2
    assert "workers[many].replicas: 2 -> 1" in said
    assert "1 of 4 pods end" in said
    assert "not confirmed: change small in namespace raykit (1 of 4 pods end)" in said
    assert changes(small) == []


def test_only_what_raykit_applied_is_applied_again(small, raykit):
    small.kept["rayclusters"]["raykit", "small"]["spec"]["suspend"] = False
    del small.kept["pods"]["raykit", "many-b"]
    code, out, _ = raykit("scale", "small", "many=1", "--yes")
    assert (code, out) == (0, "small is ready with many=1\n")
    ((method, body),) = changes(small)
    assert method == "PATCH"
    assert list(body["spec"]) == ["workerGroupSpecs"]
    assert body["metadata"] == {
        "labels": {"raykit.io/cluster": "small"},
        "name": "small",
        "namespace": "raykit",
        "uid": "uid-small",
    }
    assert groups(small) == {"few": (1, 1), "many": (1, 2)}


@pytest.mark.parametrize("again", [True, False])
def test_a_cluster_that_is_deleted_before_the_change_arrives_is_neither_made_nor_changed(
    small, raykit, monkeypatch, again
):
    deleted_before_it_changes(small, monkeypatch, again=again)
    code, _, said = raykit("scale", "small", "many=1", "--yes")
    assert code == 8
    assert "the object was deleted meanwhile, and another one may have its name" in said
    assert "uid-small" in said
    assert bool(small.kept["rayclusters"]) == again
    assert not again or groups(small) == {"few": (1, 1), "many": (2, 2)}


def test_the_most_pods_of_a_group_grow_with_it(small, raykit):
    small.keep(
        "pods", {**small.kept["pods"]["raykit", "few-a"], "metadata": pod("b", "few")["metadata"]}
    )
    assert raykit("scale", "raykit/small", "few=2", "--yes")[0] == 0
    assert groups(small)["few"] == (2, 2)


def test_the_numbers_that_it_has_change_nothing(small, raykit):
    code, _, said = raykit("scale", "small", "few=1", "many=2")
    assert code == 0
    assert "nothing to change" in said
    assert changes(small) == []


def test_while_jobs_run_fewer_pods_need_consent_also_on_our_own_kind(
    small, raykit, kubeconfig, tools
):
    made_by_raykit(small, kubeconfig, tools)
    runs_a_job(small)
    code, _, said = raykit("scale", "small", "many=0")
    assert code == 2
    assert "1 job runs there and may be lost: mine-1" in said
    assert changes(small) == []


def test_an_autoscaled_cluster_is_left_to_its_autoscaler(small, raykit):
    small.kept["rayclusters"]["raykit", "small"]["spec"]["enableInTreeAutoscaling"] = True
    code, _, said = raykit("scale", "small", "few=2", "--yes")
    assert code == 8
    assert "Ray's autoscaler decides how many workers prod:raykit/small has" in said
    assert "maxReplicas in the spec" in said
    assert changes(small) == []


@pytest.mark.parametrize(
    ("manager", "operation", "words"),
    [
        ("argocd-controller", "Update", "Argo CD applies prod:raykit/small"),
        ("kustomize-controller", "Apply", "Flux applies prod:raykit/small"),
        ("helm", "Apply", "Helm applies prod:raykit/small"),
        ("kubectl", "Apply", "were not applied by raykit alone"),
    ],
)
def test_numbers_that_another_tool_applies_stay_as_they_are(
    small, raykit, manager, operation, words
):
    item = small.kept["rayclusters"]["raykit", "small"]
    item["metadata"]["managedFields"].append(entry(manager, operation))
    code, _, said = raykit("scale", "small", "few=2", "--yes")
    assert code == 8
    assert words in said
    assert manager in said
    assert changes(small) == []


def test_a_cluster_that_raykit_did_not_make_is_refused(small, raykit):
    del small.kept["rayclusters"]["raykit", "small"]["metadata"]["annotations"]
    assert raykit("scale", "small", "few=2", "--yes")[0] == 8
    assert changes(small) == []


def test_an_unknown_group_is_named_with_the_nearest_one(small, raykit):
    code, _, said = raykit("scale", "small", "mny=2")
    assert code == 2
    assert "small has no worker group mny" in said
    assert "its groups: few, many" in said
    assert "did you mean many?" in said


def test_fewer_than_the_fewest_are_refused():
    (item,) = [{"metadata": {"name": "x"}, "spec": {"workerGroupSpecs": [{"groupName": "w"}]}}]
    item["spec"]["workerGroupSpecs"][0] |= {"replicas": 2, "minReplicas": 1, "maxReplicas": 2}
    with pytest.raises(Exception, match="keeps at least 1"):
        scaled(item, {"w": 0})


@pytest.mark.parametrize(
    "word", ["few", "few=", "=2", "few=-1", "few=1.5", "few=²", "few=99999999999", ""]
)
def test_what_is_no_group_and_number_is_wrong_usage(raykit, word):
    code, _, said = raykit("scale", "small", word)
    assert code == 2
    assert "is not GROUP=N" in said


def test_a_group_is_named_once(raykit):
    assert numbers(["a=1", "b=2"]) == {"a": 1, "b": 2}
    code, _, said = raykit("scale", "small", "a=1", "a=2")
    assert code == 2
    assert "the group a is named twice" in said


def test_the_result_as_json(small, raykit):
    data = json.loads(raykit("scale", "small", "few=1", "-o", "json")[1])["data"]
    assert data["groups"] == {"few": 1}
    assert (data["name"], data["namespace"], data["context"]) == ("small", "raykit", "prod")
