"""The way to a head: through the API server, with what the kubeconfig and the Secret hold."""

import base64
import time

import pytest

from raykit.errors import KubernetesError, MissingError
from raykit.kube import connection
from raykit.kuberay import reach
from raykit.kuberay.raycluster import Cluster
from raykit.progress import Progress, Silent
from raykit.submission.transport import Transport

PROXY = "/api/v1/namespaces/ray/services/small-head-svc:dashboard/proxy"
SECRET = "/api/v1/namespaces/ray/secrets/small"


@pytest.fixture
def cluster(api, kubeconfig, monkeypatch):
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)

    def make(mode="token", options=None, **user):
        kubeconfig(api.url, **({"user": user} if user else {}))
        item = {
            "metadata": {"name": "small", "namespace": "ray"},
            "spec": {
                "authOptions": {"mode": mode, **(options or {})},
                "headGroupSpec": {"template": {"spec": {"containers": [{"name": "ray-head"}]}}},
            },
        }
        api.say(SECRET, {"data": {"auth_token": base64.b64encode(b"ray-token").decode()}})
        return Cluster(connected[-1], "small", "ray", item)

    connected = []

    def connect(*words, options=None, **user):
        kubeconfig(api.url, **({"user": user} if user else {}))
        connected.append(connection.connect())
        return make(*words, options=options, **user)

    yield connect
    for each in connected:
        each.close()


def test_both_tokens_travel_and_neither_is_shown(cluster, api):
    endpoint = reach.endpoint(cluster())
    assert endpoint.url == api.url + PROXY
    assert endpoint.headers == {
        "Authorization": "Bearer letter",
        "X-Ray-Authorization": "Bearer ray-token",
    }
    assert set(endpoint.secrets) == {"letter", "ray-token"}
    assert "letter" not in repr(endpoint)
    assert "ray-token" not in repr(endpoint)
    assert "token" not in str(endpoint.target)


def test_a_password_is_sent_as_basic_credentials(cluster):
    endpoint = reach.endpoint(cluster(username="me", password="secret"))
    pair = base64.b64encode(b"me:secret").decode()
    assert endpoint.headers["Authorization"] == f"Basic {pair}"


def test_a_token_file_is_read(cluster, tmp_path):
    (tmp_path / "token").write_text("from-file\n")
    endpoint = reach.endpoint(cluster(tokenFile=str(tmp_path / "token")))
    assert endpoint.headers["Authorization"] == "Bearer from-file"


def test_a_cluster_without_authentication_has_no_ray_token(cluster):
    endpoint = reach.endpoint(cluster("disabled"))
    assert "X-Ray-Authorization" not in endpoint.headers


def test_a_secret_that_the_spec_names_holds_the_token(cluster, api):
    small = cluster(options={"secretName": "own"})
    own = {"data": {"auth_token": base64.b64encode(b"own-token").decode()}}
    api.say("/api/v1/namespaces/ray/secrets/own", own)
    assert reach.endpoint(small).headers["X-Ray-Authorization"] == "Bearer own-token"


def test_a_cluster_that_asks_kubernetes_gets_our_kubernetes_token(cluster, api):
    endpoint = reach.endpoint(cluster(options={"enableK8sTokenAuth": True}))
    assert endpoint.headers["X-Ray-Authorization"] == "Bearer letter"
    assert not any(path == SECRET for _, path, _ in api.asked)


def test_a_cluster_that_asks_kubernetes_needs_a_user_with_a_token(cluster, monkeypatch):
    small = cluster(options={"enableK8sTokenAuth": True}, username="me", password="secret")
    with pytest.raises(MissingError, match="wants a Kubernetes token") as missing:
        reach.endpoint(small)
    assert "create token" in missing.value.next
    monkeypatch.setenv("RAY_AUTH_TOKEN", "given")
    assert reach.endpoint(small).headers["X-Ray-Authorization"] == "Bearer given"


