"""Whether the operator serves, which version it is, and why nothing happens to a cluster."""

import json
import time

import pytest

from raykit.kube.connection import connect
from raykit.kuberay import operator, raycluster

DEPLOYMENTS = "/apis/apps/v1/deployments"


def deployment(
    available="True", updated=1, seen=2, image="quay.io/kuberay/operator:v1.6.2", replicas=1
):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "kuberay-operator", "namespace": "ray-system", "generation": 2},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "spec": {
                    "containers": [{"name": "o", "image": image, "args": ["--watch-namespace=a"]}]
                }
            },
        },
        "status": {
            "observedGeneration": seen,
            "updatedReplicas": updated,
            "conditions": [{"type": "Available", "status": available}],
        },
    }


@pytest.mark.parametrize(
    ("found", "ready"),
    [
        (None, False),
        (deployment(), True),
        (deployment(available="False"), False),
        (deployment(updated=0), False),
        (deployment(seen=1), False),
        (deployment(replicas=0, updated=0), False),
    ],
)
def test_an_operator_is_ready_when_the_one_that_was_asked_for_serves(found, ready):
    assert operator.is_ready(found) is ready


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("quay.io/kuberay/operator:v1.6.2", "1.6.2"),
        ("mirror:5000/operator:1.7.0-rc.1", "1.7.0-rc.1"),
        ("operator:latest", None),
        ("operator@sha256:0", None),
    ],
)
def test_its_version_is_that_of_its_image(image, version):
    assert operator.version(deployment(image=image)) == version


@pytest.fixture
def connection(api, kubeconfig):
    kubeconfig(api.url)
    with connect() as connection:
        yield connection


def listed(*items):
    return {"metadata": {"resourceVersion": "1"}, "items": list(items)}


def test_without_an_operator_the_command_that_installs_it_is_said(connection, api):
    api.say(DEPLOYMENTS, listed())
    (finding,) = operator.diagnose(connection, "a", "small")
    assert finding.what == "no KubeRay operator runs here"
    assert finding.next == "raykit kind up --name here"
    assert finding.patience <= 20


def test_an_operator_whose_pod_cannot_start_gives_that_reason(connection, api):
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "back-off"}}
    pod = {
        "metadata": {"name": "o", "namespace": "ray-system", "uid": "o"},
        "spec": {"containers": [{"name": "o", "image": "quay.io/x:1"}]},
        "status": {
            "containerStatuses": [
                {
                    "name": "o",
                    "state": waiting,
                    "ready": False,
                    "image": "",
                    "imageID": "",
                    "restartCount": 0,
                }
            ]
        },
    }
    api.say(DEPLOYMENTS, listed(deployment(available="False")))
    api.say("/api/v1/namespaces/ray-system/pods", listed(pod))
    api.say("/api/v1/namespaces/ray-system/events", listed())
    (finding,) = operator.diagnose(connection, "a", "small")
    assert finding.what == "image quay.io/x:1 cannot be had (ImagePullBackOff)"


def crashing():
    ended = {"terminated": {"exitCode": 1, "reason": "Error"}}
    state = {"waiting": {"reason": "CrashLoopBackOff"}}
    container = {"name": "o", "state": state, "lastState": ended, "restartCount": 2}
    return {
        "metadata": {"name": "o", "namespace": "ray-system", "uid": "o"},
        "spec": {"containers": [{"name": "o", "image": "quay.io/x:1"}]},
        "status": {"containerStatuses": [container]},
    }


def test_an_operator_that_ended_may_start_once_more(connection, api):
    """It ends where the API server is away for some seconds, as it is after a restart."""
    api.say(DEPLOYMENTS, listed(deployment(available="False")))
    api.say("/api/v1/namespaces/ray-system/pods", listed(crashing()))
    api.say("/api/v1/namespaces/ray-system/events", listed())
    (finding,) = operator.diagnose(connection, "a", "small")
    assert "ends again and again" in finding.what
    assert finding.patience == 18


@pytest.mark.parametrize(("generation", "patience"), [(1, 0), (2, None)])
def test_what_the_pods_of_an_earlier_operator_suffer_ends_no_wait(
    connection, api, generation, patience
):
    """Another version is installed, and the pod of the broken one is there for a moment."""
    item = deployment(available="False")
    item["metadata"]["generation"] = generation
    item["status"]["observedGeneration"] = 1
    api.say("/api/v1/namespaces/ray-system/pods", listed(crashing()))
    api.say("/api/v1/namespaces/ray-system/events", listed())
    (finding,) = operator.look(connection, item).findings
    assert finding.patience == patience


