"""`raykit doctor`: each check broken on purpose, all problems at once, and nothing changed."""

import json
import time

import pytest
import yaml

from raykit.flows.clusters import up
from raykit.objects import seconds
from tests.unit.kuberay.test_operator import deployment

RAY = "/apis/ray.io/v1"
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "raykit"}}
INFO = {
    "ServerVersion": "28.2.2",
    "NCPU": 2,
    "MemTotal": 16 * 1024**3,
    "Architecture": "x86_64",
    "DockerRootDir": "/",
    "CgroupVersion": "2",
}
FORBIDDEN_DEPLOYMENTS = (
    'deployments.apps is forbidden: User "jane" cannot list resource "deployments" in API group '
    '"apps" at the cluster scope'
)


def ready(*words):
    item = deployment()
    item["spec"]["template"]["spec"]["containers"][0]["args"] = list(words)
    return item


@pytest.fixture
def cluster(api, kubeconfig):
    """A context with KubeRay, in which nothing is wrong."""
    kubeconfig(api.url, context="prod")
    api.say(RAY, {"resources": [{"name": "rayclusters"}]})
    for plural in ("rayclusters", "rayjobs", "pods", "resourcequotas", "networkpolicies"):
        api.keep(plural)
    api.keep("namespaces", NAMESPACE)
    api.keep("deployments", with_label(ready("--watch-namespace=raykit,b")))
    return api


def with_label(item):
    item["metadata"]["labels"] = {"app.kubernetes.io/name": "kuberay-operator"}
    return item


@pytest.fixture
def whole(tools):
    """A machine on which nothing is missing."""
    kubectl = json.dumps({"clientVersion": {"gitVersion": "v1.36.2"}})
    info = f"echo '{json.dumps(INFO)}'"
    tools(
        docker=f"""case "$1" in image) echo '[{{}}]';; run) ;; *) {info};; esac""",
        kind="echo kind v0.33.0 go1.25",
        helm="echo v4.3.1",
        kubectl=f"echo '{kubectl}'",
        ps="echo '1 0 init'",
    )
    return tools


@pytest.fixture
def examined(raykit):
    """Runs doctor; the exit code, the checks by name, and the role."""

    def run(*words):
        code, out, _ = raykit("doctor", "-o", "json", *words)
        envelope = json.loads(out)
        data, error = envelope["data"], envelope["error"]
        assert (error["exit_code"] if error else 0) == code
        return code, {check["name"]: check for check in data["checks"]}, data["role"]

    return run


def test_a_whole_cluster_passes_and_nothing_is_changed(cluster, whole, examined):
    code, checks, role = examined()
    states = {name: check["state"] for name, check in checks.items() if check["state"] != "ok"}
    assert states.keys() <= {"raykit", "inotify"}, "those depend on this very machine"
    assert (code, role) == (0, None)
    assert checks["operator"]["what"] == (
        "KubeRay 1.6.2 runs (deployment ray-system/kuberay-operator) and watches raykit"
    )
    reviews = ("selfsubjectaccessreviews", "selfsubjectreviews")
    for (method, path, _), query in zip(cluster.asked, cluster.queries, strict=True):
        assert method == "GET" or path.endswith(reviews) or query["dryRun"] == "All"


def test_without_a_context_this_machine_is_checked_all_the_same(
    tools, examined, monkeypatch, tmp_path
):
    tools(ps="echo '1 0 init'")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    code, checks, _ = examined()
    assert code == 0
    assert checks["context"]["state"] == "skipped"
    for tool in ("docker", "kind", "helm", "kubectl"):
        assert checks[tool]["state"] == "warn"
        assert checks[tool]["what"] == f"{tool} is not on PATH"
        assert checks[tool]["evidence"][-1].startswith("needed by ")
        assert checks[tool]["next"]
    assert "docker-memory" not in checks


@pytest.mark.parametrize("tool", ["kind", "helm", "kubectl", "docker"])
def test_a_tool_that_is_being_replaced_is_a_warning(cluster, whole, examined, tool):
    with (whole() / tool).open("a"):
        code, checks, _ = examined()
    assert (code, checks[tool]["state"]) == (0, "warn"), checks[tool]
    assert checks[tool]["what"].startswith(f"{tool} could not be started")
    assert "Text file busy" in checks[tool]["evidence"]


