"""`raykit up`, `status` and `down` on a real cluster, and why a cluster cannot become ready."""

import json

import httpx2
import pytest

from raykit.kube.connection import connect
from raykit.kuberay import choosing, observed, reach
from raykit.progress import Progress
from tests.kind import life

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]


@pytest.fixture
def single_node(lab, monkeypatch):
    """The session's own cluster, in this process."""
    monkeypatch.setenv("KUBECONFIG", lab.env["KUBECONFIG"])
    monkeypatch.setenv("PATH", lab.env["PATH"])
    with connect(lab.context) as connection:
        yield choosing.find_one(connection, "single-node", "raykit")


def test_multi_node_comes_up_is_shown_and_goes(lab, namespace, spec):
    workers = "workers: [{name: workers, replicas: 2, cpu: 100m, memory: 1Gi}]"
    path = spec("pair", workers, taskCpus=0)
    up = lab.json("up", "-f", path, "-n", namespace)
    assert [each["name"] for each in up["phases"]][-2:] == ["head-ready", "workers-ready"]
    row = lab.json("status", "-n", namespace)["clusters"][0]
    assert (row["name"], row["state"], row["workers_ready"]) == ("pair", "ready", 2)
    before = lab.objects("pods", "-n", namespace)
    lab.raykit("up", "-f", path, "-n", namespace)
    after = lab.objects("pods", "-n", namespace)
    assert {pod["metadata"]["uid"] for pod in before} == {pod["metadata"]["uid"] for pod in after}
    lab.raykit("down", "-f", path, "-n", namespace)
    assert lab.objects("pods", "-n", namespace) == []
    assert lab.json("status", "-n", namespace)["clusters"] == []


def test_a_cluster_that_git_applied_is_found(lab, namespace, spec):
    path = spec("from-git")
    rendered = lab.raykit("render", "-f", path, "--namespace", namespace).stdout
    lab.kubectl("apply", "-n", namespace, "-f", "-", stdin=rendered)
    rows = lab.json("status", "-n", namespace)["clusters"]
    assert [row["name"] for row in rows] == ["from-git"]


def test_an_image_that_no_registry_has_ends_the_wait(refused_up, spec):
    path = spec("nowhere", "image: localhost:1/nowhere:1.0")
    said = refused_up("no registry has the image", path)
    assert "image localhost:1/nowhere:1.0 cannot be had" in said
    assert "connection refused" in said


def test_raykits_own_image_of_another_hash_is_refused_before_anything_is_applied(
    lab, namespace, spec
):
    path = spec("stale", "image: raykit:2.60.0-py311-000000000000")
    refused = lab.raykit("up", "-f", path, "-n", namespace, code=4)
    assert "next: raykit image build" in refused.stderr
    assert lab.objects("rayclusters", "-n", namespace) == []


def test_a_shape_too_big_for_the_nodes_is_explained_reason_by_reason(lab, refused_up, spec):
    said = refused_up("no Kubernetes node is large enough", spec("big", taskCpus=64, cpu=64))
    assert "no Kubernetes node takes pod big-head-" in said
    assert "2 nodes: needs 64 cpu, has at most " in said
    assert f"such as {lab.name}-worker" in said
    assert f"node {lab.name}-control-plane: taint" in said
    assert "choose a smaller shape" in said


def test_a_quota_that_refuses_pods_is_quoted(lab, namespace, refused_up, spec):
    life.quota(lab, namespace, "none", "pods=0")
    said = refused_up("a ResourceQuota refuses the pods", spec("small"))
    assert "the namespace's quota is exceeded" in said
    assert "exceeded quota: none, requested: pods=1" in said


def first_reason(lab, namespace):
    """The words and the evidence of the first reason why the cluster of a namespace is not ready.

    Before KubeRay has looked at it, status says that it did not.
    """
    reasons = lab.json("status", "-n", namespace)["clusters"][0]["reasons"]
    return [reasons[0]["what"], *reasons[0]["evidence"]] if reasons else [""]


def test_a_pod_security_violation_is_quoted(lab, namespace, spec, soon):
    rendered = lab.raykit("render", "-f", spec("psa"), "--namespace", namespace).stdout
    loose = rendered.replace("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true")
    lab.kubectl("apply", "-n", namespace, "-f", "-", stdin=loose)
    refused = "violate the namespace's Pod Security level"
    reason = soon(lambda: refused in (said := first_reason(lab, namespace))[0] and said)
    assert "allowPrivilegeEscalation != false" in "".join(reason)


