"""What a queue needs, each broken: Kueue, its controller, LocalQueue and active ClusterQueue."""

import copy

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from raykit.checks import State
from raykit.kube.connection import connect
from raykit.kuberay.checks import configuration, queue

API = "/apis/kueue.x-k8s.io/v1beta2"
QUEUES = {"team": {"RayCluster"}}
ACTIVE = {"conditions": [{"type": "Active", "status": "True", "reason": "Ready"}]}
STOPPED = {
    "conditions": [
        {"type": "Active", "status": "False", "reason": "Stopped", "message": "it is stopped"}
    ]
}
LOCAL = {
    "metadata": {"name": "team", "namespace": "n"},
    "spec": {"clusterQueue": "main"},
    "status": ACTIVE,
}
CLUSTER_QUEUE = {"metadata": {"name": "main"}, "status": ACTIVE}
FILE = "controller_manager_config.yaml"
CONTROLLER = {
    "metadata": {
        "name": "kueue-controller-manager",
        "namespace": "kueue-system",
        "labels": dict(queue.LABELS),
    },
    "spec": {
        "replicas": 1,
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "manager",
                        "args": [f"--config=/{FILE}"],
                        "volumeMounts": [
                            {"name": "other", "mountPath": "/other"},
                            {"name": "config", "mountPath": f"/{FILE}", "subPath": FILE},
                        ],
                    }
                ],
                "volumes": [{"name": "other"}, {"name": "config", "configMap": {"name": "kueue"}}],
            }
        },
    },
    "status": {"conditions": [{"type": "Available", "status": "True"}]},
}
WHERE = "deployment kueue-system/kueue-controller-manager"


def settings(integrations):
    text = yaml.safe_dump({"integrations": integrations})
    return {"metadata": {"name": "kueue", "namespace": "kueue-system"}, "data": {FILE: text}}


@pytest.fixture
def kueue(api, kubeconfig):
    """An API server with Kueue, in which the queue `team` of namespace `n` is in order."""
    kubeconfig(api.url, context="prod")
    api.say("/apis/ray.io/v1", {"resources": [{"name": "rayclusters"}]})
    api.say(API, {"resources": [{"name": "localqueues"}]})
    api.keep("localqueues", copy.deepcopy(LOCAL))
    api.keep("clusterqueues", copy.deepcopy(CLUSTER_QUEUE))
    api.keep("deployments", copy.deepcopy(CONTROLLER))
    api.keep("configmaps", settings({"frameworks": ["batch/job", "ray.io/raycluster"]}))
    return api


def checked(queues=QUEUES):
    return queue.check(connect(), "n", queues)


def test_a_queue_in_order_is_ok(kueue):
    assert checked().state is State.ok
    assert checked().what == "Kueue runs and admits from team"


def test_an_older_kueue_is_not_called_absent(kueue):
    kueue.answers["/apis/kueue.x-k8s.io/v1beta1"] = kueue.answers.pop(API)
    assert checked().state is State.skipped
    assert checked().what == "a queue is named (team), of a Kueue older than raykit can check"


def test_without_kueue_the_label_does_nothing(kueue):
    del kueue.answers[API]
    found = checked()
    assert (found.state, found.exit_code) == (State.fail, 4)
    assert found.what == "a queue is named (team), and the API server knows no Kueue"
    assert found.next.startswith("install Kueue: ")


def test_a_queue_that_does_not_exist_is_named_with_those_that_do(kueue):
    found = checked({"nobody": {"RayCluster"}})
    assert (found.exit_code, found.what) == (4, "there is no LocalQueue nobody in namespace n")
    assert found.evidence == ("there is team",)
    assert found.next == "kubectl --context prod -n n get localqueues"


def test_a_cluster_queue_that_does_not_exist_is_named(kueue):
    kueue.kept["clusterqueues"].clear()
    found = checked()
    assert found.exit_code == 4
    assert found.what == "the LocalQueue team leads to the ClusterQueue main, which does not exist"


@pytest.mark.parametrize(
    ("plural", "name", "next"),
    [
        ("clusterqueues", "ClusterQueue main", "kubectl --context prod describe clusterqueue main"),
        ("localqueues", "LocalQueue team", "kubectl --context prod -n n describe localqueue team"),
    ],
)
def test_a_queue_that_is_not_active_says_why(kueue, plural, name, next):
    (item,) = kueue.kept[plural].values()
    item["status"] = STOPPED
    found = checked()
    assert (found.exit_code, found.what) == (5, f"the {name} is not active")
    assert found.evidence == ("Stopped: it is stopped",)
    assert found.next == next
    item["status"] = {}
    assert (checked().state, checked().what) == (
        State.warn,
        f"Kueue has not looked at the {name} yet",
    )


