"""Which pods of a RayCluster count as ready, whatever a mesh or a mirror made of them."""

import pytest

from raykit.kuberay import pods

RAY = "mirror:5000/ray:1"
MESH = {"name": "istio-proxy", "image": "mesh:1"}


def pod(role="head", ready=True, group=None, first=(), name="ray", image=RAY, **meta):
    labels = {"ray.io/node-type": role, "ray.io/group": group or f"{role}s"}
    status = {"type": "Ready", "status": str(ready)}
    return {
        "metadata": {"name": role, "labels": labels, **meta},
        "spec": {"containers": [*first, {"name": name, "image": image}]},
        "status": {"conditions": [status]},
    }


def group(replicas=None, name="workers", container="ray", **more):
    template = {"spec": {"containers": [{"name": container, "image": "ray:1"}]}}
    wanted = {} if replicas is None else {"replicas": replicas}
    return {"groupName": name, "template": template, **wanted, **more}


def cluster(*groups, generation=1, seen=1, ready="True", container="ray"):
    conditions = [] if ready is None else [{"type": "HeadPodReady", "status": ready}]
    return {
        "metadata": {"generation": generation},
        "spec": {"headGroupSpec": group(container=container), "workerGroupSpecs": list(groups)},
        "status": {"observedGeneration": seen, "conditions": conditions},
    }


def test_a_head_is_ready_when_the_operator_has_seen_the_spec_and_says_so():
    assert pods.head_is_ready(cluster(), [pod()])
    assert not pods.head_is_ready(cluster(generation=2), [pod()])
    assert not pods.head_is_ready(cluster(ready="False"), [pod()])
    assert not pods.head_is_ready(cluster(), [])
    assert not pods.head_is_ready(cluster(), [pod(ready=False)])


def test_where_the_operator_gives_no_conditions_the_pod_decides():
    assert pods.head_is_ready(cluster(ready=None), [pod()])
    assert not pods.head_is_ready(cluster(ready=None), [pod(ready=False)])


def test_a_head_that_is_about_to_be_replaced_is_not_the_one_that_is_waited_for():
    ending = pod(deletionTimestamp="2026-11-24T00:00:18Z")
    assert not pods.head_is_ready(cluster(), [ending])


def test_an_image_that_a_mirror_renamed_and_a_mesh_before_it_change_nothing():
    assert pods.head_is_ready(cluster(), [pod(first=[MESH])])
    assert pods.ready_workers(cluster(group(1)), [pod("worker", first=[MESH])]) == 1


def test_ready_workers_are_those_of_groups_that_the_spec_still_has():
    of_cluster = [pod(), pod("worker"), pod("worker", ready=False), pod("worker", group="gone")]
    assert pods.ready_workers(cluster(group(2)), of_cluster) == 1
    assert pods.ready_workers(cluster(), of_cluster) == 0


def test_wanted_workers_follow_replicas_and_the_autoscalers_minimum():
    assert pods.wanted_workers(cluster()) == 0
    assert pods.wanted_workers(cluster(group(2), group(1))) == 3
    assert pods.wanted_workers(cluster(group(minReplicas=1))) == 1
    assert pods.wanted_workers(cluster(group(2, numOfHosts=2))) == 4
    assert pods.wanted_workers(cluster(group(2, suspend=True))) == 0


@pytest.mark.parametrize(
    ("item", "made", "image"),
    [
        (cluster(), pod(first=[MESH]), RAY),
        (cluster(container="mine"), pod(first=[MESH], name="mine"), RAY),
        (cluster(group(container="w")), pod("worker", first=[MESH], name="w"), RAY),
        ({}, pod("worker", first=[MESH], name="ray-worker"), RAY),
        ({}, pod(first=[MESH], name="other"), "mesh:1"),
    ],
)
def test_the_ray_container_has_the_name_of_the_templates_first(item, made, image):
    assert pods.ray_container(item, made)["image"] == image
