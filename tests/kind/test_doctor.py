"""`raykit doctor` on a real cluster: what is broken is named, and its advice mends it."""

import pytest
import yaml

from tests.conftest import patient
from tests.kind import life

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

ADVISED = patient("raykit.flows.examining.quick.SECONDS")
RAY_IMAGE = "rayproject/ray:2.60.0-py311"


def examined(lab, *words, code=0):
    """The checks by name, and the role."""
    data = lab.json("doctor", *words, code=code)
    return {check["name"]: check for check in data["checks"]}, data["role"]


@pytest.fixture
def stranger(lab, namespace):
    """A context of a ServiceAccount without rights."""
    name = f"stranger-{namespace}"
    lab.kubectl("create", "serviceaccount", "stranger", "-n", namespace)
    token = lab.kubectl("create", "token", "stranger", "-n", namespace).strip()
    lab.kubectl("config", "set-credentials", name, f"--token={token}")
    words = (f"--cluster={lab.context}", f"--user={name}", f"--namespace={namespace}")
    lab.kubectl("config", "set-context", name, *words)
    yield name
    lab.kubectl("config", "delete-context", name)
    for item in (*lab.objects("clusterrolebindings"), *lab.objects("clusterroles")):
        if item["metadata"]["name"].startswith("raykit-"):
            lab.kubectl("delete", item["kind"], item["metadata"]["name"])


def test_a_cluster_of_kind_up_is_whole_and_its_namespace_takes_the_pods(lab, namespace, spec):
    checks, role = examined(lab, "-n", namespace, "-f", spec("small"))
    ours = ("context", "rights", "kuberay-api", "kuberay-fields", "operator", "namespace")
    for name in (*ours, "admission", "quota", "docker", "kind", "helm", "kubectl"):
        assert checks[name]["state"] == "ok", checks[name]
    assert role is None
    assert "it enforces Pod Security restricted" in checks["namespace"]["what"]
    assert lab.objects("pods", "-n", namespace) == [], "a dry run leaves nothing"


def test_the_role_that_doctor_prints_is_all_that_up_and_submit_need(lab, namespace, spec, stranger):
    path = spec("granted", f"image: {RAY_IMAGE}")
    checks, role = examined(lab, "--context", stranger, "-f", path, code=4)
    assert checks["rights"]["what"].endswith(f"stranger lacks rights in namespace {namespace}")
    refused = lab.raykit("up", "-f", path, "--context", stranger, "--yes", code=4).stderr
    assert f"raykit doctor --context {stranger} -n {namespace}" in refused
    kinds = [item["kind"] for item in yaml.safe_load_all(role)]
    assert kinds == ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"]
    lab.kubectl("apply", "-f", "-", stdin=role)
    checks, role = examined(lab, "--context", stranger, "-f", path)
    assert (checks["rights"]["state"], role) == ("ok", None)
    lab.raykit("up", "-f", path, "--context", stranger, "--yes")
    on = f"{stranger}:{namespace}/granted"
    assert "here" in lab.raykit("submit", "--entrypoint", "--on", on, "--", "echo", "here").stdout
    lab.raykit("down", on, "--yes")


def test_an_operator_without_replicas_is_started_by_the_advice(lab, namespace, spec):
    where = ("-n", "ray-system", "deployment/kuberay-operator")
    lab.kubectl("scale", *where, "--replicas=0")
    try:
        checks, _ = examined(lab, "-n", namespace, code=4)
        assert checks["operator"]["what"].startswith("KubeRay's operator has no replica")
        assert checks["operator"]["next"].endswith("scale deployment/kuberay-operator --replicas=1")
        words = ("up", "-f", spec("small"), "-n", f"{namespace}-no")
        refused = lab.raykit(*words, code=4, program=ADVISED).stderr
        assert f"error: there is no namespace {namespace}-no" in refused
        assert f"also: {checks['operator']['what']}" in refused
        assert f"next: {checks['operator']['next']}" in refused
        lab.kubectl(*checks["operator"]["next"].split()[3:])
    finally:
        lab.kubectl("scale", *where, "--replicas=1")
        lab.kubectl("rollout", "status", *where, "--timeout=300s")
    checks, _ = examined(lab, "-n", namespace)
    assert checks["operator"]["state"] == "ok"


def test_a_quota_and_pod_security_are_judged_as_the_api_server_would(lab, namespace, spec):
    life.quota(lab, namespace, "tight", "limits.memory=1Gi,pods=9")
    path = spec("large")
    checks, _ = examined(lab, "-n", namespace, "-f", path, code=5)
    assert checks["quota"]["evidence"] == [
        "limits.memory: needs 1.5Gi, 1.0Gi of 1.0Gi is free (quota tight)"
    ]
    assert checks["admission"]["what"].endswith("the namespace's quota is exceeded")
    lab.kubectl("delete", "quota", "tight", "-n", namespace)
    path.write_text(path.read_text() + "  patch: {spec: {hostNetwork: true}}\n")
    checks, _ = examined(lab, "-n", namespace, "-f", path, code=5)
    assert checks["admission"]["what"].endswith("they violate the namespace's Pod Security level")


def test_an_image_is_checked_by_docker_and_by_a_short_pod(lab, namespace):
    for words in ((), ("--context", lab.context, "-n", namespace)):
        data = lab.json("image", "check", *words)
        assert {check["state"] for check in data["checks"]} == {"ok"}
        assert data["image"].startswith("raykit:")
    assert lab.objects("pods", "-n", namespace) == []
    words = ("-n", namespace, "quay.io/kuberay/operator:v1.6.2")
    refused = lab.raykit("image", "check", *words, code=5).stderr
    assert "the command in the pod raykit-check-" in refused
    assert '"sh"' in refused, "that image has no shell"
    assert lab.objects("pods", "-n", namespace) == [], "also after a failure"


def test_network_policies_are_tried_with_pods_that_are_then_gone(lab, namespace):
    """The lab's network plugin enforces none; kind's own does."""
    checks, _ = examined(lab, "-n", namespace, "--probe")
    tried = checks["network-policies"]
    assert tried["what"].startswith("network policies are")
    assert (tried["state"] == "ok") == ("are enforced" in tried["what"])
    for kind in ("pods", "networkpolicies"):
        assert lab.objects(kind, "-n", namespace) == []
