"""`raykit down`: what it asks before jobs are lost, and which clusters are idle."""

import json
import time
from datetime import UTC, datetime

import pytest
import yaml

from raykit.endpoint import Endpoint
from raykit.kuberay import raycluster
from raykit.local import warm
from raykit.manifests.judging import pod_security
from tests.unit.app.small_cluster import made_by_raykit
from tests.unit.app.test_clusters import changed, cluster, head_pod

RAY = "/apis/ray.io/v1"
POD = "/api/v1/namespaces/raykit/pods/small-head"
HOUR = 3600.0


def proxy(name):
    return f"/api/v1/namespaces/raykit/services/{name}-head-svc:dashboard/proxy"


def moment(ago):
    return datetime.fromtimestamp(time.time() - ago, UTC).isoformat().replace("+00:00", "Z")


def rows(*items):
    result = {"result": list(items), "total": len(items), "num_filtered": len(items)}
    return {"result": True, "msg": "", "data": {"result": result}}


def job(status, ended=0.0, name="mine"):
    """A job that ended so many seconds ago, or has not."""
    end = int((time.time() - ended) * 1000) if ended else 0
    fields = {"submission_id": name, "status": status, "entrypoint": "x", "type": "SUBMISSION"}
    return {**fields, "start_time": end or int(time.time() * 1000), "end_time": end}


@pytest.fixture
def here(api, kubeconfig, tmp_path, monkeypatch):
    """An API server in a context that is not kind's; `here.add(name)` adds a ready cluster."""
    kubeconfig(api.url, context="prod")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    api.say(RAY, {"resources": [{"name": "rayclusters"}]})
    for plural in ("rayclusters", "pods", "events"):
        api.keep(plural)

    def add(name, *, started=5 * HOUR, jobs=(), tasks=(), actors=(), **more):
        api.keep("rayclusters", cluster(name, **more))
        pod = head_pod(name)
        state = {"running": {"startedAt": moment(started)}}
        pod["status"]["containerStatuses"] = [{"name": "ray-head", "state": state}]
        api.keep("pods", pod)
        api.say(f"{proxy(name)}/api/gcs_healthz", {})
        api.say(f"{proxy(name)}/api/jobs/", list(jobs))
        api.say(f"{proxy(name)}/api/v0/tasks", rows(*tasks))
        api.say(f"{proxy(name)}/api/v0/actors", rows(*actors))

    answer = api.answer

    def as_kuberay(method, path, query, body):
        """KubeRay ends the pods of a cluster that is deleted."""
        if method == "DELETE":
            api.kept["pods"].pop(("raykit", f"{path.rpartition('/')[2]}-head"), None)
        return answer(method, path, query, body)

    monkeypatch.setattr(api, "answer", as_kuberay)
    api.add = add
    return api


@pytest.fixture
def idle(here, raykit):
    """Runs `down --idle`: the exit code, the clusters of the result by name, and stderr."""

    def run(*words):
        code, out, said = raykit("down", "--idle", *words, "-o", "json")
        data = json.loads(out)["data"] if out else None
        return code, {row["name"]: row for row in (data or {}).get("clusters", [])}, said

    return run


def test_a_job_that_runs_is_named_and_needs_consent_also_on_our_own_kind(
    here, raykit, kubeconfig, tools
):
    made_by_raykit(here, kubeconfig, tools)
    here.add("small", jobs=[job("RUNNING"), job("SUCCEEDED", 60, "old")])
    code, _, said = raykit("down", "small")
    assert code == 2
    assert "1 job runs there and may be lost: mine" in said
    assert "not confirmed: delete small in namespace raykit, in context kind-mine" in said
    assert "next: run it again with --yes" in said
    assert changed(here) == []


def test_without_jobs_our_own_kind_is_not_asked_about(here, raykit, kubeconfig, tools):
    made_by_raykit(here, kubeconfig, tools)
    here.add("small", jobs=[job("SUCCEEDED", 60)])
    assert raykit("down", "small")[0] == 0


def test_a_head_that_cannot_list_its_jobs_may_have_some(here, raykit, kubeconfig, tools):
    made_by_raykit(here, kubeconfig, tools)
    here.add("small")
    here.say(f"{proxy('small')}/api/jobs/", "<html>", 404)
    code, _, said = raykit("down", "small")
    assert code == 2
    assert "jobs may run there: they cannot be listed" in said


def test_what_git_applies_is_said_to_come_again(here, raykit, kubeconfig, tools):
    made_by_raykit(here, kubeconfig, tools)
    here.add("small")
    item = here.kept["rayclusters"]["raykit", "small"]
    entry = {"manager": "argocd-controller", "operation": "Update", "fieldsV1": {"f:spec": {}}}
    item["metadata"]["managedFields"] = [entry]
    code, _, said = raykit("down", "small")
    assert code == 2
    assert "Argo CD applies kind-mine:raykit/small, and may make it again" in said


