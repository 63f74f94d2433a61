"""An API server that cannot be used is refused within 10 s, and its faults are told apart."""

import contextlib
import socket
import threading
import time

import pytest

from raykit.errors import ConflictError, KubernetesError, MissingError
from raykit.kube import api_server
from raykit.kube.connection import connect, is_loopback, secret_value

NODES = "/api/v1/nodes"
HEAD_GROUP = {
    "rayStartParams": {"num-cpus": "0"},
    "template": {"spec": {"containers": [{"name": "ray-head"}]}},
}


@pytest.fixture
def connection(api, kubeconfig):
    kubeconfig(api.url)
    with connect() as connection:
        yield connection


def refusal():
    with pytest.raises(KubernetesError) as refused:
        connect()
    return refused.value


def test_nothing_that_listens_says_kind_up_for_a_kind_context(kubeconfig):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    kubeconfig(f"http://127.0.0.1:{port}")
    error = refusal()
    assert "nothing listens where the API server of context kind-here" in error.what
    assert error.next == "raykit kind up --name here"


def test_a_server_that_never_answers_is_given_up_within_10_seconds(kubeconfig, monkeypatch):
    assert api_server.CONNECT_SECONDS <= api_server.READ_SECONDS < 10
    monkeypatch.setattr(api_server, "READ_SECONDS", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        kubeconfig(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert "did not answer in time" in refusal().what
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):  # it was asked once
            silent.accept()


@pytest.mark.parametrize(
    ("scheme", "said"),
    [("http", "cannot be reached"), ("https", "ended the connection before TLS was agreed")],
)
def test_a_server_that_closes_at_once_is_no_matter_of_trust(kubeconfig, scheme, said):
    with socket.socket() as closing:
        closing.bind(("127.0.0.1", 0))
        closing.listen()

        def close() -> None:
            # Read first: what is closed with bytes unread is reset.
            with contextlib.suppress(OSError), closing.accept()[0] as link:
                link.recv(65536)

        threading.Thread(target=close, daemon=True).start()
        kubeconfig(f"{scheme}://127.0.0.1:{closing.getsockname()[1]}")
        assert said in refusal().what


def test_plain_http_behind_an_https_address_is_a_tls_fault(api, kubeconfig):
    kubeconfig(api.url.replace("http:", "https:"), **{"insecure-skip-tls-verify": True})
    assert "TLS failed" in refusal().what


def test_a_name_that_does_not_resolve_is_said(kubeconfig):
    kubeconfig("https://nowhere.invalid:6443")
    assert "cannot be resolved" in refusal().what


def test_credentials_that_are_not_accepted_are_told_from_an_unreachable_server(api, kubeconfig):
    kubeconfig(api.url)
    api.refuse("/version", 401, "Unauthorized")
    assert "does not accept the kubeconfig's credentials" in refusal().what


@pytest.mark.parametrize("body", ["<html>login</html>", {"hello": 1}])
def test_something_else_than_kubernetes_is_recognised(api, kubeconfig, body):
    kubeconfig(api.url)
    api.say("/version", body)
    assert refusal().what == f"what answers at {api.url} is no Kubernetes API server"


def test_loopback_is_never_asked_through_a_proxy(api, kubeconfig, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    kubeconfig(api.url)
    with connect() as connection:
        assert connection.version() == "v1.36.2"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://127.0.0.1:6443", True),
        ("https://[::1]:6443", True),
        ("https://localhost", True),
        ("https://10.0.0.1:6443", False),
        ("https://localhost.example.com", False),
    ],
)
def test_loopback_is_known_by_its_address(url, expected):
    assert is_loopback(url) is expected


def test_an_object_that_is_not_there_is_none(connection):
    assert connection.get("Secret", "absent", "ray") is None
    assert connection.delete("Secret", "absent", "ray") is False


def test_what_we_may_not_read_is_missing_permission(connection, api):
    api.refuse(NODES, 403, "nodes is forbidden: User cannot list")
    with pytest.raises(MissingError, match="not allowed in context kind-here") as refused:
        connection.objects("Node")
    assert refused.value.next.endswith("auth can-i --list")


def test_fields_of_another_owner_are_a_conflict(connection, api):
    path = "/api/v1/namespaces/ray"
    api.refuse(path, 409, 'conflict with "argocd-controller": .metadata.labels')
    with pytest.raises(ConflictError) as conflict:
        connection.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ray"}})
    assert "argocd-controller" in conflict.value.evidence[0]


