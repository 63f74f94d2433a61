"""`raykit up` on a cluster that exists: what it says, when it asks, what it records."""

import json
import threading
from types import SimpleNamespace

import pytest

from raykit import locks
from raykit.errors import ConflictError
from raykit.flows.clusters import up as flow
from raykit.kube.connection import connect
from raykit.kuberay import bring_up, raycluster
from raykit.kuberay.raycluster import Cluster
from raykit.local import warm
from raykit.progress import Progress
from tests.unit.app.small_cluster import (
    HEAD,
    PATH,
    changes,
    deleted_before_it_changes,
    keep,
    made_by_raykit,
    runs_a_job,
)

SPEC = """
name: small
image: example.com/ray:2.60.0
auth: {mode: disabled}
head: {taskCpus: 1, memory: 2Gi, env: {MODE: fast}}
"""


@pytest.fixture
def small(prod, spec):
    """An API server with the cluster of the spec, up, in a context that is not kind's."""
    keep(prod, spec)
    return prod


def edit(spec, old="fast", new="slow"):
    spec.write_text(spec.read_text().replace(old, new))


def test_up_of_what_is_there_already_asks_nothing_and_changes_nothing(small, raykit, spec):
    code, said, notes = raykit("up", "-f", spec)
    assert code == 0
    assert said == "small is ready; next: raykit submit fib --on small\n"
    assert "is as the spec says: nothing to change" in notes
    assert changes(small) == []


def test_the_name_that_is_printed_is_never_that_of_a_local_head(small, raykit, spec, monkeypatch):
    head = SimpleNamespace(name="small")
    monkeypatch.setattr(warm, "running", lambda: [head])
    assert raykit("up", "-f", spec)[1].endswith("--on raykit/small\n")


def test_what_an_edit_restarts_is_said_before_it_happens(small, raykit, spec):
    edit(spec)
    code, _, said = raykit("up", "-f", spec)
    assert code == 2
    assert "head.containers[ray-head].env[MODE].value: changed" in said
    assert "its pod restarts: small-head" in said
    assert "not confirmed: change small in namespace raykit (its pod restarts: small-head)" in said
    assert changes(small) == []


def test_with_yes_the_change_is_made(small, raykit, spec):
    edit(spec)
    assert raykit("up", "-f", spec, "--yes")[0] == 0
    method, body = changes(small)[0]
    assert method == "PATCH"
    assert body["spec"]["headGroupSpec"]["template"]["spec"]["containers"][0]["env"]


def test_on_our_own_kind_a_change_is_made_without_asking(small, raykit, spec, kubeconfig, tools):
    made_by_raykit(small, kubeconfig, tools)
    edit(spec)
    code, _, said = raykit("up", "-f", spec)
    assert code == 0
    assert "its pod restarts: small-head" in said


def test_while_jobs_run_it_asks_there_too(small, raykit, spec, kubeconfig, tools):
    made_by_raykit(small, kubeconfig, tools)
    runs_a_job(small)
    edit(spec)
    code, _, said = raykit("up", "-f", spec)
    assert code == 2
    assert "1 job runs there and may be lost: mine-1" in said
    assert changes(small) == []
    assert raykit("up", "-f", spec, "--yes")[0] == 0


@pytest.mark.parametrize("wrong", ["mark", "port", "engine"])
def test_a_context_that_is_only_named_like_kinds_asks(
    small, raykit, spec, kubeconfig, tools, wrong
):
    node = made_by_raykit(small, kubeconfig, tools)
    if wrong == "mark":
        node["Mounts"] = []
    if wrong == "port":
        node["NetworkSettings"]["Ports"]["6443/tcp"][0]["HostPort"] = "1"
    script = f"""case "$1" in ps) echo 1;; container) echo '{json.dumps([node])}';; esac"""
    tools(docker="exit 1" if wrong == "engine" else script)
    edit(spec)
    code, _, said = raykit("up", "-f", spec)
    assert code == 2
    assert "raykit did not make the cluster of this context" in said
    assert raykit("down", "small")[0] == 2
    assert changes(small) == []