@pytest.mark.parametrize(
    ("tool", "script", "what"),
    [
        ("kind", "echo kind v0.9.0", "kind v0.9.0 does not fit"),
        ("helm", "echo v2.17.0", "Helm v2.17.0 does not fit"),
        ("kubectl", "echo broken >&2; exit 3", "kubectl failed with exit status 3"),
        ("docker", "echo permission denied >&2; exit 1", "not allowed to use the docker engine"),
    ],
)
def test_a_tool_that_does_not_fit_is_a_warning(cluster, whole, examined, tool, script, what):
    whole(**{tool: script})
    code, checks, _ = examined()
    assert (code, checks[tool]["state"]) == (0, "warn"), checks
    assert checks[tool]["what"].startswith(what)


def test_a_context_that_does_not_answer_fails_with_5(cluster, whole, examined):
    cluster.refuse("/version", 401, "Unauthorized")
    code, checks, _ = examined()
    assert (code, checks["context"]["state"]) == (5, "fail")
    assert "does not accept the kubeconfig's credentials" in checks["context"]["what"]
    assert checks["docker"]["state"] == "ok"


def test_a_context_that_is_not_there_fails_with_4(cluster, whole, examined):
    code, checks, _ = examined("--context", "prd")
    assert (code, checks["context"]["state"]) == (4, "fail")
    assert "did you mean prod?" in checks["context"]["evidence"]


