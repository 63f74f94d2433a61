"""`up`, `status`, `down` and `kind` against a small API server and stub programs."""

import json
import sys

import pytest

RAY = "/apis/ray.io/v1"
CLUSTERS = f"{RAY}/rayclusters"
RAYJOBS = "/apis/ray.io/v1/rayjobs"
IMAGE = "example.com/ray:2.60.0"
HEAD = {"template": {"spec": {"containers": [{"name": "ray-head", "image": IMAGE}]}}}


def cluster(name, namespace="raykit", *, ours=True):
    marks = {
        "labels": {"raykit.io/cluster": name},
        "annotations": {"raykit.io/spec-hash": "0" * 12},
    }
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "generation": 1,
            "creationTimestamp": "2026-11-24T00:00:00Z",
            **(marks if ours else {}),
        },
        "spec": {"rayVersion": "2.60.0", "headGroupSpec": HEAD},
        "status": {
            "observedGeneration": 1,
            "conditions": [{"type": "HeadPodReady", "status": "True"}],
            "head": {"serviceName": f"{name}-head-svc"},
        },
    }


def head_pod(name, namespace="raykit"):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-head",
            "namespace": namespace,
            "uid": f"uid-{name}-head",
            "creationTimestamp": "2026-11-24T00:00:01Z",
            "labels": {"ray.io/node-type": "head", "ray.io/cluster": name},
        },
        "spec": {"nodeName": "n", "containers": [{"name": "ray-head", "image": IMAGE}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


@pytest.fixture
def kuberay(api, kubeconfig):
    """An API server that knows RayClusters, behind a context that is not kind's."""
    kubeconfig(api.url, context="prod")
    api.say(RAY, {"resources": [{"name": "rayclusters"}]})
    for plural in ("rayclusters", "pods", "events", "nodes"):
        api.keep(plural)
    return api


def listed(api, *items):
    api.keep("rayclusters", *items)
    for item in items:
        metadata = item["metadata"]
        api.keep("pods", head_pod(metadata["name"], metadata["namespace"]))


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(
        "name: small\nimage: example.com/ray:2.60.0\nhead: {taskCpus: 1, memory: 2Gi}\n"
    )
    return path


def changed(api):
    """What was asked for that changes something, as `METHOD path`."""
    return [
        f"{method} {path}"
        for (method, path, _), query in zip(api.asked, api.queries, strict=True)
        if method != "GET" and not query.get("dryRun") and not path.endswith("reviews")
    ]


def test_without_kuberay_up_and_status_say_how_to_install_it(api, kubeconfig, raykit, spec):
    kubeconfig(api.url, context="prod")
    for words in (("up", "-f", spec), ("status",), ("down", "small")):
        code, _, said = raykit(*words)
        assert code == 4
        assert "KubeRay is not installed in context prod" in said
        assert "helm --kube-context prod install kuberay-operator" in said
        assert "--version 1.6.2" in said


def test_on_kind_it_is_kind_up_that_installs_kuberay(api, kubeconfig, raykit):
    kubeconfig(api.url, context="kind-mine")
    assert "next: raykit kind up --name mine" in raykit("status")[2]


def test_up_in_a_context_that_is_not_kinds_changes_nothing_without_yes(kuberay, raykit, spec):
    code, _, said = raykit("up", "-f", spec)
    assert code == 2
    assert "not confirmed: bring up small in namespace raykit, in context prod" in said
    assert "run it again with --yes" in said
    assert changed(kuberay) == []


def test_down_asks_too(kuberay, raykit):
    listed(kuberay, cluster("small"))
    assert raykit("down", "small")[0] == 2
    assert changed(kuberay) == []


def test_an_absent_namespace_is_refused_and_made_only_on_request(kuberay, raykit, spec):
    code, _, said = raykit("up", "-f", spec, "--yes")
    assert code == 4
    assert "there is no namespace raykit in context prod" in said
    assert "--create-namespace" in said
    assert changed(kuberay) == []


def test_the_namespace_that_is_made_enforces_restricted(kuberay, raykit, spec):
    words = ("up", "-f", spec, "--yes", "--create-namespace", "--timeout", "1")
    assert raykit(*words)[0] == 5
    _, path, body = next(each for each in kuberay.asked if each[0] == "PATCH")
    assert path == "/api/v1/namespaces/raykit"
    assert body["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}


FORBIDDEN = (
    'namespaces "raykit" is forbidden: User "me" cannot get resource "namespaces" in API group ""'
    ' in the namespace "raykit"'
)


@pytest.mark.parametrize("asked", [(), ("--create-namespace",)])
def test_a_namespace_that_may_not_be_read_is_no_reason_to_refuse(kuberay, raykit, spec, asked):
    kuberay.refuse("/api/v1/namespaces/raykit", 403, FORBIDDEN)
    assert raykit("up", "-f", spec, "--yes", "--timeout", "1", *asked)[0] == 5
    assert changed(kuberay)[0] == f"PATCH {RAY}/namespaces/raykit/rayclusters/small"


def test_a_namespace_that_may_not_be_read_and_is_not_there_is_said_to_be_missing(
    kuberay, raykit, spec
):
    kuberay.refuse("/api/v1/namespaces/raykit", 403, FORBIDDEN)
    path = f"{RAY}/namespaces/raykit/rayclusters/small"
    kuberay.refuse(path, 404, 'namespaces "raykit" not found')
    code, _, said = raykit("up", "-f", spec, "--yes")
    assert code == 4
    assert "there is no namespace raykit in context prod" in said


def test_raykits_own_image_is_refused_where_no_kind_cluster_can_have_it(kuberay, raykit, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("name: own\nhead: {taskCpus: 1, memory: 2Gi}\n")
    kuberay.say("/api/v1/namespaces/raykit", {"kind": "Namespace", "metadata": {"name": "raykit"}})
    code, _, said = raykit("up", "-f", own, "--yes")
    assert code == 4
    assert "is in no registry, and prod is no kind cluster" in said
    assert f"raykit image push REGISTRY/raykit -f {own}" in said
    assert changed(kuberay) == []


def test_an_image_built_here_and_never_pushed_is_refused_before_anything_is_applied(
    kuberay, raykit, tools, tmp_path
):
    tools(docker="""echo '[{"RepoDigests": []}]'""")
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\nimage: mine:dev\nhead: {taskCpus: 1, memory: 2Gi}\n")
    code, _, said = raykit("up", "-f", mine, "--yes", "--create-namespace")
    assert code == 4
    assert "the image mine:dev is in no registry, and prod is no kind cluster" in said
    assert "docker tag mine:dev REGISTRY/mine:dev && docker push REGISTRY/mine:dev" in said
    assert changed(kuberay) == []


def test_an_image_that_kubelets_never_pull_needs_no_registry(kuberay, raykit, tools, tmp_path):
    tools(docker="""echo '[{"RepoDigests": []}]'""")
    kuberay.say("/api/v1/namespaces/raykit", {"kind": "Namespace", "metadata": {"name": "raykit"}})
    mine = tmp_path / "small.yaml"
    lines = ["name: small", "image: mine:dev", "imagePullPolicy: Never"]
    mine.write_text("\n".join([*lines, "head: {taskCpus: 1, memory: 2Gi}"]))
    code, _, said = raykit("up", "-f", mine, "--yes", "--timeout", "1")
    assert code == 5, said
    assert changed(kuberay) == [f"PATCH {RAY}/namespaces/raykit/rayclusters/small"]


def test_an_error_of_kubernetes_without_advice_of_its_own_leads_to_doctor(kuberay, raykit, spec):
    kuberay.refuse(f"{RAY}/namespaces/raykit/rayclusters/small", 422, "it is odd")
    code, _, said = raykit("up", "-f", spec, "--yes")
    assert code == 5
    assert "it is odd" in said
    assert "next: raykit doctor, with the same --context and -n" in said


def test_a_raycluster_that_raykit_did_not_make_is_neither_changed_nor_deleted(
    kuberay, raykit, spec
):
    listed(kuberay, cluster("small", ours=False))
    for words in (("up", "-f", spec), ("down", "-f", spec), ("down", "small")):
        code, _, said = raykit(*words, "--yes")
        assert code == 8
        assert "that raykit did not make" in said
    assert changed(kuberay) == []


def test_the_label_alone_does_not_make_a_cluster_raykits(kuberay, raykit):
    theirs = cluster("small")
    del theirs["metadata"]["annotations"]
    listed(kuberay, theirs)
    assert raykit("down", "small", "--yes")[0] == 8
    assert changed(kuberay) == []


def test_an_invalid_spec_is_refused_before_anything_is_asked(kuberay, raykit, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: Bad_Name\nheed: {}\n")
    assert raykit("up", "-f", bad)[0] == 3
    assert kuberay.asked == []


@pytest.mark.parametrize("by", ["name", "spec"])
def test_down_never_looks_beyond_the_namespace_where_up_puts_a_cluster(kuberay, raykit, spec, by):
    listed(kuberay, cluster("small", "colleague"))
    words = ("down", "small") if by == "name" else ("down", "-f", spec)
    code, _, said = raykit(*words, "--yes")
    assert code == 4
    assert "there is no cluster small in namespace raykit of context prod" in said
    assert "there is prod:colleague/small" in said
    assert changed(kuberay) == []


def test_of_two_clusters_of_a_name_down_ends_the_one_of_its_namespace(kuberay, raykit):
    listed(kuberay, cluster("small", "colleague"), cluster("small", "raykit"))
    kuberay.kept["pods"].clear()
    assert raykit("down", "small", "--yes")[:2] == (0, "small is gone\n")
    assert changed(kuberay) == [f"DELETE {RAY}/namespaces/raykit/rayclusters/small"]


@pytest.mark.parametrize(
    "words",
    [
        ("small", "-n", "other"),
        ("other/small",),
        ("prod:other/small",),
        ("other/small", "--context", "prod"),
    ],
)
def test_down_takes_every_form_that_is_printed(kuberay, raykit, words):
    listed(kuberay, cluster("small", "other"))
    kuberay.kept["pods"].clear()
    assert raykit("down", *words, "--yes")[0] == 0
    assert changed(kuberay) == [f"DELETE {RAY}/namespaces/other/rayclusters/small"]


def test_status_shows_each_cluster_in_a_line_whoever_made_it(kuberay, raykit):
    nightly = cluster("nightly-x7", "batch", ours=False)
    nightly["metadata"]["ownerReferences"] = [{"kind": "RayJob", "name": "nightly"}]
    by_hand = cluster("by-hand", "dev", ours=False)
    listed(kuberay, cluster("small"), nightly, by_hand)
    code, said, _ = raykit("status")
    assert code == 0
    day = "2026-11-24T00:00:00Z"
    assert said.splitlines() == [
        "NAME        NAMESPACE  STATE  HEAD   WORKERS  RAY     MADE BY         CREATED",
        f"nightly-x7  batch      ready  ready  0/0      2.60.0  RayJob/nightly  {day}",
        f"by-hand     dev        ready  ready  0/0      2.60.0  -               {day}",
        f"small       raykit     ready  ready  0/0      2.60.0  raykit          {day}",
    ]


def test_status_of_ready_clusters_reads_no_pods_and_no_nodes(kuberay, raykit):
    listed(kuberay, *(cluster(f"c{number}", f"n{number}") for number in range(20)))
    raykit("status")
    read = [path for _, path, _ in kuberay.asked]
    asked = [CLUSTERS, "/apis/apps/v1/deployments", RAYJOBS]
    assert [path for path in read if path not in ("/version", RAY)] == asked


@pytest.mark.parametrize(
    ("pod", "row"),
    [
        ({}, ("ready", "ready", [])),
        ({"status": {}}, ("not ready", "not ready", [])),
        (None, ("not ready", "not ready", ["no KubeRay operator runs here"])),
    ],
)
def test_without_an_operator_status_asks_the_pods(kuberay, raykit, pod, row):
    """What KubeRay last said of a cluster stays, whatever becomes of its pods."""
    listed(kuberay, cluster("small"))
    kuberay.keep("deployments")
    if pod is None:
        kuberay.kept["pods"].clear()
    else:
        kuberay.keep("pods", head_pod("small") | pod)
    (found,) = json.loads(raykit("status", "-o", "json")[1])["data"]["clusters"]
    reasons = [reason["what"] for reason in found["reasons"]]
    assert (found["state"], found["head"], reasons) == row


def test_status_counts_the_workers_as_up_does_though_kuberay_counts_them_later(kuberay, raykit):
    pair = cluster("pair")
    pair["spec"]["workerGroupSpecs"] = [{"groupName": "few", "replicas": 1, **HEAD}]
    listed(kuberay, pair)
    worker = head_pod("pair")
    labels = {"ray.io/node-type": "worker", "ray.io/group": "few", "ray.io/cluster": "pair"}
    worker["metadata"] |= {"name": "pair-few-worker", "uid": "uid-few", "labels": labels}
    kuberay.keep("pods", head_pod("pair"), worker)
    (found,) = json.loads(raykit("status", "-o", "json")[1])["data"]["clusters"]
    assert (found["state"], found["workers_ready"], found["reasons"]) == ("ready", 1, [])


def test_status_of_one_cluster_reads_that_one(kuberay, raykit):
    listed(kuberay, cluster("small", "a"), cluster("small", "b"), cluster("large", "a"))
    rows = json.loads(raykit("status", "--on", "a/small", "-o", "json")[1])["data"]["clusters"]
    assert [(row["namespace"], row["name"]) for row in rows] == [("a", "small")]
    code, _, said = raykit("status", "--on", "nothing")
    assert code == 4
    assert "no cluster and no local head of that name" in said


def test_status_shows_rayjobs_that_have_not_ended_and_why_they_wait(kuberay, raykit):
    def rayjob(name, **status):
        metadata = {"name": name, "namespace": "n", "uid": name}
        metadata["labels"] = {"kueue.x-k8s.io/queue-name": "team"}
        return {"kind": "RayJob", "metadata": metadata, "spec": {}, "status": status}

    kuberay.keep(
        "rayjobs",
        rayjob("waits", jobDeploymentStatus="Suspended"),
        rayjob("runs", jobDeploymentStatus="Running", jobStatus="RUNNING", rayClusterName="c"),
        rayjob("ended", jobDeploymentStatus="Complete", jobStatus="SUCCEEDED"),
    )
    rows = json.loads(raykit("status", "-o", "json")[1])["data"]["rayjobs"]
    assert {row["name"]: row["state"] for row in rows} == {"waits": "queued", "runs": "RUNNING"}
    code, shown, _ = raykit("status")
    assert code == 0
    assert "waits: QUEUED in team: Kueue has not looked at it yet" in shown


def test_status_without_clusters_says_what_to_run(kuberay, raykit):
    assert "raykit up -f SPEC" in raykit("status")[1]


def test_status_as_json_has_a_fixed_form(kuberay, raykit):
    listed(kuberay, cluster("small"))
    told = json.loads(raykit("status", "-o", "json")[1])
    assert list(told) == ["schema", "command", "data", "error"]
    (row,) = told["data"]["clusters"]
    assert list(row) == [
        "name",
        "namespace",
        "context",
        "made_by",
        "state",
        "head",
        "workers_ready",
        "workers_wanted",
        "ray_version",
        "image",
        "created",
        "reasons",
        "next",
    ]


def test_a_cluster_is_found_in_its_own_namespace_where_all_may_not_be_listed(kuberay, raykit):
    kuberay.refuse(CLUSTERS, 403, "rayclusters is forbidden")
    listed(kuberay, cluster("small"))
    assert "small  raykit" in raykit("status")[1]


def test_down_deletes_and_waits_until_the_pods_are_gone(kuberay, raykit):
    kuberay.keep("rayclusters", cluster("small"))
    code, said, _ = raykit("down", "small", "--yes")
    assert (code, said) == (0, "small is gone\n")
    assert changed(kuberay) == [f"DELETE {RAY}/namespaces/raykit/rayclusters/small"]


@pytest.mark.parametrize("words", [(), ("small", "-f", "x.yaml")])
def test_down_wants_a_name_or_a_spec_and_not_both(raykit, words):
    code, _, said = raykit("down", *words)
    assert code == 2
    assert "say which cluster" in said


ENGINE = json.dumps(
    {"ServerVersion": "28", "NCPU": 2, "MemTotal": 16 * 2**30, "Architecture": "x86_64"}
)


@pytest.fixture
def ground(tools):
    """All programs that `kind up` needs; docker says that there is no node and no image."""
    tools(
        docker=f"""case "$1" in info) echo '{ENGINE}';; ps) ;; *) echo '[]';; esac""",
        kind='case "$1" in version) echo kind v0.33.0;; *) exit 1;; esac',
        helm="echo v4.3.1",
        raykit="exit 0",
    )
    return tools


def own(monkeypatch, folder):
    monkeypatch.setattr(sys, "argv", [str(folder / "raykit")])


def test_kind_up_stops_before_anything_is_made_where_raykit_is_another_one(ground, raykit):
    code, _, said = raykit("kind", "up")
    assert code == 4
    assert "the raykit on PATH is another one" in said
    assert ". .venv/bin/activate" in said or "pipx install -e ." in said
    assert not any("create" in call or "build" in call for call in ground.called())


@pytest.mark.parametrize("tool", ["docker", "kind", "helm"])
def test_kind_up_names_the_tool_that_is_absent(ground, raykit, monkeypatch, tool):
    own(monkeypatch, ground())
    (ground() / tool).unlink()
    code, _, said = raykit("kind", "up")
    assert code == 4
    assert f"{tool} is not on PATH" in said
    assert "create" not in " ".join(ground.called() if tool != "docker" else [])


def test_kind_up_names_all_that_is_absent_at_once(ground, raykit, monkeypatch):
    own(monkeypatch, ground())
    for tool in ("kind", "helm"):
        (ground() / tool).unlink()
    code, _, said = raykit("kind", "up")
    assert code == 4
    assert said.count("is not on PATH; next: install") == 2
    assert "next: raykit doctor" in said


def test_a_kind_that_fails_shows_its_own_words_and_the_command(ground, raykit, monkeypatch):
    own(monkeypatch, ground())
    ground(
        docker=f"""case "$1 $2" in
info*) echo '{ENGINE}';; ps*) ;; "image inspect") echo '[{{"Id": "1"}}]';; *) echo '[]';; esac""",
        kind="""case "$1" in
version) echo kind v0.33.0;;
create) cat > /dev/null; echo 'ERROR: failed to create cluster: no space left' >&2; exit 1;;
esac""",
    )
    code, _, said = raykit("kind", "up")
    assert code == 5
    assert "kind cannot make the cluster raykit" in said
    assert "$ kind create cluster --name raykit --config -" in said
    assert "ERROR: failed to create cluster: no space left" in said


def test_kind_down_of_nothing_is_no_error(ground, raykit):
    code, said, _ = raykit("kind", "down")
    assert (code, said) == (0, "there is no kind cluster raykit\n")
