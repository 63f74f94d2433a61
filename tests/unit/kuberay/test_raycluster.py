"""A job waits for a head that comes up, and changes nothing of the cluster."""

from dataclasses import replace

import pytest

from raykit.errors import KubernetesError
from raykit.flows.targets.kinds import OnKubernetes, patient
from raykit.kube.connection import connect
from raykit.kuberay import raycluster, waiting
from raykit.kuberay.raycluster import Cluster
from raykit.progress import Progress

HOME = "/api/v1/namespaces/ray"
HEALTH = f"{HOME}/services/small-head-svc:dashboard/proxy/api/gcs_healthz"
LABELS = {"ray.io/cluster": "small", "ray.io/node-type": "head"}
CRASHED = {
    "name": "ray-head",
    "restartCount": 3,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
}


def conditions(**by_type):
    return [{"type": kind, "status": str(status)} for kind, status in by_type.items()]


def head(ready=False, **status):
    return {
        "metadata": {"name": "small-head", "namespace": "ray", "uid": "pod-1", "labels": LABELS},
        "spec": {"containers": [{"name": "ray-head", "image": "ray:1"}]},
        "status": {"conditions": conditions(Ready=ready), **status},
    }


@pytest.fixture
def small(api, kubeconfig):
    """A cluster that somebody made: its operator has seen it, its head is not ready."""
    kubeconfig(api.url)
    item = {
        "metadata": {"name": "small", "namespace": "ray", "uid": "uid-1", "generation": 1},
        "spec": {"headGroupSpec": {"template": {"spec": {"containers": []}}}},
        "status": {"observedGeneration": 1, "conditions": conditions(HeadPodReady=False)},
    }
    api.keep("rayclusters", item)
    api.keep("pods", head())
    api.keep("events")
    with connect() as connection:
        yield Cluster(connection, "small", "ray", item)


@pytest.fixture
def changes(api):
    return lambda: [path for method, path, _ in api.asked if method not in ("GET", "HEAD")]


def wait(cluster):
    return raycluster.wait_for_head(cluster, Progress(), timeout=60)


def test_a_head_that_comes_up_is_waited_for(small, api, changes, monkeypatch):
    def becomes_ready(*_):
        api.keep("pods", head(ready=True))
        return []

    monkeypatch.setattr(waiting, "events", becomes_ready)
    assert wait(small).name == "small"
    assert changes() == []


def test_a_head_that_cannot_come_up_is_explained_and_nothing_is_changed(small, api, changes):
    api.keep("pods", head(containerStatuses=[CRASHED]))
    with pytest.raises(KubernetesError) as refused:
        wait(small)
    assert "container ray-head ends again and again" in str(refused.value)
    assert changes() == []


def test_a_cluster_that_somebody_suspended_is_not_waited_for(small, api, monkeypatch):
    monkeypatch.setattr(raycluster, "SOON", 0.0)
    small.item["spec"]["suspend"] = True
    api.kept["pods"].clear()
    with pytest.raises(KubernetesError) as refused:
        wait(small)
    assert "ray/small is suspended" in str(refused.value)


def test_a_head_of_an_earlier_spec_takes_jobs(small, api):
    small.item["metadata"]["generation"] = 2
    api.keep("pods", head(ready=True))
    assert wait(small) is small


def test_a_ready_head_costs_no_request(small, api):
    small.item["status"]["conditions"] = conditions(HeadPodReady=True)
    before = len(api.asked)
    assert wait(small) is small
    assert len(api.asked) == before


def test_without_the_right_to_list_pods_the_head_is_asked_itself(small, api):
    api.refuse(f"{HOME}/pods", 403, "pods is forbidden")
    assert wait(small) is small


def test_a_target_waits_for_a_job_only(small, api):
    api.keep("pods", head(containerStatuses=[CRASHED]))
    api.say(HEALTH, "success")
    target = OnKubernetes(small, "reason")
    with target.open(Progress()):
        pass
    with pytest.raises(KubernetesError), patient(target, 60.0).open(Progress()):
        pass
    assert patient(replace(target, patience=1.0), 60.0).patience == 60.0