def test_an_operator_that_is_ready_and_silent_shows_its_arguments_and_its_log(connection, api):
    api.say(DEPLOYMENTS, listed(deployment()))
    api.say("/api/v1/namespaces/ray-system/pods", listed())
    (finding,) = operator.diagnose(connection, "a", "small")
    assert "does nothing with this cluster" in finding.what
    assert finding.evidence == ("its arguments: --watch-namespace=a",)
    assert finding.next.endswith("-n ray-system logs deployment/kuberay-operator")
    assert finding.patience <= 20


@pytest.mark.parametrize(("age", "key"), [(5, "new-operator"), (60, "silent-operator")])
def test_an_operator_that_was_just_started_is_waited_for_since_it_waits_for_its_lease(
    connection, api, age, key
):
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - age))
    container = {
        "name": "o",
        "ready": True,
        "image": "",
        "imageID": "",
        "restartCount": 1,
        "state": {"running": {"startedAt": started}},
    }
    pod = {
        "metadata": {"name": "op", "namespace": "ray-system"},
        "spec": {"containers": [{"name": "o"}]},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [container],
        },
    }
    api.say(DEPLOYMENTS, listed(deployment()))
    api.say("/api/v1/namespaces/ray-system/pods", listed(pod))
    (finding,) = operator.diagnose(connection, "a", "small")
    assert finding.key == key
    assert (finding.patience is None) == (key == "new-operator")
    assert finding.next.endswith("-n ray-system logs deployment/kuberay-operator")


