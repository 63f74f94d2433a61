"""Whatever an API server answers, raykit's readers give a result or an error of ours."""

import copy
import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raykit.errors import KubernetesError, MissingError, RaykitError
from raykit.kube import contexts
from raykit.kube.access import Access
from raykit.kube.connection import Kubernetes
from raykit.kube.credentials import Credentials
from raykit.kube.tls import TlsSettings
from raykit.kuberay import choosing, observed, operator, pods, raycluster, reach
from raykit.kuberay.machines import MachinesReader

AT = "2026-11-24T00:00:00Z"
TEMPLATE = {"spec": {"containers": [{"name": "ray-head", "image": "ray:1"}]}}
CLUSTER = {
    "metadata": {
        "name": "small",
        "namespace": "ray",
        "uid": "u",
        "generation": 1,
        "creationTimestamp": AT,
        "labels": {"raykit.io/cluster": "small"},
        "managedFields": [{"manager": "raykit", "operation": "Apply", "time": AT}],
    },
    "spec": {
        "rayVersion": "2.60.0",
        "authOptions": {"mode": "token"},
        "headGroupSpec": {"template": TEMPLATE},
        "workerGroupSpecs": [{"groupName": "w", "replicas": 1, "template": TEMPLATE}],
    },
    "status": {
        "observedGeneration": 1,
        "state": "ready",
        "conditions": [
            {"type": "HeadPodReady", "status": "True", "lastTransitionTime": AT},
            {"type": "ReplicaFailure", "status": "True", "reason": "r", "message": "m"},
        ],
    },
}
CRASHED = {"exitCode": 1, "reason": "Error", "message": "m", "startedAt": AT, "finishedAt": AT}
POD = {
    "metadata": {
        "name": "head",
        "namespace": "ray",
        "uid": "p",
        "creationTimestamp": AT,
        "labels": {"ray.io/node-type": "head", "ray.io/group": "headgroup"},
        "annotations": {"ray.io/kuberay-version": "v1.6.2"},
    },
    "spec": {
        "nodeName": "n",
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoSchedule"}],
        "containers": [
            {
                "name": "ray-head",
                "image": "ray:1",
                "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}},
            }
        ],
        "initContainers": [{"name": "wait-gcs-ready", "resources": {"requests": {"cpu": 1}}}],
    },
    "status": {
        "phase": "Pending",
        "podIP": "10.0.0.1",
        "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "m"},
            {"type": "Ready", "status": "False", "lastTransitionTime": AT},
        ],
        "containerStatuses": [
            {
                "name": "ray-head",
                "imageID": "x@sha256:" + "0" * 64,
                "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "m"}},
                "lastState": {"terminated": CRASHED},
            }
        ],
        "initContainerStatuses": [
            {"name": "wait-gcs-ready", "state": {"running": {"startedAt": AT}}}
        ],
    },
}
NODE = {
    "metadata": {"name": "n", "labels": {"a": "b"}},
    "spec": {"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]},
    "status": {
        "allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110"},
        "nodeInfo": {"bootID": "b", "machineID": "m", "architecture": "amd64"},
    },
}
DEPLOYMENT = {
    "metadata": {"name": "o", "namespace": "ray-system", "generation": 1},
    "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "o", "args": ["-x"]}]}}},
    "status": {
        "observedGeneration": 1,
        "updatedReplicas": 1,
        "conditions": [{"type": "Available", "status": "True"}],
    },
}
EVENT = {
    "metadata": {"name": "e"},
    "type": "Warning",
    "reason": "Failed",
    "message": "Failed to pull",
    "involvedObject": {"uid": "p"},
    "lastTimestamp": AT,
    "eventTime": AT,
    "series": {"lastObservedTime": AT},
}
SECRET = {"metadata": {"name": "small"}, "data": {"auth_token": "dG9rZW4="}}


def listed(item):
    return {"metadata": {"resourceVersion": "1"}, "items": [item]}


NAMESPACE = "/api/v1/namespaces/ray"
ANSWERS = {
    "/version": {"gitVersion": "v1.36.2"},
    "/apis/ray.io/v1": {"resources": [{"name": "rayclusters"}]},
    "/apis/ray.io/v1/rayclusters": listed(CLUSTER),
    "/apis/ray.io/v1/namespaces/ray/rayclusters/small": CLUSTER,
    f"{NAMESPACE}/pods": listed(POD),
    f"{NAMESPACE}/events": listed(EVENT),
    f"{NAMESPACE}/secrets/small": SECRET,
    "/api/v1/pods": listed(POD),
    "/api/v1/nodes": listed(NODE),
    "/api/v1/nodes/n": NODE,
    "/apis/apps/v1/deployments": listed(DEPLOYMENT),
}


class Scripted(Kubernetes):
    """A connection whose answers are given: everything but the sockets is the real one."""

    def __init__(self, answers):
        access = Access(
            contexts.describe("kind-here"), None, "http://api", TlsSettings(), Credentials()
        )
        super().__init__(access)
        self.answers = answers

    def answer(self, request):
        return self.answers.get(request.path, (404, b'{"kind": "Status", "message": "none"}'))


def reads(answers):
    """What `status`, `submit` and `up` read, as far as the answers lead."""
    connection = Scripted(answers)
    connection.version()
    operator.require(connection)
    operator.diagnose(connection, "raykit", "small")
    machines = MachinesReader(connection)
    for cluster in choosing.find(connection):
        of_cluster = raycluster.pods(cluster)
        pods.head_is_ready(cluster.item, of_cluster)
        pods.ready_workers(cluster.item, of_cluster)
        pods.wanted_workers(cluster.item)
        pods.ray_image(cluster.item)
        json.dumps([found.what for found in raycluster.findings(cluster, of_cluster, machines)])
        raycluster.refresh(cluster)
        json.dumps(observed.observe(cluster), allow_nan=False).encode()
        reach.endpoint(cluster)