def test_pods_that_an_edit_leaves_as_they_are_are_said_to_be_outdated(small, raykit, spec):
    small.kept["rayclusters"]["raykit", "small"]["spec"]["upgradeStrategy"] = {"type": "None"}
    spec.write_text(SPEC.replace("name: small", "name: small\nupgrade: None"))
    edit(spec)
    code, _, said = raykit("up", "-f", spec)
    assert code == 2
    assert "running pods stay as they are (`upgrade: None`); --recreate replaces them" in said


def as_kuberay(small, monkeypatch):
    """KubeRay ends the pods of a cluster that is deleted, and starts those of one that is made."""
    answer, pods = small.answer, dict(small.kept["pods"])

    def act(method, path, query, body):
        if path == PATH and method == "DELETE":
            small.kept["pods"].clear()
        done = answer(method, path, query, body)
        if path == PATH and method == "PATCH" and not query.get("dryRun"):
            small.kept["pods"].update(pods)
            status = {"observedGeneration": 1}
            status["conditions"] = [{"type": "HeadPodReady", "status": "True"}]
            small.kept["rayclusters"]["raykit", "small"]["status"] = status
        return done

    monkeypatch.setattr(small, "answer", act)


def test_recreate_ends_a_cluster_that_is_as_the_spec_says_and_makes_it_again(
    small, raykit, spec, monkeypatch
):
    for plural in ("networkpolicies", "poddisruptionbudgets", "podmonitors"):
        small.keep(plural)
    as_kuberay(small, monkeypatch)
    code, _, said = raykit("up", "-f", spec, "--recreate")
    assert code == 2
    assert "it is deleted and made again (--recreate)" in said
    assert "its pod restarts: small-head" in said
    assert changes(small) == []
    assert raykit("up", "-f", spec, "--recreate", "--yes")[0] == 0
    methods = [method for method, body in changes(small) if body.get("kind") != "Status"]
    assert methods[:2] == ["DELETE", "PATCH"]


def test_recreate_asks_while_jobs_run_on_our_own_kind_too(small, raykit, spec, kubeconfig, tools):
    made_by_raykit(small, kubeconfig, tools)
    runs_a_job(small)
    code, _, said = raykit("up", "-f", spec, "--recreate")
    assert code == 2
    assert "1 job runs there and may be lost: mine-1" in said
    assert changes(small) == []


def test_recreate_of_what_git_applies_is_refused(small, raykit, spec):
    entry = {"manager": "argocd-controller", "operation": "Update", "fieldsV1": {"f:spec": {}}}
    small.kept["rayclusters"]["raykit", "small"]["metadata"]["managedFields"] = [entry]
    code, _, said = raykit("up", "-f", spec, "--recreate", "--yes")
    assert code == 8
    assert "Argo CD applies prod:raykit/small, and would undo what raykit changes" in said
    assert changes(small) == []


def test_a_change_by_somebody_else_while_the_question_stands_is_kept(small, raykit, spec):
    def somebody_changes_it(_question):
        small.kept["rayclusters"]["raykit", "small"]["metadata"]["generation"] += 1
        return True

    edit(spec)
    request = flow.Request(flow.read_spec(spec), confirm=somebody_changes_it)
    with pytest.raises(ConflictError, match="was changed meanwhile"):
        flow.up(request, Progress())
    assert changes(small) == []


def test_a_cluster_that_somebody_makes_while_the_question_stands_is_kept(small, raykit, spec):
    theirs = small.kept["rayclusters"].pop(("raykit", "small"))
    small.say("/api/v1/namespaces/raykit", {"kind": "Namespace", "metadata": {"name": "raykit"}})

    def somebody_makes_it(_question):
        small.keep("rayclusters", theirs)
        return True

    request = flow.Request(flow.read_spec(spec), confirm=somebody_makes_it)
    with pytest.raises(ConflictError, match="small was made meanwhile by somebody else"):
        flow.up(request, Progress())
    assert changes(small) == []


