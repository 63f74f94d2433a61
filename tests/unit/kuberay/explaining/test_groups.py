"""While a cluster is waited for: a line a group, with what its pods do or why they cannot."""

import pytest

from raykit.kuberay.explaining.groups import lines
from raykit.kuberay.explaining.scene import Scene
from raykit.kuberay.explaining.stages import stage
from raykit.kuberay.finding import Finding

SCHEDULED = {"type": "PodScheduled", "status": "True"}
READY = [SCHEDULED, {"type": "Ready", "status": "True"}]


def pod(name, group="headgroup", conditions=(SCHEDULED,), state=None, init=(), **meta):
    kind = "head" if group == "headgroup" else "worker"
    labels = {"ray.io/node-type": kind, "ray.io/group": group}
    return {
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "namespace": "r",
            "labels": labels,
            **meta,
        },
        "spec": {"containers": [{"name": "ray", "image": "x:1"}]},
        "status": {
            "conditions": list(conditions),
            "initContainerStatuses": list(init),
            "containerStatuses": [{"name": "ray", "state": state}] if state else [],
        },
    }


def cluster(**groups):
    specs = [{"groupName": name, "replicas": number} for name, number in groups.items()]
    return {
        "metadata": {"name": "c", "namespace": "r"},
        "spec": {"headGroupSpec": {}, "workerGroupSpecs": specs},
    }


def event(reason, message, uid="uid-w"):
    return {"reason": reason, "message": message, "involvedObject": {"uid": uid}}


RUNS = {"running": {"startedAt": "2026-11-24T00:00:00Z"}}


@pytest.mark.parametrize(
    ("of_pod", "events", "words"),
    [
        (pod("w", conditions=()), (), "it waits for a Kubernetes node"),
        (pod("w"), (), "its containers are being created"),
        (
            pod("w"),
            [event("Pulling", 'Pulling image "x:1"')],
            'its Kubernetes node pulls an image (Pulling image "x:1")',
        ),
        (
            pod("w"),
            [event("Pulling", "x"), event("Pulled", "x")],
            "its containers are being created",
        ),
        (pod("w"), [event("Pulling", "x", "another")], "its containers are being created"),
        (pod("w", init=[{"name": "wait-gcs-ready", "state": RUNS}]), (), "until the head answers"),
        (pod("w", init=[{"name": "fetch", "state": RUNS}]), (), "its init container fetch runs"),
        (pod("w", state=RUNS), (), "its containers run, and Ray starts in them"),
        (pod("w", state=RUNS, deletionTimestamp="t"), (), "its old pod is still ending"),
    ],
)
def test_the_stage_of_a_pod_with_which_nothing_is_wrong(of_pod, events, words):
    assert words in stage(of_pod, events)


def test_each_group_that_is_not_ready_has_a_line_and_others_have_none():
    pods = [
        pod("head", conditions=READY),
        pod("a1", "a", state=RUNS),
        pod("a2", "a", conditions=READY),
        pod("b1", "b", conditions=READY),
        pod("c1", "c", state={"waiting": {"reason": "ErrImagePull", "message": "no"}}),
    ]
    assert lines(cluster(a=2, b=1, c=1, d=2), Scene("kind-x", pods=pods), ()) == [
        "group a, 1 of 2 ready: its containers run, and Ray starts in them",
        "group c, 0 of 1 ready: image x:1 cannot be had (ErrImagePull)",
        "group d, 0 of 2 ready: KubeRay has not made all of its pods yet",
    ]


def test_what_is_wrong_with_the_cluster_explains_groups_without_pods():
    refused = Finding("replica-failure", "its pods are refused: the namespace's quota is exceeded")
    of_a_pod = Finding("image", "image x", pod="head")
    assert lines(cluster(a=1), Scene("kind-x"), [of_a_pod, refused]) == [
        "head: its pods are refused: the namespace's quota is exceeded",
        "group a, 0 of 1 ready: its pods are refused: the namespace's quota is exceeded",
    ]


def test_surplus_pods_are_waited_for_too():
    pods = [pod("head", conditions=READY), *(pod(f"a{n}", "a", READY) for n in range(2))]
    assert lines(cluster(a=1), Scene("kind-x", pods=pods), ()) == [
        "group a, 2 of 1 ready: KubeRay has not ended its surplus pods yet"
    ]


def test_a_worker_that_does_not_reach_the_ready_head_is_explained_in_its_groups_line():
    ready = [{**READY[1], "lastTransitionTime": "2026-11-24T00:00:00Z"}]
    pods = [
        pod("head", conditions=ready),
        pod("w", "a", init=[{"name": "wait-gcs-ready", "state": RUNS}]),
    ]
    scene = Scene("kind-x", pods=pods, now=1795478400 + 30)
    assert lines(cluster(a=1), scene, ()) == [
        "group a, 0 of 1 ready: pod w does not reach the head, which is ready"
    ]
