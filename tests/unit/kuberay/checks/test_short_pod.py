"""A pod that runs one command is deleted, whatever becomes of it."""

import pytest

from raykit.errors import KubernetesError, MissingError
from raykit.kube.connection import connect
from raykit.kuberay.checks import short_pod
from raykit.progress import Progress

PODS = "/api/v1/namespaces/ray/pods"
NAME = "raykit-check-x"
"""The name that the small API server gives a new pod."""


def pod(phase, **state):
    return {
        "metadata": {"name": NAME, "namespace": "ray", "uid": "u"},
        "spec": {"containers": [{"name": "check", "image": "i"}]},
        "status": {
            "phase": phase,
            "containerStatuses": [{"name": "check", "restartCount": 0, "state": state}],
        },
    }


@pytest.fixture
def cluster(api, kubeconfig):
    kubeconfig(api.url)
    for plural in ("pods", "events"):
        api.keep(plural)
    with connect() as connection:
        yield connection


def ran(cluster):
    words = short_pod.manifest("i", ["sh", "-c", "echo"])
    return short_pod.output(cluster, "ray", words, Progress())


def was_deleted(api):
    return ("DELETE", f"{PODS}/{NAME}") in [(method, path) for method, path, _ in api.asked]


def test_its_output_is_returned_and_the_pod_is_gone(cluster, api):
    api.say(f"{PODS}/{NAME}", pod("Succeeded"))
    api.say(f"{PODS}/{NAME}/log", "one\ntwo\n")
    assert ran(cluster) == "one\ntwo"
    assert was_deleted(api)


def test_a_command_that_fails_shows_how_it_ended_and_its_last_lines(cluster, api):
    ended = {"terminated": {"exitCode": 3, "reason": "Error"}}
    api.say(f"{PODS}/{NAME}", pod("Failed", **ended))
    api.say(f"{PODS}/{NAME}/log", "no such module\n")
    with pytest.raises(KubernetesError) as failed:
        ran(cluster)
    assert failed.value.evidence == ("exit 3: Error", "| no such module")
    assert was_deleted(api)


def test_an_image_that_is_nowhere_ends_the_wait_with_the_reason(cluster, api, monkeypatch):
    waiting = {"waiting": {"reason": "ErrImageNeverPull", "message": "not present"}}
    api.say(f"{PODS}/{NAME}", pod("Pending", **waiting))
    with pytest.raises(KubernetesError, match="image i"):
        ran(cluster)
    assert was_deleted(api)


def test_a_pod_that_somebody_deletes_meanwhile_is_not_waited_for(cluster, api):
    api.refuse(f"{PODS}/{NAME}", 404, "not found")
    with pytest.raises(MissingError, match="deleted meanwhile"):
        ran(cluster)


def test_who_may_not_create_pods_learns_that(cluster, api):
    api.refusals["pods"] = 'User "jane" cannot create resource "pods" in API group ""'
    with pytest.raises(MissingError, match="not allowed"):
        ran(cluster)


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [(403, MissingError, "not allowed"), (500, KubernetesError, "cannot be read")],
)
def test_an_output_that_cannot_be_read_is_no_empty_one(cluster, api, status, error, words):
    api.say(f"{PODS}/{NAME}", pod("Succeeded"))
    api.refuse(f"{PODS}/{NAME}/log", status, 'User "jane" cannot get resource "pods/log"')
    with pytest.raises(error, match=words):
        ran(cluster)
    assert was_deleted(api)