@pytest.mark.parametrize("again", [True, False])
def test_a_cluster_that_is_deleted_at_the_last_moment_is_not_made_again(
    small, raykit, spec, monkeypatch, again
):
    deleted_before_it_changes(small, monkeypatch, again=again)
    kept = small.kept["rayclusters"]
    before = kept["raykit", "small"]["spec"]
    edit(spec)
    code, _, said = raykit("up", "-f", spec, "--yes")
    assert code == 8
    assert "the object was deleted meanwhile" in said
    assert [item["spec"] for item in kept.values()] == ([before] if again else [])


def test_what_is_applied_beside_a_cluster_that_is_gone_by_then_is_its_property(
    small, raykit, spec, monkeypatch
):
    """So Kubernetes deletes it; without an owner it would stay."""
    for plural in ("networkpolicies", "poddisruptionbudgets", "podmonitors"):
        small.keep(plural)
    spec.write_text(SPEC + "disruptionBudget: true\n")
    deleted_before_it_changes(small, monkeypatch, again=False)
    assert raykit("up", "-f", spec, "--yes")[0] == 8
    (budget,) = small.kept["poddisruptionbudgets"].values()
    assert [owner["uid"] for owner in budget["metadata"]["ownerReferences"]] == ["uid-small"]


def test_a_second_up_waits_for_the_first(small, raykit, spec):
    lock = "up-prod-raykit-small"
    holding, release = threading.Event(), threading.Event()

    def first():
        with locks.held(lock, "the first"):
            holding.set()
            release.wait(240)

    other = threading.Thread(target=first)
    other.start()
    assert holding.wait(240)
    notes = []

    class Listener(Progress):
        def note(self, text):
            notes.append(text)
            release.set()

    flow.up(flow.Request(flow.read_spec(spec)), Listener())
    other.join()
    assert notes[0].startswith("another raykit is at work")


def test_how_a_cluster_came_up_is_recorded_by_up_and_read_for_that_head_only(
    small, raykit, spec, kubeconfig
):
    edit(spec)
    raykit("up", "-f", spec, "--yes")
    item = small.kept["rayclusters"]["raykit", "small"]
    pod = small.kept["pods"]["raykit", "small-head"]
    recorded = bring_up.recorded(item, [pod])
    assert [phase.name for phase in recorded] == ["applied", "scheduled"]
    flapped = json.loads(json.dumps(pod))
    flapped["status"]["conditions"][1]["lastTransitionTime"] = "2026-11-24T05:00:00Z"
    assert bring_up.recorded(item, [flapped]) == recorded
    pod["metadata"]["uid"] = "uid-of-another-head"
    assert bring_up.recorded(item, [pod]) == []


def test_while_old_pods_end_the_operator_is_not_called_idle(small):
    item = small.kept["rayclusters"]["raykit", "small"]
    item["metadata"]["generation"] = 2
    small.keep("deployments")
    with connect() as connection:
        cluster = Cluster(connection, "small", "raykit", item)
        (pod,) = raycluster.pods(cluster)
        assert [each.key for each in raycluster.findings(cluster, [pod])] == ["no-operator"]
        pod["metadata"]["deletionTimestamp"] = "2026-11-24T00:01:00Z"
        assert raycluster.findings(cluster, [pod]) == []


def refused(small):
    """Its pods were refused, and KubeRay tries again in a quarter of an hour."""
    item = small.kept["rayclusters"]["raykit", "small"]
    message = "FailedCreateHeadPod\nexceeded quota: q"
    failure = {"type": "ReplicaFailure", "status": "True", "message": message}
    item["status"]["conditions"] = [failure]
    return item, small.kept["pods"].pop(("raykit", "small-head"))


