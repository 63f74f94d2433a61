"""What applying a spec again would change, and which pods end of it, as KubeRay decides it."""

import copy

import pytest

from raykit.manifests import change
from raykit.manifests.change import Change
from raykit.manifests.render import render
from raykit.spec import load

SPEC = """
name: pair
image: example.com/ray:2.60.0
head: {taskCpus: 0, memory: 2Gi, env: {MODE: fast}}
workers: [{name: w, replicas: 3, memory: 1Gi}]
"""


def rendered(text=SPEC):
    (item,) = render(load.load(text), image="")
    return item


def after(edit):
    item = copy.deepcopy(rendered())
    edit(item["spec"])
    return change.between(rendered(), item)


def test_the_same_spec_changes_nothing():
    assert not change.between(rendered(), rendered())


def test_a_changed_variable_restarts_all_pods_and_its_value_is_not_shown():
    found = change.between(rendered(), rendered(SPEC.replace("fast", "hunter2")))
    assert found.restarts
    assert found.effect(4) == "all 4 pods restart"
    assert found.lines == ["head.containers[ray-head].env[MODE].value: changed"]


def test_fewer_replicas_end_workers_and_nothing_else():
    found = after(lambda spec: spec["workerGroupSpecs"][0].update(replicas=1))
    assert found.lines == ["workers[w].replicas: 3 -> 1"]
    assert (found.restarts, found.ending_workers) == (False, 2)
    assert found.effect(4) == "2 of 4 pods end"


def test_more_replicas_end_nothing():
    found = after(lambda spec: spec["workerGroupSpecs"][0].update(replicas=5, maxReplicas=5))
    assert found
    assert not found.ends_pods
    assert found.effect(4) == "running pods stay"


def test_a_new_group_restarts_all_pods():
    found = after(lambda spec: spec["workerGroupSpecs"].append({"groupName": "more"}))
    assert found.lines == ["workers[more]: added"]
    assert found.restarts


@pytest.mark.parametrize("key", ["tolerations", "schedulingGates"])
def test_what_kuberay_leaves_out_of_its_hash_restarts_nothing(key):
    found = after(
        lambda spec: spec["headGroupSpec"]["template"]["spec"].update({key: [{"key": "a"}]})
    )
    assert found
    assert not found.restarts


def test_without_the_strategy_recreate_no_pod_restarts():
    def edit(spec):
        spec["upgradeStrategy"] = {"type": "None"}
        spec["rayVersion"] = "2.61.0"

    found = after(edit)
    assert "rayVersion: 2.60.0 -> 2.61.0" in found.lines
    assert not found.restarts


def test_a_change_of_many_lines_is_shortened():
    found = after(lambda spec: spec.update({f"key{number}": 1 for number in range(30)}))
    shown = change.shortened(found.lines)
    assert len(shown) == change.MOST_LINES + 1
    assert shown[-1] == "and 18 more"


def test_the_hash_annotation_of_a_base_hides_no_change_of_an_overlay():
    overlay = copy.deepcopy(rendered())
    overlay["spec"]["headGroupSpec"]["template"]["spec"]["nodeSelector"] = {"pool": "ray"}
    assert overlay["metadata"]["annotations"] == rendered()["metadata"]["annotations"]
    found = change.between(rendered(), overlay)
    assert found.restarts
    assert found.lines == ["head.nodeSelector: added"]


@pytest.mark.parametrize(
    ("seen", "pods", "words"),
    [
        (Change(restarts=True), 0, "no pod runs that would end"),
        (Change(ending_workers=2), 0, "no pod runs that would end"),
        (Change(ending_workers=5), 3, "3 of 3 pods end"),
        (Change(restarts=True), 1, "its pod restarts"),
        (Change(outdates=True), 3, "running pods stay as they are"),
        (Change(), 0, "running pods stay"),
    ],
)
def test_the_effect_names_no_more_pods_than_there_are(seen, pods, words):
    assert words in seen.effect(pods)