def test_a_container_that_runs_out_of_memory_is_told_from_one_that_crashes(refused_up, spec):
    said = refused_up("a container is OOMKilled", spec("thin", memory="300Mi"))
    assert "container ray-head ran out of memory: its limit is 300Mi" in said


def test_a_crash_loop_ends_the_wait_with_the_last_lines_of_its_log(refused_up, spec):
    said = refused_up("a container crashes again and again", spec("crash", env="{PYTHONHOME: /no}"))
    assert "container ray-head ends again and again (exit code 1" in said
    assert "| ModuleNotFoundError: No module named 'encodings'" in said


def test_a_spec_that_only_the_operator_refuses_is_quoted(lab, namespace, spec, soon):
    rendered = lab.raykit("render", "-f", spec("odd"), "--namespace", namespace).stdout
    without = "\n".join(line for line in rendered.splitlines() if "rayVersion" not in line)
    lab.kubectl("apply", "-n", namespace, "-f", "-", stdin=without)
    soon(lambda: "RayVersion was not specified" in "".join(first_reason(lab, namespace)[1:2]))


def test_an_absent_namespace_is_not_made_silently(lab, spec):
    refused = lab.raykit("up", "-f", spec("small"), "-n", "raykit-nowhere", code=4)
    assert "there is no namespace raykit-nowhere" in refused.stderr
    assert "--create-namespace" in refused.stderr


def test_a_raycluster_of_somebody_else_is_not_taken_over(lab, namespace, spec):
    rendered = lab.raykit("render", "-f", spec("theirs"), "--namespace", namespace).stdout
    ours = ("raykit.io/", "annotations:")
    unlabelled = [line for line in rendered.splitlines() if not any(key in line for key in ours)]
    lab.kubectl("apply", "-n", namespace, "-f", "-", stdin="\n".join(unlabelled))
    refused = lab.raykit("up", "-f", spec("theirs"), "-n", namespace, code=8)
    assert "that raykit did not make" in refused.stderr


def test_a_context_that_is_not_kinds_asks_first(lab, namespace, spec):
    lab.kubectl("config", "rename-context", lab.context, "elsewhere/prod:1")
    try:
        path = spec("small", "image: example.com/ray:2.60.0")
        words = ("-f", path, "-n", namespace, "--context", "elsewhere/prod:1")
        refused = lab.raykit("up", *words, code=2)
        assert "not confirmed" in refused.stderr
        assert "--yes" in refused.stderr
        own = lab.raykit("up", "-f", spec("own"), *words[2:], "--yes", code=4)
        assert "is no kind cluster" in own.stderr
    finally:
        lab.kubectl("config", "rename-context", "elsewhere/prod:1", lab.context)


def test_down_of_an_unknown_name_lists_what_there_is(lab):
    refused = lab.raykit("down", "nothing", code=4)
    assert "there is no cluster nothing" in refused.stderr
    assert "raykit/single-node" in refused.stderr


def test_the_head_answers_through_both_ways_and_to_nobody_without_the_token(single_node):
    with reach.reach(single_node, Progress()) as proxy, reach.port_forward(single_node) as port:
        forwarded = reach.forwarded(single_node, port)
        for way in (proxy, forwarded):
            with httpx2.Client(verify=way.tls) as client:
                known = client.get(f"{way.url}/api/version", headers=dict(way.headers))
                assert known.json()["ray_version"] == "2.60.0"
                without = {key: value for key, value in way.headers.items() if "Ray" not in key}
                without.pop("Authorization", None)
                assert client.get(f"{way.url}/api/jobs/", headers=without).status_code == 401
                wrong = {**way.headers, "X-Ray-Authorization": "Bearer wrong"}
                wrong.pop("Authorization", None)
                assert client.get(f"{way.url}/api/jobs/", headers=wrong).status_code == 403
    assert proxy.target["route"] == "service proxy"


def test_kind_nodes_are_one_machine_in_what_a_record_says(single_node):
    seen = observed.observe(single_node)
    assert seen["machines"] == 1
    assert seen["operator_version"] == "1.6.2"
    assert seen["pods"][0]["image_digest"].startswith("sha256:")
    assert seen["pods"][0]["limits"]["memory"] == "2560Mi"
    names = [phase["name"] for phase in seen["bring_up"]]
    assert names == ["applied", "scheduled", "image", "head-ready"]
    json.dumps(seen)