def test_up_makes_kuberay_try_again_what_it_failed_to_create(small, raykit, spec, monkeypatch):
    """Somebody has raised the quota. The condition ended the wait after 8 s."""
    item, head = refused(small)
    answer = small.answer

    def kuberay(method, path, query, body):
        if (method, path) == ("PATCH", PATH) and not query.get("dryRun"):
            assert list(body["metadata"]["annotations"]) == [raycluster.LOOKED_AGAIN]
            small.keep("pods", head)
            item["status"]["conditions"] = [{"type": "HeadPodReady", "status": "True"}]
        return answer(method, path, query, body)

    monkeypatch.setattr(small, "answer", kuberay)
    assert raykit("up", "-f", spec)[0] == 0
    assert len(changes(small)) == 1


def test_what_was_refused_before_does_not_hide_that_no_operator_runs_now(small):
    item, _ = refused(small)
    small.keep("deployments")
    with connect() as connection:
        found = raycluster.findings(Cluster(connection, "small", "raykit", item), [])
    assert [each.key for each in found] == ["no-operator", "replica-failure"]


@pytest.mark.parametrize("phase", ["Failed", "Running"])
def test_a_head_that_was_evicted_is_missing(small, phase):
    item = small.kept["rayclusters"]["raykit", "small"]
    head = small.kept["pods"]["raykit", "small-head"]
    head["status"] = {"phase": phase, "reason": "Evicted", "message": "low on memory"}
    small.keep("deployments")
    with connect() as connection:
        found = raycluster.findings(Cluster(connection, "small", "raykit", item), [head])
    idle = ["no-operator"] if phase == "Failed" else []
    assert [each.key for each in found] == [*idle, "evicted:small-head"]


def test_a_pod_of_an_earlier_spec_does_not_hide_that_no_operator_runs(small):
    item = small.kept["rayclusters"]["raykit", "small"]
    item["metadata"]["generation"] = 2
    head = small.kept["pods"]["raykit", "small-head"]
    waiting = {"reason": "CrashLoopBackOff"}
    ended = {"terminated": {"exitCode": 1}}
    container = {"name": "ray-head", "state": {"waiting": waiting}, "lastState": ended}
    head["status"] = {"containerStatuses": [container]}
    small.keep("deployments")
    with connect() as connection:
        found = raycluster.findings(Cluster(connection, "small", "raykit", item), [head])
    assert [(each.key, each.patience) for each in found] == [
        ("no-operator", 10),
        ("crash:small-head", None),
    ]


def test_objects_beside_the_cluster_are_changed_owned_and_removed_with_the_spec(
    small, raykit, spec
):
    for plural in ("networkpolicies", "poddisruptionbudgets", "podmonitors"):
        small.keep(plural)
    spec.write_text(SPEC + "disruptionBudget: true\n")
    code, _, said = raykit("up", "-f", spec)
    assert code == 2
    assert "PodDisruptionBudget small-head: added" in said
    assert "running pods stay" in said
    assert raykit("up", "-f", spec, "--yes")[0] == 0
    (budget,) = small.kept["poddisruptionbudgets"].values()
    (owner,) = budget["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("RayCluster", "small")
    assert "nothing to change" in raykit("up", "-f", spec)[2]
    spec.write_text(SPEC)
    assert "PodDisruptionBudget small-head: removed" in raykit("up", "-f", spec, "--yes")[2]
    assert small.kept["poddisruptionbudgets"] == {}


SPOILT = [[1], [["\x1b[2J", 1, 1]], [["image", float("nan"), 1]], [["image", 1, float("inf")]]]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "7", "{", *(json.dumps({"head": "uid-head", "phases": each}) for each in SPOILT)],
)
def test_an_annotation_that_somebody_spoilt_is_no_bring_up(text):
    item = {"metadata": {"annotations": {bring_up.ANNOTATION: text}}}
    assert bring_up.recorded(item, [HEAD]) == []