def test_missing_rights_are_printed_as_a_role_to_apply(cluster, whole, examined):
    cluster.denied = {("create", "rayclusters"), ("patch", "rayclusters"), ("get", "pods/log")}
    code, checks, role = examined()
    assert (code, checks["rights"]["state"]) == (4, "fail")
    assert checks["rights"]["what"] == "jane lacks rights in namespace raykit"
    granted, binding = yaml.safe_load_all(role)
    assert granted["metadata"]["namespace"] == "raykit"
    assert binding["roleRef"]["name"] == granted["metadata"]["name"]
    assert granted["rules"] == [
        {"apiGroups": ["ray.io"], "resources": ["rayclusters"], "verbs": ["create", "patch"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    ]
    assert binding["subjects"][0]["name"] == "jane"


def test_rights_that_only_explain_are_a_warning(cluster, whole, examined):
    cluster.denied = {("list", "nodes")}
    code, checks, role = examined()
    assert (code, checks["rights"]["state"]) == (0, "warn")
    assert [item["kind"] for item in yaml.safe_load_all(role)] == [
        "ClusterRole",
        "ClusterRoleBinding",
    ]


def test_a_context_without_kuberay_fails_with_the_text_of_up(
    cluster, whole, examined, raykit, tmp_path
):
    del cluster.answers[RAY]
    cluster.kept["deployments"].clear()
    code, checks, _ = examined()
    assert (code, checks["kuberay-api"]["state"]) == (4, "fail")
    assert checks["kuberay-fields"]["state"] == "skipped"
    assert checks["operator"]["what"] == "no KubeRay operator runs here"
    path = tmp_path / "c.yaml"
    head = "{taskCpus: 1, cpu: 100m, memory: 2Gi}"
    path.write_text(f"name: c\nimage: example.com/ray:2.60.0\nhead: {head}\n")
    code, _, said = raykit("up", "-f", path, "--yes")
    assert code == 4
    assert checks["kuberay-api"]["what"] in said
    assert checks["kuberay-api"]["next"] in said


def test_a_field_that_kuberay_there_does_not_know_is_named(cluster, whole, examined):
    said = "failed to create typed patch object: .spec.authOptions: field not declared in schema"
    path = f"{RAY}/namespaces/raykit/rayclusters/multi-node"
    cluster.refuse(path, 500, said)
    code, checks, _ = examined()
    assert (code, checks["kuberay-fields"]["state"]) == (4, "fail")
    assert checks["kuberay-fields"]["evidence"] == [said]
    definition = {"spec": {"properties": {"headGroupSpec": {}, "rayVersion": {}}}}
    cluster.keep(
        "customresourcedefinitions",
        {
            "metadata": {"name": "rayclusters.ray.io"},
            "spec": {
                "versions": [
                    {"name": "v1alpha1", "schema": {}},
                    {"name": "v1", "schema": {"openAPIV3Schema": {"properties": definition}}},
                ]
            },
        },
    )
    _, checks, _ = examined()
    assert checks["kuberay-fields"]["evidence"] == [
        said,
        "RayCluster: spec.authOptions is unknown there",
        "RayCluster: spec.upgradeStrategy is unknown there",
        "RayCluster: spec.workerGroupSpecs is unknown there",
    ]


def test_fields_are_tried_elsewhere_where_the_namespace_does_not_exist(cluster, whole, examined):
    code, checks, _ = examined("-n", "new")
    assert checks["namespace"]["what"] == "there is no namespace new in context prod"
    assert "--create-namespace" in checks["namespace"]["next"]
    assert (code, checks["kuberay-fields"]["state"]) == (4, "ok")
    tried = [path for method, path, _ in cluster.asked if method == "PATCH"]
    assert tried == [f"{RAY}/namespaces/default/rayclusters/multi-node"]


def test_fields_are_tried_by_who_may_not_read_namespaces(cluster, whole, examined):
    said = 'User "jane" cannot get resource "namespaces" in API group "" in the namespace "raykit"'
    cluster.refuse("/api/v1/namespaces/raykit", 403, said)
    code, checks, _ = examined()
    assert (code, checks["namespace"]["state"]) == (0, "skipped")
    assert checks["kuberay-fields"]["state"] == "ok"


@pytest.mark.parametrize(
    ("item", "code", "what"),
    [
        (deployment(replicas=0, updated=0), 4, "KubeRay's operator has no replica"),
        (deployment(available="False"), 5, "KubeRay's operator is not ready"),
        (ready("--watch-namespace=b"), 4, "KubeRay's operator does not watch namespace raykit"),
        (
            ready("--feature-gates=RayClusterStatusConditions=false"),
            4,
            "a feature gate that raykit needs is off",
        ),
    ],
)
def test_an_operator_that_does_not_serve_fails(cluster, whole, examined, item, code, what):
    cluster.keep("deployments", with_label(item))
    ended, checks, _ = examined()
    assert (ended, checks["operator"]["state"]) == (code, "fail")
    assert checks["operator"]["what"].startswith(what)
    assert checks["operator"]["next"]


def test_errors_in_the_operators_log_are_a_warning(cluster, whole, examined):
    pod = {
        "metadata": {
            "name": "op",
            "namespace": "ray-system",
            "labels": {"app.kubernetes.io/name": "kuberay-operator"},
        },
        "spec": {"containers": [{"name": "o"}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    cluster.keep("pods", pod)
    line = {"level": "error", "msg": "Reconciler error", "error": "no right"}
    cluster.say("/api/v1/namespaces/ray-system/pods/op/log", json.dumps(line))
    began = time.time()
    code, checks, _ = examined()
    assert (code, checks["operator-log"]["state"]) == (0, "warn")
    assert checks["operator-log"]["evidence"] == ["Reconciler error: no right"]
    assert checks["operator-log"]["next"].endswith("logs deployment/kuberay-operator")
    (asked,) = [query for query in cluster.queries if "tailLines" in query]
    since = seconds(asked["sinceTime"])
    assert began - 3_660 <= since <= time.time() - 3_600, "errors of long ago are no warning"


def test_an_operator_of_an_unknown_version_is_a_warning(cluster, whole, examined):
    cluster.keep("deployments", with_label(deployment(image="mirror/operator:v0.9.0")))
    _, checks, _ = examined("-n", "raykit")
    assert "does not watch" in checks["operator"]["what"]
    item = ready()
    item["spec"]["template"]["spec"]["containers"][0]["image"] = "mirror/operator:v0.9.0"
    cluster.keep("deployments", with_label(item))
    code, checks, _ = examined()
    assert (code, checks["operator"]["state"]) == (0, "warn")
    assert checks["operator"]["what"].startswith("raykit does not know KubeRay 0.9.0")


def test_who_may_not_look_for_the_operator_reads_that(cluster, whole, examined):
    cluster.refuse("/apis/apps/v1/deployments", 403, FORBIDDEN_DEPLOYMENTS)
    code, checks, _ = examined()
    assert (code, checks["operator"]["state"]) == (0, "skipped")


def test_pods_that_the_namespace_refuses_are_told_with_the_reason(cluster, whole, examined):
    cluster.refusals["pods"] = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": a'
    code, checks, _ = examined()
    assert (code, checks["admission"]["state"]) == (5, "fail")
    assert checks["admission"]["what"].endswith("they violate the namespace's Pod Security level")


def test_who_may_not_create_pods_gets_no_dry_run(cluster, whole, examined):
    cluster.refusals["pods"] = (
        'pods is forbidden: User "jane" cannot create resource "pods" in API group "" in the '
        'namespace "raykit"'
    )
    code, checks, _ = examined()
    assert (code, checks["admission"]["state"]) == (0, "skipped")


def test_a_quota_that_is_too_small_is_counted_out(cluster, whole, examined):
    quota = {
        "metadata": {"name": "small", "namespace": "raykit"},
        "status": {"hard": {"pods": "2"}, "used": {"pods": "0"}},
    }
    cluster.keep("resourcequotas", quota)
    code, checks, _ = examined()
    assert (code, checks["quota"]["state"]) == (5, "fail")
    assert checks["quota"]["evidence"] == ["pods: needs 3, 2 of 2 is free (quota small)"]


def test_all_problems_come_at_once_on_a_page_of_80_columns(cluster, whole, raykit, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    cluster.denied = {("create", "rayclusters")}
    cluster.kept["deployments"].clear()
    whole(kind="echo kind v0.9.0")
    code, out, said = raykit("doctor")
    assert code == 4
    assert "checks failed: rights, operator\n" in said
    for line in ("  warn    kind v0.9.0 does not fit", "  fail    jane lacks rights", "kind: Role"):
        assert line in out
    page, _, role = out.partition("\n---\n")
    assert all(len(line) <= 80 or "next: " in line for line in page.splitlines())
    assert yaml.safe_load_all(role)


def test_an_image_that_no_node_can_have_fails_with_the_text_of_up(
    cluster, whole, examined, raykit, tmp_path
):
    path = tmp_path / "c.yaml"
    path.write_text("name: c\nhead: {taskCpus: 1, cpu: 100m, memory: 2Gi}\n")
    code, checks, _ = examined("-f", path)
    assert (code, checks["image-source"]["state"]) == (4, "fail")
    code, _, said = raykit("up", "-f", path, "--yes")
    assert code == 4
    assert checks["image-source"]["what"] in said
    assert checks["image-source"]["next"] in said
    assert f"raykit image push REGISTRY/raykit -f {path}" in said


def test_whether_nodes_can_have_the_image_is_asked_once(
    cluster, whole, examined, tmp_path, monkeypatch
):
    asked, refuse = [], up.refuse_absent_image

    def counted(*words):
        asked.append(words)
        refuse(*words)

    monkeypatch.setattr(up, "refuse_absent_image", counted)
    path = tmp_path / "c.yaml"
    path.write_text("name: c\nhead: {taskCpus: 1, cpu: 100m, memory: 2Gi}\n")
    code, checks, _ = examined("-f", path, "--probe")
    assert code == 4
    assert len(asked) == 1
    assert checks["network-policies"]["state"] == "fail"
    assert checks["network-policies"]["what"] == checks["image-source"]["what"]


def test_the_queue_that_a_spec_names_is_checked(cluster, whole, examined, tmp_path):
    assert examined()[1]["queue"]["state"] == "ok", "nothing names one"
    path = tmp_path / "c.yaml"
    text = "name: c\nimage: example.com/ray:2.60.0\nhead: {taskCpus: 1, memory: 2Gi}\n"
    path.write_text(text)
    assert "queue" not in examined("-f", path)[1]
    path.write_text(f"{text}queue: team\n")
    code, checks, _ = examined("-f", path)
    assert (code, checks["queue"]["state"]) == (4, "fail")
    assert checks["queue"]["what"].endswith("(team), and the API server knows no Kueue")


def test_a_spec_that_is_invalid_is_refused_first(raykit, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("name: c\nhed: {}\n")
    code, _, said = raykit("doctor", "-f", path)
    assert code == 3
    assert "hed" in said