def test_the_errors_of_its_log_about_the_cluster_end_the_wait(connection, api):
    pod = {
        "metadata": {"name": "op", "namespace": "ray-system"},
        "spec": {"containers": [{"name": "o"}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    about = {"name": "small", "namespace": "a"}
    error = 'secrets "small" is forbidden: exceeded quota: none, requested: secrets=1'
    line = {"level": "error", "msg": "Reconciler error", "error": error, "RayCluster": about}
    api.say(DEPLOYMENTS, listed(deployment()))
    api.say("/api/v1/namespaces/ray-system/pods", listed(pod))
    api.say("/api/v1/namespaces/ray-system/pods/op/log", json.dumps(line))
    (finding,) = operator.diagnose(connection, "a", "small")
    assert finding.what == (
        "KubeRay cannot create what this cluster needs: the namespace's quota is exceeded"
    )
    assert finding.evidence == (f"its log says: Reconciler error: {error}",)
    assert finding.next.endswith("describe resourcequota")
    assert finding.patience <= 20


def configured(text, key="config.yaml"):
    """An operator whose configuration is a ConfigMap, and that ConfigMap."""
    item = deployment()
    spec = item["spec"]["template"]["spec"]
    spec["containers"][0]["args"] = ["--config", "/etc/config/config.yaml"]
    spec["containers"][0]["volumeMounts"] = [{"name": "c", "mountPath": "/etc/config/"}]
    spec["volumes"] = [{"name": "c", "configMap": {"name": "cm"}}]
    metadata = {"name": "cm", "namespace": "ray-system"}
    return item, {"metadata": metadata, "data": {key: text}}


@pytest.mark.parametrize("text", ["watchNamespace: x,y", "watchNamespace: 'x, y'\nother: 1"])
def test_namespaces_are_read_from_the_configuration_file_too(connection, api, text):
    item, config_map = configured(text)
    api.say(DEPLOYMENTS, listed(item))
    api.keep("configmaps", config_map)
    (finding,) = operator.diagnose(connection, "ours", "small")
    assert finding.evidence[0] == "deployment ray-system/kuberay-operator watches x, y"


@pytest.mark.parametrize("text", ["", "[", "- a", "watchNamespace: ''"])
def test_a_configuration_that_names_no_namespaces_excludes_none(connection, api, text):
    item, config_map = configured(text)
    api.say(DEPLOYMENTS, listed(item))
    api.keep("configmaps", config_map)
    api.keep("pods")
    (finding,) = operator.diagnose(connection, "ours", "small")
    assert finding.key == "silent-operator"


def test_a_configuration_that_may_not_be_read_excludes_none(connection, api):
    item, _ = configured("")
    api.say(DEPLOYMENTS, listed(item))
    api.keep("pods")
    api.refuse("/api/v1/namespaces/ray-system/configmaps/cm", 403, "no")
    (finding,) = operator.diagnose(connection, "ours", "small")
    assert finding.key == "silent-operator"


def test_an_operator_that_watches_other_namespaces_is_told_with_the_command_that_adds_ours(
    connection, api
):
    api.say(DEPLOYMENTS, listed(deployment()))
    (finding,) = operator.diagnose(connection, "ours", "small")
    assert finding.what == "KubeRay's operator does not watch namespace ours"
    assert finding.evidence[0] == "deployment ray-system/kuberay-operator watches a"
    assert finding.next.endswith("--reuse-values --set 'watchNamespace={a,ours}'")
    assert finding.patience <= 20


def test_of_several_operators_the_one_that_watches_the_namespace_counts(connection, api):
    ours = deployment()
    ours["metadata"] = {**ours["metadata"], "namespace": "team"}
    ours["spec"]["template"]["spec"]["containers"][0]["args"] = ["-watch-namespace", "ours"]
    api.say(DEPLOYMENTS, listed(deployment(), ours))
    found = operator.find(connection, "ours")
    assert found["metadata"]["namespace"] == "team"


def test_an_operator_that_is_not_available_without_a_reason_of_its_pods_is_not_called_idle(
    connection, api
):
    api.say(DEPLOYMENTS, listed(deployment(available="False")))
    api.say("/api/v1/namespaces/ray-system/pods", listed())
    (finding,) = operator.diagnose(connection, "a", "small")
    assert finding.what == "KubeRay's operator is not ready"
    assert finding.patience is None


def test_an_operator_that_was_scaled_to_0_is_told_with_the_command_that_starts_it(connection, api):
    api.say(DEPLOYMENTS, listed(deployment(replicas=0, updated=0)))
    (finding,) = operator.diagnose(connection, "a", "small")
    assert finding.what == "KubeRay's operator has no replica: somebody scaled it to 0"
    assert finding.next == (
        "kubectl --context kind-here -n ray-system scale deployment/kuberay-operator --replicas=1"
    )
    assert finding.patience <= 20


@pytest.mark.parametrize(
    ("generation", "pods", "asked"),
    [(2, ["head"], True), (1, [], True), (1, ["worker"], True), (1, ["head"], False)],
)
def test_the_operator_is_asked_after_where_it_has_something_to_do(
    connection, api, generation, pods, asked
):
    template = {"template": {"spec": {"containers": [{"name": "ray-head"}]}}}
    item = {
        "metadata": {"name": "c", "namespace": "ray", "uid": "u", "generation": generation},
        "spec": {"headGroupSpec": template},
        "status": {"observedGeneration": 1},
    }
    made = [
        {
            "metadata": {"name": role, "namespace": "ray", "labels": {"ray.io/node-type": role}},
            "spec": {"containers": []},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }
        for role in pods
    ]
    api.say(DEPLOYMENTS, listed(deployment(replicas=0, updated=0)))
    api.say("/api/v1/namespaces/ray/events", listed())
    found = raycluster.findings(raycluster.Cluster(connection, "c", "ray", item), made)
    assert bool(found) is asked


def test_an_operator_that_makes_pods_is_not_silent(connection, api):
    """It makes them one by one: a thousand, with a slow webhook, take minutes."""
    api.say(DEPLOYMENTS, listed(deployment()))
    api.say("/api/v1/namespaces/ray-system/pods", listed())
    keys = [operator.diagnose(connection, "a", "c", made=made)[0].key for made in (7, 7, 8)]
    assert keys[0] == keys[1] != keys[2]


def test_errors_from_before_an_edit_do_not_count(connection, api):
    edits = [{"manager": "raykit", "operation": "Apply", "time": "2026-11-26T10:00:00Z"}]
    made = {"creationTimestamp": "2026-11-26T09:00:00Z", "managedFields": edits, "generation": 1}
    template = {"template": {"spec": {"containers": []}}}
    item = {
        "metadata": {"name": "c", "namespace": "a", "uid": "u", **made},
        "spec": {"headGroupSpec": template},
    }
    pod = {
        "metadata": {"name": "op", "namespace": "ray-system"},
        "spec": {"containers": [{"name": "o"}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    api.say(DEPLOYMENTS, listed(deployment()))
    api.say("/api/v1/namespaces/ray-system/pods", listed(pod))
    api.say("/api/v1/namespaces/a/events", listed())
    api.say("/api/v1/namespaces/ray-system/pods/op/log", "")
    raycluster.findings(raycluster.Cluster(connection, "c", "a", item), [])
    (asked,) = [query for query in api.queries if "tailLines" in query]
    assert asked["sinceTime"] == "2026-11-26T10:00:00Z"


def test_who_may_not_read_the_operators_namespace_gets_no_guess(connection, api):
    api.refuse(DEPLOYMENTS, 403, "deployments.apps is forbidden")
    assert operator.diagnose(connection, "a", "small") == []