OURS = (0, 4, 5, 8)


def exit_code(answers):
    try:
        reads(answers)
    except RaykitError as error:
        return error.exit_code
    return 0


def as_bytes(answers):
    return {path: (200, json.dumps(body).encode()) for path, body in answers.items()}


def test_the_answers_of_a_real_server_are_read_whole():
    reads(as_bytes(ANSWERS))
    connection = Scripted(as_bytes(ANSWERS))
    (cluster,) = choosing.find(connection)
    found = raycluster.findings(cluster, raycluster.pods(cluster), MachinesReader(connection))
    texts = [each.what for each in found]
    assert any("refused" in text for text in texts)
    assert any("no Kubernetes node takes pod head" in text for text in texts)
    assert any("ends again and again" in text for text in texts)
    assert observed.observe(cluster)["missing"] == []


def places(value, path=()):
    """Every place in JSON data, the whole included."""
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*path, key))


PLACES = [(path, place) for path, body in ANSWERS.items() for place in places(body)]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "\ud800", "-1", "1e999", "True", "9" * 5000, "2026-13-01T00:00:00Z"])
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def replaced(value, place, new):
    if not place:
        return new
    result = copy.copy(value)
    result[place[0]] = replaced(value[place[0]], place[1:], new)
    return result


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(PLACES), JSON), min_size=1, max_size=3))
def test_a_field_of_any_other_type_never_ends_in_a_traceback(changes):
    answers = dict(ANSWERS)
    for (path, place), new in changes:
        try:
            answers[path] = replaced(answers[path], place, new)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    assert exit_code(as_bytes(answers)) in OURS


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(ANSWERS)),
    st.sampled_from([200, 201, 204, 301, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503]),
    st.binary(max_size=40)
    | st.sampled_from(
        [b"<html>login</html>", b"[" * 100_000, b'{"a":' * 100_000, b'{"kind": "Status"}']
    )
    | JSON.map(lambda value: json.dumps(value).encode()),
)
def test_an_answer_of_any_status_and_bytes_never_ends_in_a_traceback(path, status, data):
    assert exit_code({**as_bytes(ANSWERS), path: (status, data)}) in OURS


@pytest.mark.parametrize("place", ["spec.containers", "metadata.labels", "metadata.name"])
def test_a_field_of_the_wrong_type_is_named(place):
    first, second = place.split(".")
    broken = replaced(listed(POD), ("items", 0, first, second), 7)
    connection = Scripted(as_bytes({**ANSWERS, f"{NAMESPACE}/pods": broken}))
    with pytest.raises(KubernetesError, match="is no Kubernetes API server") as refused:
        connection.objects("Pod", "ray")
    assert refused.value.evidence[0].startswith(f"Pod.{place} is not")


def test_an_object_without_a_name_or_a_namespace_is_no_object():
    for key, odd in itertools.product(("name", "namespace"), ("", "a; rm -rf ~", "../x", "A")):
        broken = replaced(listed(CLUSTER), ("items", 0, "metadata", key), odd)
        assert exit_code(as_bytes({**ANSWERS, "/apis/ray.io/v1/rayclusters": broken})) == 5


def test_an_answer_without_end_is_refused(api, kubeconfig, monkeypatch):
    monkeypatch.setattr("raykit.kube.answers.LARGEST_BYTES", 2**20)
    connection = Scripted({})
    assert connection.get("Secret", "x", "ray") is None
    api.say("/api/v1/nodes", "x" * 2**21)
    kubeconfig(api.url)
    from raykit.kube.connection import connect

    with connect() as real, pytest.raises(KubernetesError) as refused:
        real.objects("Node")
    assert refused.value.evidence == ("it is longer than 1 MiB",)


def test_a_list_is_read_page_by_page(monkeypatch):
    connection = Scripted(as_bytes(ANSWERS))
    asked = []

    def answered(request):
        asked.append(request.query.get("continue"))
        more = {"continue": str(len(asked))} if len(asked) < 3 else {}
        return 200, json.dumps({"metadata": more, "items": [NODE]}).encode()

    monkeypatch.setattr(connection, "answer", answered)
    assert [len(page) for page in connection.pages("Node")] == [1, 1, 1]
    assert asked == [None, "1", "2"]


def test_a_list_without_end_is_refused(monkeypatch):
    connection = Scripted({})
    pages = itertools.count()

    def answered(_request):
        metadata = {"continue": str(next(pages))}
        return 200, json.dumps({"metadata": metadata, "items": []}).encode()

    monkeypatch.setattr(connection, "answer", answered)
    with pytest.raises(KubernetesError) as refused:
        connection.objects("Node")
    assert "has no end" in refused.value.evidence[0]


def test_who_may_only_read_the_cluster_can_still_submit_and_learns_what_is_missing():
    said = 'x is forbidden: User "me" cannot list resource "pods" in API group "" in the namespace'
    refused = json.dumps({"kind": "Status", "message": f'{said} "ray"'}).encode()
    answers = as_bytes(ANSWERS)
    for path in (f"{NAMESPACE}/pods", "/api/v1/nodes/n", "/api/v1/nodes", f"{NAMESPACE}/events"):
        answers[path] = (403, refused)
    connection = Scripted(answers)
    (cluster,) = choosing.find(connection)
    record = observed.observe(cluster)
    assert record["pods"] == record["nodes"] == []
    assert record["missing"] == ["not allowed in context kind-here: list pods in namespace ray"]
    with pytest.raises(MissingError) as named:
        raycluster.pods(cluster)
    assert 'resources: ["pods"], verbs: ["list"]' in named.value.evidence[1]