def test_a_field_that_the_crd_there_does_not_know_is_named(connection, api):
    path = "/apis/ray.io/v1/namespaces/ray/rayclusters/c"
    api.refuse(
        path, 500, "failed to create typed patch object: .spec.x: field not declared in schema"
    )
    item = {"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "c"}}
    item["metadata"]["namespace"] = "ray"
    with pytest.raises(MissingError, match="does not know a field") as refused:
        connection.apply(item)
    assert ".spec.x" in refused.value.evidence[0]


def test_apply_is_server_side_with_raykit_as_owner_and_changes_nothing_on_the_way(connection, api):
    item = {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {"name": "c", "namespace": "ray", "labels": {"raykit.io/cluster": "c"}},
        "spec": {"rayVersion": "2.60.0", "headGroupSpec": HEAD_GROUP},
    }
    assert connection.apply(item) == item
    method, path, body = api.asked[-1]
    assert (method, path) == ("PATCH", "/apis/ray.io/v1/namespaces/ray/rayclusters/c")
    assert body == item


def test_kinds_are_discovered_by_the_api_itself(connection, api):
    assert connection.serves("ray.io/v1", "rayclusters") is False
    api.say("/apis/ray.io/v1", {"resources": [{"name": "rayjobs"}]})
    assert connection.serves("ray.io/v1", "rayclusters") is False
    api.say("/apis/ray.io/v1", {"resources": [{"name": "rayclusters"}]})
    assert connection.serves("ray.io/v1", "rayclusters") is True


def test_a_watch_tells_that_something_changed_and_asks_for_few_objects(connection, api):
    path = "/apis/ray.io/v1/namespaces/ray/rayclusters"
    api.say(path, {"type": "ADDED"})
    assert list(connection.changes("RayCluster", "ray", 10, fields={"metadata.name": "c"}))
    assert api.queries[-1] == {
        "watch": "true",
        "timeoutSeconds": "10",
        "fieldSelector": "metadata.name=c",
    }


@pytest.mark.parametrize(
    ("answer", "seconds", "ends"),
    [
        (lambda: (200, "the last line\n"), 60, True),
        (lambda: (403, {"kind": "Status", "message": "pods/log is forbidden"}), 60, False),
        (lambda: time.sleep(1) or (200, "a line of a container that runs\n"), 0.2, False),
    ],
)
def test_the_log_of_a_container_that_has_ended_has_an_end(
    connection, api, monkeypatch, answer, seconds, ends
):
    monkeypatch.setattr(api, "answer", lambda *_: answer())
    assert connection.log_ends("head", "ray", "ray-head", seconds) is ends
    assert api.queries[-1]["follow"] == "true"


def test_an_api_group_that_is_not_there_is_answered_in_plain_text(connection, api):
    api.say("/apis/ray.io/v1", "404 page not found\n", 404)
    assert connection.serves("ray.io/v1", "rayclusters") is False


def test_an_api_server_that_hides_its_version_is_one_all_the_same(api, kubeconfig):
    kubeconfig(api.url)
    api.refuse("/version", 403, 'forbidden: User "me" cannot get path "/version"')
    with connect() as connection:
        assert connection.get("Secret", "absent", "ray") is None


@pytest.mark.parametrize(
    ("said", "rule", "command"),
    [
        (
            'pods is forbidden: User "me" cannot list resource "pods" in API group "" in the '
            'namespace "ray"',
            'in a Role: {apiGroups: [""], resources: ["pods"], verbs: ["list"]}',
            "raykit doctor --context kind-here -n ray   (prints all missing rules as a Role)",
        ),
        (
            'rayclusters.ray.io is forbidden: User "me" cannot list resource "rayclusters" in API '
            'group "ray.io" at the cluster scope',
            'in a ClusterRole: {apiGroups: ["ray.io"], resources: ["rayclusters"], '
            'verbs: ["list"]}',
            "kubectl --context kind-here auth can-i list rayclusters.ray.io -A",
        ),
    ],
)
def test_a_rule_that_is_missing_is_named(connection, api, said, rule, command):
    api.refuse(NODES, 403, said)
    with pytest.raises(MissingError) as refused:
        connection.objects("Node")
    assert refused.value.evidence == (said, f"the rule that is missing, {rule}")
    assert refused.value.next == command


def test_an_api_server_below_a_path_is_asked_there(api, kubeconfig):
    kubeconfig(f"{api.url}/k8s/clusters/c-1/")
    api.say("/k8s/clusters/c-1/version", {"gitVersion": "v1.36.2"})
    api.say("/k8s/clusters/c-1/api/v1/nodes", {"items": []})
    with connect() as connection:
        assert connection.objects("Node") == []
        assert connection.status_of("/version") == 200


def test_a_refusal_that_holds_a_shell_command_is_not_made_one(connection, api):
    said = 'cannot list resource "pods; rm -rf ~" in API group "" in the namespace "ray"'
    api.refuse(NODES, 403, said)
    with pytest.raises(MissingError) as refused:
        connection.objects("Node")
    assert refused.value.next == "kubectl --context kind-here auth can-i --list"


def test_the_token_of_the_kubeconfig_is_sent(connection, api):
    assert set(api.tokens) == {"Bearer letter"}


def test_a_value_of_a_secret_is_decoded(connection, api):
    api.say("/api/v1/namespaces/ray/secrets/c", {"data": {"auth_token": "YWJj"}})
    assert secret_value(connection, "c", "auth_token", "ray") == "abc"
    assert secret_value(connection, "c", "other", "ray") is None


@pytest.mark.parametrize(
    ("kind", "plural", "policy"),
    [("RayCluster", "rayclusters", "Foreground"), ("Pod", "pods", "Background")],
)
def test_what_owns_nothing_is_deleted_without_a_look_for_what_it_owns(
    connection, api, kind, plural, policy
):
    api.keep(plural)
    connection.delete(kind, "x", "ray")
    method, _, body = api.asked[-1]
    assert (method, body["propagationPolicy"]) == ("DELETE", policy)