@pytest.fixture
def local_head(ray, monkeypatch, tmp_path):
    """A warm local head `three`, as far as commands can see; `local_head.ended` after `down`."""

    class Head:
        name, ended = "three", False

        def head(self):
            return self

        def endpoint(self):
            return Endpoint(ray.url)

    three = Head()
    three.url = ray.url
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    monkeypatch.setattr(warm, "running", lambda: [] if three.ended else [three])
    monkeypatch.setattr(warm, "down", lambda head: setattr(head, "ended", True))
    return three


@pytest.mark.parametrize("words", [("three",), ("three", "--on", "local")])
def test_a_job_on_a_local_head_is_named_too(local_head, ray, raykit, words):
    ray.job(id="mine")
    code, _, said = raykit("down", *words)
    assert code == 2
    assert "1 job runs there and may be lost: mine" in said
    assert not local_head.ended
    assert raykit("down", *words, "--yes")[:2] == (0, "three is gone\n")
    assert local_head.ended


def test_idle_clusters_end_and_others_stay_each_with_its_reason(here, idle):
    actor = {"actor_id": "a", "state": "ALIVE", "class_name": "Cache", "ray_namespace": "x"}
    here.add("never-used")
    here.add("used", jobs=[job("FAILED", 3 * HOUR)])
    here.add("just-used", jobs=[job("SUCCEEDED", HOUR)])
    here.add("young", started=HOUR)
    here.add("busy", jobs=[job("RUNNING")])
    here.add("working", tasks=[{"task_id": "t", "state": "RUNNING", "type": "NORMAL_TASK"}])
    here.add("serving", actors=[actor])
    here.add("theirs", ours=False)
    code, became, _ = idle("2h", "--yes")
    assert code == 0
    assert {name: row["state"] for name, row in became.items()} == {
        "never-used": "ended",
        "used": "ended",
        "just-used": "kept",
        "young": "kept",
        "busy": "kept",
        "working": "kept",
        "serving": "kept",
    }
    assert became["busy"]["reason"] == "busy: 1 job: mine"
    assert became["working"]["reason"] == "busy: 1 task: t"
    assert became["serving"]["reason"] == "busy: 1 actor: Cache"
    assert became["young"]["reason"] == "not idle for long enough"
    assert became["young"]["idle_seconds"] == pytest.approx(HOUR, abs=60)
    assert became["used"]["idle_seconds"] == pytest.approx(3 * HOUR, abs=60)
    gone = [f"DELETE {RAY}/namespaces/raykit/rayclusters/{name}" for name in ("never-used", "used")]
    assert changed(here) == gone


def test_a_dry_run_ends_nothing(here, raykit):
    here.add("small")
    here.add("used", jobs=[job("RUNNING", name="x" * 40), job("RUNNING", name="y" * 40)])
    code, out, _ = raykit("down", "--idle", "2h", "--dry-run")
    assert code == 0
    assert out.splitlines() == [
        "NAME   STATE     IDLE",
        "small  idle   300 min",
        "used   kept         -",
        f"used: busy: 2 jobs: {'x' * 40},",
        f"    {'y' * 40}",
        "dry run: nothing was ended",
    ]
    assert changed(here) == []


def test_without_consent_none_ends(here, idle):
    here.add("small")
    code, _, _ = idle("2h")
    assert code == 2
    assert changed(here) == []


def test_a_head_that_cannot_be_asked_is_kept(here, idle):
    here.add("deaf")
    here.say(f"{proxy('deaf')}/api/v0/actors", "<html>", 404)
    here.add("down")
    here.kept["pods"]["raykit", "down-head"]["status"]["conditions"] = []
    here.add("ageless")
    del here.kept["pods"]["raykit", "ageless-head"]["status"]["containerStatuses"]
    _, became, _ = idle("2h", "--yes")
    assert {row["state"] for row in became.values()} == {"kept"}
    assert became["deaf"]["reason"].startswith("its head cannot be asked: ")
    assert became["down"]["reason"] == "its head is not ready, so it cannot be asked"
    assert became["ageless"]["reason"] == "it is unknown when its head started"
    assert changed(here) == []


def test_what_git_applies_is_kept(here, idle):
    here.add("small")
    entry = {"manager": "kustomize-controller", "operation": "Apply", "fieldsV1": {"f:spec": {}}}
    here.kept["rayclusters"]["raykit", "small"]["metadata"]["managedFields"] = [entry]
    _, became, _ = idle("2h", "--yes")
    assert became["small"]["reason"] == "Flux applies it, and may make it again"