def test_who_may_not_read_the_secret_sets_the_token_and_learns_the_rule(cluster, api, monkeypatch):
    small = cluster()
    said = 'secrets "small" is forbidden: User "me" cannot get resource "secrets" in API group ""'
    api.refuse(SECRET, 403, f'{said} in the namespace "ray"')
    with pytest.raises(MissingError, match="cannot be read") as missing:
        reach.endpoint(small)
    assert 'resources: ["secrets"], verbs: ["get"]' in missing.value.evidence[1]
    assert missing.value.next == (
        "set RAY_AUTH_TOKEN, or: raykit doctor --context kind-here -n ray   "
        "(prints all missing rules as a Role)"
    )
    monkeypatch.setenv("RAY_AUTH_TOKEN", "given")
    assert reach.endpoint(small).headers["X-Ray-Authorization"] == "Bearer given"


def test_a_token_that_no_header_carries_is_refused_without_being_shown(cluster, api):
    small = cluster()
    api.say(SECRET, {"data": {"auth_token": base64.b64encode(b"two\nlines").decode()}})
    with pytest.raises(MissingError, match="no HTTP header carries") as missing:
        reach.endpoint(small)
    assert "two" not in str(missing.value.evidence) + missing.value.what


def test_the_job_api_is_spoken_to_as_the_user_that_the_kubeconfig_acts_as(cluster, api):
    user = {"token": "letter", "as": "alice", "as-groups": ["a", "b"]}
    api.say(f"{PROXY}/api/version", {"ray_version": "2.60.0"})
    with Transport(reach.endpoint(cluster(**user))) as transport:
        transport.get("/api/version")
    acted = [value for name, value in api.headers[-1].items() if name.startswith("Impersonate-")]
    assert acted == ["alice", "a", "b"]


def test_a_secret_that_is_not_there_is_named(cluster, api):
    small = cluster()
    api.answers.pop(SECRET)
    with pytest.raises(MissingError) as missing:
        reach.endpoint(small)
    assert missing.value.evidence == ("no Secret small with the key auth_token",)


@pytest.mark.parametrize("status", [200, 401, 403])
def test_an_answer_of_any_kind_means_that_the_head_is_up(cluster, api, status):
    small = cluster()
    api.say(f"{PROXY}/api/gcs_healthz", "success", status)
    with reach.reach(small, Progress()) as endpoint:
        assert endpoint.target["route"] == "service proxy"


FORWARD = "echo 'Forwarding from 127.0.0.1:40123 -> 8265'; exec sleep 60"


class Notes(Silent):
    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)


def test_where_the_api_server_does_not_reach_the_head_kubectl_does(cluster, api, tools):
    small, notes = cluster(), Notes()
    tools(kubectl=FORWARD)
    api.say(f"{PROXY}/api/gcs_healthz", "no route to host", 502)
    with reach.reach(small, Progress(notes), patience=0.0) as endpoint:
        assert endpoint.url == "http://127.0.0.1:40123"
        assert endpoint.headers == {"Authorization": "Bearer ray-token"}
        assert endpoint.secrets == ("ray-token",)
    assert notes.texts == [
        "the API server does not reach the head (HTTP 502): kubectl port-forward"
    ]
    assert tools.called() == [
        "kubectl --context kind-here --namespace ray port-forward --address 127.0.0.1 "
        "service/small-head-svc :8265"
    ]


def test_a_head_that_is_not_up_yet_is_waited_for_on_the_short_way(cluster, api, monkeypatch):
    small = cluster()
    path = f"{PROXY}/api/gcs_healthz"
    api.say(path, "no endpoints available", 503)
    monkeypatch.setattr(reach.time, "sleep", lambda _: api.say(path, "success"))
    with reach.reach(small, Progress()) as endpoint:
        assert endpoint.url == api.url + PROXY