def test_a_controller_that_does_not_run_is_named(kueue):
    (deployment,) = kueue.kept["deployments"].values()
    deployment["status"]["conditions"][0] |= {"status": "False", "message": "no minimum"}
    found = checked()
    assert (found.exit_code, found.what) == (5, "Kueue is not ready")
    assert found.evidence == (f"{WHERE}: no minimum",)
    deployment["spec"]["replicas"] = 0
    found = checked()
    assert (found.exit_code, found.what) == (4, "Kueue has no replica: somebody scaled it to 0")
    assert found.next == (
        "kubectl --context prod -n kueue-system scale deployment/kueue-controller-manager "
        "--replicas=1"
    )


def test_a_controller_by_another_name_is_only_a_warning(kueue):
    kueue.kept["deployments"].clear()
    assert checked().state is State.warn


@pytest.mark.parametrize("listed", [{"frameworks": ["batch/job"]}, {"frameworks": []}, {}, None, 7])
def test_kueue_that_is_not_in_charge_of_rayclusters_is_named(kueue, listed):
    kueue.keep("configmaps", settings(listed))
    found = checked()
    assert found.exit_code == 4
    assert found.what == (
        "Kueue is not in charge of ray.io/raycluster: they start without their queue"
    )
    assert "ray.io/rayjob" in checked({"team": {"RayJob"}}).what


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(integrations=ANYTHING | st.fixed_dictionaries({"frameworks": ANYTHING}))
def test_any_content_of_the_configuration_is_judged(integrations):
    content = {"integrations": integrations}
    assert list(queue.left_out(content, {"RayJob"})) in ([], ["ray.io/rayjob"])


@pytest.mark.parametrize("text", ["7", "[", "a: *b", ""])
def test_a_configuration_that_cannot_be_read_is_no_fault(kueue, text):
    item = settings({})
    item["data"][FILE] = text
    kueue.keep("configmaps", item)
    assert checked().state is State.ok


def test_all_problems_come_at_once(kueue):
    kueue.kept["clusterqueues"].clear()
    (deployment,) = kueue.kept["deployments"].values()
    deployment["spec"]["replicas"] = 0
    found = checked({"team": {"RayCluster"}, "nobody": {"RayCluster"}})
    assert found.what == "Kueue has no replica: somebody scaled it to 0"
    assert found.evidence[1:] == (
        "the LocalQueue team leads to the ClusterQueue main, which does not exist",
        "there is no LocalQueue nobody in namespace n",
    )


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/apis/apps/v1/deployments", "whether Kueue runs cannot be read"),
        (f"{API}/namespaces/n/localqueues/team", "the LocalQueue team cannot be read"),
    ],
)
def test_what_may_not_be_read_is_skipped(kueue, path, what):
    kueue.refuse(path, 403, "no")
    assert (checked().state, checked().what) == (State.skipped, what)


def test_who_may_not_read_the_cluster_queue_goes_by_the_local_queue(kueue):
    kueue.refuse(f"{API}/clusterqueues/main", 403, "no")
    assert checked().state is State.ok
    (item,) = kueue.kept["localqueues"].values()
    item["status"] = STOPPED
    assert checked().what == "the LocalQueue team is not active"


def labelled(name, queue_name=None):
    labels = {"kueue.x-k8s.io/queue-name": queue_name} if queue_name else {}
    metadata = {"name": name, "namespace": "n", "labels": labels}
    head = {"template": {"spec": {"containers": [{"name": "ray-head"}]}}}
    return {"metadata": metadata, "spec": {"headGroupSpec": head}}


def test_the_queues_of_a_namespace_are_those_that_its_clusters_and_rayjobs_name(kueue):
    kueue.keep("rayclusters", labelled("plain"))
    kueue.keep("rayjobs")
    what = "nothing in namespace n names a Kueue queue"
    assert queue.of_namespace(connect(), "n").what == what
    kueue.keep("rayclusters", labelled("queued", "team"))
    assert queue.of_namespace(connect(), "n").what == "Kueue runs and admits from team"
    kueue.keep("rayjobs", labelled("queued", "team"))
    assert "ray.io/rayjob" in queue.of_namespace(connect(), "n").what
    kueue.refuse("/apis/ray.io/v1/namespaces/n/rayjobs", 403, "no")
    assert queue.of_namespace(connect(), "n").state is State.skipped
    del kueue.answers["/apis/ray.io/v1"]
    assert queue.of_namespace(connect(), "n").what == "KubeRay is not installed"


def test_one_file_that_is_mounted_alone_is_found_by_its_key():
    assert configuration.source(CONTROLLER) == ("kueue", FILE)