def test_a_job_that_comes_between_the_look_and_the_end_is_seen(here, idle, monkeypatch):
    here.add("small")
    asked = []
    answer = here.answer

    def later(method, path, query, body):
        if path.endswith("/api/jobs/"):
            asked.append(path)
            return 200, [job("RUNNING")] if len(asked) > 1 else []
        return answer(method, path, query, body)

    monkeypatch.setattr(here, "answer", later)
    _, became, _ = idle("2h", "--yes")
    assert became["small"]["reason"] == "busy: 1 job: mine"
    assert changed(here) == []


def test_a_name_means_that_cluster_alone_and_none_if_it_has_ended(here, idle):
    here.add("one")
    here.add("two")
    _, became, _ = idle("2h", "--yes", "one")
    assert list(became) == ["one"]
    assert changed(here) == [f"DELETE {RAY}/namespaces/raykit/rayclusters/one"]
    assert idle("2h", "--yes", "one")[:2] == (0, {})


@pytest.mark.parametrize("kind", ["tasks", "actors"])
def test_a_head_that_lists_only_some_of_what_runs_is_kept(here, idle, kind):
    here.add("small")
    cut = rows()
    cut["data"]["result"] |= {"total": 10_001, "num_after_truncation": 10_000}
    here.say(f"{proxy('small')}/api/v0/{kind}", cut)
    code, found, _ = idle("2h", "--yes")
    assert code == 0
    assert found["small"]["state"] == "kept"
    assert "leaves 1 out" in found["small"]["reason"]


def test_a_cluster_that_cannot_be_ended_keeps_no_other_and_is_the_exit_code(
    here, idle, monkeypatch
):
    for name in ("a", "b"):
        here.add(name)
    answer = here.answer

    def forbidding(method, path, query, body):
        if method == "DELETE" and path.endswith("/rayclusters/a"):
            return 403, {"kind": "Status", "code": 403, "message": "rayclusters is forbidden"}
        return answer(method, path, query, body)

    monkeypatch.setattr(here, "answer", forbidding)
    code, found, _ = idle("2h", "--yes")
    assert code == 4
    assert [found[name]["state"] for name in ("a", "b")] == ["kept", "ended"]


def test_a_cluster_that_took_the_name_since_the_question_is_not_deleted(here, raykit, monkeypatch):
    here.add("small")
    kept = here.kept["rayclusters"]
    answer = here.answer

    def replacing(method, path, query, body):
        if method == "DELETE":
            metadata = {**kept["raykit", "small"]["metadata"], "uid": "somebody-elses"}
            kept["raykit", "small"] = {**kept["raykit", "small"], "metadata": metadata}
        return answer(method, path, query, body)

    monkeypatch.setattr(here, "answer", replacing)
    code, _, said = raykit("down", "small", "--yes", "--no-collect")
    assert code == 8, said
    assert "another object has this name by now: nothing was deleted" in said
    assert ("raykit", "small") in kept


def test_a_named_cluster_of_others_is_refused(here, idle):
    here.add("theirs", ours=False)
    assert idle("2h", "--yes", "theirs")[0] == 8