def test_a_port_forward_that_ends_is_started_again_on_the_same_port(
    cluster, tools, monkeypatch, soon
):
    small = cluster()
    monkeypatch.setattr(reach, "AGAIN_SECONDS", 0.05)
    tools(kubectl="echo 'Forwarding from 127.0.0.1:40123 -> 8265'; exec sleep 0.2")
    with reach.port_forward(small) as port:
        assert port == 40123
        first, second = soon(lambda: tools.called()[:2] if len(tools.called()) > 1 else None)
    assert first.endswith(" service/small-head-svc :8265")
    assert second == first.replace(" :8265", " 40123:8265")
    ended = len(tools.called())
    time.sleep(0.5)
    assert len(tools.called()) == ended


def test_credentials_that_expired_are_read_again_from_the_kubeconfig(cluster, api, tmp_path):
    token = tmp_path / "token"
    token.write_text("old")
    small = cluster(tokenFile=str(token))
    api.say(f"{PROXY}/api/gcs_healthz", "success")
    api.say("/apis/ray.io/v1/namespaces/ray/rayclusters/small", small.item)
    with reach.reach(small, Progress()) as endpoint:
        token.write_text("new")
        renewed = endpoint.renew()
    assert endpoint.headers["Authorization"] == "Bearer old"
    assert renewed.headers == {
        "Authorization": "Bearer new",
        "X-Ray-Authorization": "Bearer ray-token",
    }


SMALL = "/apis/ray.io/v1/namespaces/ray/rayclusters/small"


@pytest.mark.parametrize(
    ("metadata", "what"),
    [
        ({"uid": "1"}, None),
        (None, "there is no RayCluster kind-here:ray/small any more"),
        ({"uid": "2"}, "the RayCluster kind-here:ray/small was deleted and created again"),
        (
            {"uid": "1", "deletionTimestamp": "2026-11-26T07:00:00Z"},
            "the RayCluster kind-here:ray/small is being deleted",
        ),
    ],
)
def test_kubernetes_says_whether_a_cluster_is_still_there(cluster, api, metadata, what):
    small = cluster()
    named = {"name": "small", "namespace": "ray"}
    small.item["metadata"] = {**named, "uid": "1"}
    api.say(f"{PROXY}/api/gcs_healthz", "success")
    if metadata:
        api.say(SMALL, {**small.item, "metadata": {**named, **metadata}})
    with reach.reach(small, Progress()) as endpoint:
        ended = endpoint.ended()
    assert (ended and ended.what) == what
    assert ended is None or ended.deleted


def test_a_cluster_whose_namespace_is_being_deleted_does_not_come_back(cluster, api):
    """Of a namespace that is deleted, the pods end first: the RayCluster is still whole then."""
    small = cluster()
    api.say(f"{PROXY}/api/gcs_healthz", "success")
    api.say(SMALL, small.item)
    ending = {"name": "ray", "deletionTimestamp": "2026-11-26T07:00:00Z"}
    with reach.reach(small, Progress()) as endpoint:
        api.refuse("/api/v1/namespaces/ray", 403, 'namespaces "ray" is forbidden')
        assert endpoint.ended() is None
        api.say("/api/v1/namespaces/ray", {"metadata": ending})
        ended = endpoint.ended()
    assert ended.what == ("the namespace ray is being deleted, and kind-here:ray/small with it")
    assert ended.deleted


def test_a_port_forward_that_fails_says_why(cluster, tools):
    small = cluster()
    tools(kubectl="echo 'error: unable to forward' >&2; exit 1")
    with pytest.raises(KubernetesError) as failed, reach.port_forward(small):
        pass
    assert failed.value.evidence == ("error: unable to forward",)


def test_without_kubectl_the_fallback_says_where_to_get_it(cluster, tools):
    small = cluster()
    tools()
    with pytest.raises(MissingError, match="kubectl is not on PATH"), reach.port_forward(small):
        pass
