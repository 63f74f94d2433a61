"""What Kubernetes tells of a cluster: the readable parts are kept, the others are named."""

import io
import json
import time

import pytest

from raykit.kube.connection import connect
from raykit.kuberay.evidence import cluster as gatherer
from raykit.kuberay.evidence.containers import Log, logs_of
from raykit.kuberay.raycluster import Cluster
from raykit.measure.keeping import evidence
from raykit.measure.keeping.evidence import Collected, Collection

HERE = "/api/v1/namespaces/ray"
ITEM = {
    "metadata": {
        "name": "small",
        "namespace": "ray",
        "uid": "u",
        "managedFields": [{"manager": "x"}],
    },
    "spec": {"headGroupSpec": {"template": {"spec": {"containers": [{"name": "ray-head"}]}}}},
}
POD = {
    "metadata": {
        "name": "small-head-x",
        "namespace": "ray",
        "uid": "p",
        "labels": {"ray.io/node-type": "head", "ray.io/cluster": "small"},
    },
    "spec": {
        "nodeName": "n-1",
        "containers": [
            {"name": "ray-head", "env": [{"name": "DB_PASSWORD", "value": "correct-horse"}]}
        ],
    },
    "status": {
        "containerStatuses": [
            {"name": "ray-head", "restartCount": 1, "state": {"running": {}}},
            {"name": "autoscaler", "restartCount": 0, "state": {"waiting": {"reason": "x"}}},
        ]
    },
}


def event(name, uid):
    return {"metadata": {"name": name}, "involvedObject": {"name": name, "uid": uid}}


@pytest.fixture
def small(api, kubeconfig):
    kubeconfig(api.url)
    api.keep("rayclusters", ITEM)
    api.keep("pods", POD)
    api.keep("nodes", {"metadata": {"name": "n-1"}, "status": {"conditions": []}})
    for plural in ("networkpolicies", "poddisruptionbudgets", "resourcequotas", "deployments"):
        api.keep(plural)
    api.say(
        f"{HERE}/events",
        {
            "metadata": {},
            "items": [event("small", "u"), event("small-head-gone", "g"), event("x", "y")],
        },
    )
    api.say(f"{HERE}/pods/small-head-x/log", "password=correct-horse\n")
    with connect() as connection:
        yield Cluster(connection, "small", "ray", ITEM)


def gathered(cluster):
    into = Collection(time.monotonic() + 60)
    gatherer.gather(cluster, into)
    out = io.BytesIO()
    collected = into.close(out, Collected("x", 0.0, "", 0.0, {}))

    def file(name):
        return evidence.read_file(io.BytesIO(out.getvalue()), name)

    return collected, file


def test_objects_events_and_logs_are_kept_without_secrets(small):
    collected, file = gathered(small)
    assert "managedFields" not in json.loads(file("kubernetes/raycluster.json"))["metadata"]
    names = [each["metadata"]["name"] for each in json.loads(file("kubernetes/events.json"))]
    assert names == ["small", "small-head-gone"]
    assert file("pods/small-head-x/ray-head.log") == b"password=[redacted]\n"
    assert file("pods/small-head-x/ray-head.previous.log") == b"password=[redacted]\n"
    assert b"correct-horse" not in file("kubernetes/pods.json")
    assert json.loads(file("kubernetes/nodes.json"))[0]["metadata"]["name"] == "n-1"
    assert collected.missing == ["KubeRay's operator: there is none"]


def test_what_the_user_may_not_read_is_named_and_the_rest_is_kept(small, api):
    refused = 'events is forbidden: User "jane" cannot list resource "events"'
    api.refuse(f"{HERE}/events", 403, refused)
    api.refuse(f"{HERE}/pods/small-head-x/log", 403, "pods is forbidden")
    api.refuse("/apis/apps/v1/deployments", 403, "deployments is forbidden")
    collected, file = gathered(small)
    assert file("kubernetes/pods.json")
    assert sorted(line.partition(":")[0] for line in collected.missing) == [
        "KubeRay's operator",
        "events",
        "pods/small-head-x/ray-head.log",
        "pods/small-head-x/ray-head.previous.log",
    ]


def test_an_api_server_that_is_gone_leaves_an_archive_that_says_so(small, api):
    for path in ("/api/v1", "/apis"):
        api.refuse(path, 500, "down")
    api.kept.clear()
    api.answers.clear()
    collected, _ = gathered(small)
    assert any(line.startswith("pods: ") for line in collected.missing)


def test_a_container_that_never_ran_has_no_log():
    assert logs_of(POD) == [
        Log("small-head-x", "ray", "ray-head"),
        Log("small-head-x", "ray", "ray-head", previous=True),
    ]