@pytest.mark.parametrize(
    ("words", "words_of_error"),
    [
        (("--idle", "2 hours"), "is no length of time"),
        (("--idle", "2h", "-f", "x.yaml"), "--file would do nothing"),
        (("--idle", "2h", "--on", "local"), "--on would do nothing"),
        (("small", "--dry-run"), "--dry-run would do nothing"),
        (("small", "--render-cronjob", "x:1"), "--render-cronjob would do nothing"),
        (("--idle", "2h", "--render-cronjob", "x:1", "--yes"), "--yes would do nothing"),
        (("--idle", "2h", "--render-cronjob", " "), "is no image"),
        (("--idle", "2h", "--render-cronjob", "bad@image"), "is no image"),
        (("prod:ray/x", "--idle", "2h", "--render-cronjob", "x:1"), "names a context"),
        (("--idle", "2h", "-n", "A", "--render-cronjob", "x:1"), "can be no namespace"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(raykit, words, words_of_error):
    code, out, said = raykit("down", *words)
    assert (code, out) == (2, "")
    assert words_of_error in said


def rendered(raykit, *words):
    code, out, _ = raykit("down", *words, "--render-cronjob", "registry.example/raykit-cli:1")
    assert code == 0
    return {item["kind"]: item for item in yaml.safe_load_all(out)}


def test_the_cronjob_runs_the_command_with_the_rights_that_it_needs(raykit):
    objects = rendered(raykit, "--idle", "2h", "-n", "ray")
    assert list(objects) == ["ServiceAccount", "Role", "RoleBinding", "ConfigMap", "CronJob"]
    assert {item["metadata"]["namespace"] for item in objects.values()} == {"ray"}
    spec = objects["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["command"] == ["raykit", "down", "--idle", "2h", "--yes"]
    assert [(rule["resources"], rule["verbs"]) for rule in objects["Role"]["rules"]] == [
        (["rayclusters"], ["get", "list", "delete"]),
        (["pods"], ["list"]),
        (["secrets"], ["get"]),
        (["services/proxy"], ["get"]),
    ]
    config = yaml.safe_load(objects["ConfigMap"]["data"]["kubeconfig"])
    assert config["contexts"][0]["context"]["namespace"] == "ray"
    assert "token" not in config["users"][0]["user"]


def test_the_cronjob_of_one_cluster_has_rights_for_that_one(raykit):
    name = "a-name-that-is-as-long-as-raykit-lets-clusters-have-x"
    objects = rendered(raykit, name, "--idle", "30m")
    rules = objects["Role"]["rules"]
    assert (rules[0]["resourceNames"], rules[0]["verbs"]) == ([name], ["get", "delete"])
    assert rules[2]["resourceNames"] == [name[-50:]]
    assert len(objects["CronJob"]["metadata"]["name"]) <= 52
    other = rendered(raykit, name[:-1] + "y", "--idle", "30m")
    assert other["CronJob"]["metadata"]["name"] != objects["CronJob"]["metadata"]["name"]


def test_its_pod_passes_pod_security_restricted(raykit):
    cronjob = rendered(raykit, "--idle", "2h")["CronJob"]
    template = cronjob["spec"]["jobTemplate"]["spec"]["template"]
    ray_cluster = {"kind": "RayCluster", "spec": {"headGroupSpec": {"template": template}}}
    assert pod_security.problems(ray_cluster, "restricted") == ()


@pytest.fixture
def held(here, monkeypatch):
    """The head's pod of an autoscaled cluster, which is ending once its RayCluster is deleted."""
    here.add("small")
    pod = here.kept["pods"]["raykit", "small-head"]
    pod["spec"]["containers"].append({"name": "autoscaler"})
    answer = here.answer

    def as_kubelet(method, path, query, body):
        done = answer(method, path, query, body)
        if method == "DELETE" and path.endswith("/rayclusters/small"):
            ending = {"deletionTimestamp": moment(0), "deletionGracePeriodSeconds": 60}
            here.keep("pods", {**pod, "metadata": {**pod["metadata"], **ending}})
        return done

    monkeypatch.setattr(here, "answer", as_kubelet)
    return here


def of_pods(api):
    """The requests that delete pods: each path and its grace period."""
    asked = [(path, body) for method, path, body in api.asked if method == "DELETE"]
    return [(path, body.get("gracePeriodSeconds")) for path, body in asked if "/pods/" in path]


def test_the_autoscaler_of_a_head_that_has_ended_is_not_waited_for(held, raykit):
    held.say(f"{POD}/log", "the whole log of Ray's container")
    assert raykit("down", "small", "--yes")[0] == 0
    assert of_pods(held) == [(POD, 0)]


def test_a_container_beside_ray_may_end_before_its_pod_goes(held, raykit, monkeypatch, sleeps_of):
    sleeps_of(raycluster)
    monkeypatch.setattr(raycluster, "END_SECONDS", 1.5)
    held.kept["pods"]["raykit", "small-head"]["spec"]["containers"].append({"name": "logs"})
    asked, answer = [], held.answer

    def as_kubelet(method, path, query, body):
        if path == f"{POD}/log":
            asked.append(query["container"])
            if query["container"] == "logs":
                return 403, {"kind": "Status", "code": 403, "message": "its log has no end yet"}
        return answer(method, path, query, body)

    monkeypatch.setattr(held, "answer", as_kubelet)
    held.say(f"{POD}/log", "the whole log of Ray's container")
    assert raykit("down", "small", "--yes")[0] == 5
    assert "logs" in asked
    assert "autoscaler" not in asked
    assert of_pods(held) == []


def test_a_head_whose_log_may_not_be_read_has_its_whole_grace_period(
    held, raykit, monkeypatch, sleeps_of
):
    sleeps_of(raycluster)
    monkeypatch.setattr(raycluster, "END_SECONDS", 0.5)
    held.refuse(f"{POD}/log", 403, "pods/log is forbidden")
    code, _, said = raykit("down", "small", "--yes")
    assert code == 5
    assert "pods of prod:raykit/small still there after 0.5 s" in said
    assert of_pods(held) == []
