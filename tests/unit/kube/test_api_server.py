"""A busy API server is asked again, as long as it asks for that and not for ever."""

import contextlib
import socket
import threading

import pytest

from raykit.errors import KubernetesError, MissingError
from raykit.kube import api_server
from raykit.kube.access import access
from raykit.kube.connection import Kubernetes, connect

NODES = "/api/v1/nodes"
CLUSTER = {
    "apiVersion": "ray.io/v1",
    "kind": "RayCluster",
    "metadata": {"name": "c", "namespace": "ray"},
    "spec": {"headGroupSpec": {"template": {"spec": {"containers": [{"name": "ray-head"}]}}}},
}
CLUSTERS = "/apis/ray.io/v1/namespaces/ray/rayclusters"


@pytest.fixture
def pauses(sleeps_of):
    return sleeps_of(api_server)


@pytest.fixture
def connection(api, kubeconfig, pauses):
    kubeconfig(api.url)
    with connect() as connection:
        yield connection


@pytest.mark.parametrize(
    ("status", "retry_after", "pause"),
    [
        (429, "2", 2.0),
        (429, None, api_server.PAUSE_SECONDS),
        (429, "Fri, 27 Nov 2026 10:00:00 GMT", api_server.PAUSE_SECONDS),
        (503, "3", 3.0),
        (500, "0", api_server.SHORTEST_PAUSE),
    ],
)
def test_a_request_that_was_turned_away_is_sent_again_when_the_api_server_says(
    connection, api, pauses, status, retry_after, pause
):
    api.say(NODES, {"items": []})
    api.turn_away(NODES, 2, status, retry_after)
    assert connection.objects("Node") == []
    assert pauses == [pause, pause]


def test_what_changes_something_is_sent_again_too(connection, api, pauses):
    api.keep("rayclusters")
    api.turn_away(f"{CLUSTERS}/c", 1)
    assert connection.apply(CLUSTER)["metadata"]["uid"] == "uid-c"
    api.turn_away(f"{CLUSTERS}/c", 1)
    assert connection.delete("RayCluster", "c", "ray") is True
    assert [method for method, path, _ in api.asked if path.endswith("/c")] == [
        "PATCH", "PATCH", "DELETE", "DELETE",
    ]  # fmt: skip


@pytest.mark.parametrize("retry_after", ["1", "4000", "99999999999999999999"])
def test_an_api_server_that_stays_busy_is_given_up_after_a_bounded_time(
    connection, api, pauses, retry_after
):
    api.turn_away(NODES, 1000, retry_after=retry_after)
    with pytest.raises(KubernetesError) as busy:
        connection.objects("Node")
    assert "the API server of context kind-here is busy" in busy.value.what
    assert busy.value.evidence == ("too many requests",)
    assert sum(pauses) <= api_server.BUSY_SECONDS


FORBIDS = 'forbidden: User "me" cannot get path "/api/v1/nodes"'


def test_an_api_server_that_is_starting_has_not_read_its_rules_and_is_asked_again(
    connection, api, monkeypatch
):
    paused = []

    class Clock:
        monotonic = staticmethod(lambda: sum(paused))

        @staticmethod
        def sleep(seconds):
            paused.append(seconds)
            api.say(NODES, {"items": []})

    monkeypatch.setattr(api_server, "time", Clock)
    api.refuse(NODES, 403, FORBIDS)
    api.refuse(api_server.READY, 500, "[-]poststarthook/rbac/bootstrap-roles failed")
    assert connection.objects("Node") == []
    assert paused == [api_server.PAUSE_SECONDS]


@pytest.mark.parametrize(("code", "seconds"), [(500, 15), (403, 0), (404, 0)])
def test_what_is_forbidden_is_final_unless_the_api_server_is_starting(
    connection, api, pauses, code, seconds
):
    api.refuse(NODES, 403, FORBIDS)
    api.refuse(api_server.READY, code, "no")
    with pytest.raises(MissingError, match="not allowed"):
        connection.objects("Node")
    assert sum(pauses) == seconds


def test_a_fault_that_asks_for_no_repeat_is_final(connection, api, pauses):
    api.turn_away(NODES, 1, 500)
    with pytest.raises(KubernetesError):
        connection.objects("Node")
    assert pauses == []


def test_a_connection_with_an_end_does_not_wait_for_an_answer_that_drips(kubeconfig):
    over = threading.Event()

    def drip(listener):
        with contextlib.suppress(OSError):
            client, _ = listener.accept()
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
            while not over.wait(0.01):
                client.sendall(b" ")
        client.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        kubeconfig(f"http://127.0.0.1:{listener.getsockname()[1]}")
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        with Kubernetes(access(), 2.0) as connection:
            with pytest.raises(KubernetesError, match="no Kubernetes API server"):
                connection.version()
            with pytest.raises(KubernetesError, match="did not answer in time"):
                connection.version()
        over.set()
