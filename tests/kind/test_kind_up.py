"""`raykit kind up` and `down` on a real engine: the cold path, the no-op, and what is not ours."""

import json
import os
import signal
import subprocess
import time
from decimal import Decimal

import pytest

from raykit.spec import quantity

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]


def allocatable(lab, resource):
    return {
        node["metadata"]["name"]: quantity.parse(node["status"]["allocatable"][resource])
        for node in lab.objects("nodes")
        if "worker" in node["metadata"]["name"]
    }


def docker(*words):
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_nothing_becomes_a_ready_cluster_step_by_step(lab):
    phases = {each["name"]: each["seconds"] for each in lab.cold["phases"]}
    assert {"kind-cluster", "operator", "image-load", "head-ready"} <= set(phases)
    assert lab.cold["clusters"] == ["single-node"]


def pods(lab):
    """The pods of what kind up makes. Those of earlier tests may still be ending."""
    return {
        pod["metadata"]["uid"]
        for namespace in ("kube-system", "ray-system", "raykit")
        for pod in lab.objects("pods", "-n", namespace)
        if "deletionTimestamp" not in pod["metadata"]
    }


def test_a_second_kind_up_changes_nothing(lab):
    before = pods(lab)
    lab.raykit("kind", "up")
    assert pods(lab) == before


def test_the_workers_together_report_no_more_cpus_than_the_machine_has(lab):
    engine = json.loads(docker("info", "--format", "{{json .}}"))
    cpus = allocatable(lab, "cpu")
    assert len(cpus) == 2
    assert sum(cpus.values()) <= engine["NCPU"]
    assert sum(allocatable(lab, "memory").values()) <= Decimal(engine["MemTotal"])


def test_the_control_plane_takes_no_ray_pods(lab):
    planes = [node for node in lab.objects("nodes") if "control-plane" in node["metadata"]["name"]]
    assert planes[0]["spec"]["taints"][0]["effect"] == "NoSchedule"
    heads = lab.objects("pods", "-n", "raykit", "-l", "ray.io/node-type=head")
    assert heads
    assert all("worker" in pod["spec"]["nodeName"] for pod in heads)


def test_the_namespace_enforces_restricted_pod_security(lab):
    labels = json.loads(lab.kubectl("get", "namespace", "raykit", "-o", "json"))["metadata"][
        "labels"
    ]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_current_context_is_the_clusters(lab):
    assert lab.kubectl("config", "current-context").strip() == lab.context


def test_an_image_that_is_there_is_neither_built_nor_loaded(lab):
    image = lab.json("image", "build")["image"]
    before = docker("image", "inspect", "--format", "{{.Id}} {{.Created}}", image)
    loaded = lab.json("image", "load")
    assert loaded == {"image": image, "loaded_into": []}
    assert docker("image", "inspect", "--format", "{{.Id}} {{.Created}}", image) == before


def test_an_image_that_a_node_lost_is_loaded_into_that_node_only(lab):
    image = lab.json("image", "build")["image"]
    node = f"{lab.name}-worker2"
    docker("exec", node, "crictl", "--timeout=60s", "rmi", image)
    assert lab.json("image", "load")["loaded_into"] == [node]
    assert image.removeprefix("raykit:") in docker(
        "exec", node, "crictl", "--timeout=60s", "images"
    )


def test_a_kind_cluster_of_somebody_else_is_neither_used_nor_deleted(lab):
    # A container with kind's labels is all that kind itself goes by.
    labels = ("io.x-k8s.kind.cluster=raykit-foreign", "io.x-k8s.kind.role=control-plane")
    words = [word for label in labels for word in ("--label", label)]
    image = lab.json("image", "build")["image"]
    container = docker("create", *words, "--name", "raykit-foreign-control-plane", image, "true")
    try:
        for command in ("up", "down"):
            refused = lab.raykit("kind", command, "--name", "raykit-foreign", code=8)
            assert "was not made by raykit" in refused.stderr
            assert "next: " in refused.stderr
        assert docker("inspect", "--format", "{{.State.Status}}", container) == "created"
    finally:
        docker("rm", container)


def test_two_kind_ups_at_once_do_not_meet(lab):
    first = start(lab, lab.name)
    second = start(lab, lab.name)
    codes = sorted((first.wait(300), second.wait(300)))
    said = first.stderr.read() + second.stderr.read()
    assert codes in ([0, 0], [0, 8])
    assert codes == [0, 0] or "another raykit is at work" in said
    for child in (first, second):
        child.stdout.close()
        child.stderr.close()


def start(lab, name):
    return subprocess.Popen(
        ["raykit", "kind", "up", "--name", name],
        env=lab.env,
        cwd=lab.env["HOME_OF_TESTS"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill_after(lab, name, line, seconds):
    """Start `raykit kind up` and kill it, with all it started, so long after a line of it."""
    child = start(lab, name)
    try:
        seen = ""
        while line not in seen:
            read = child.stderr.readline()
            assert read, f"it ended before {line!r}: {seen}"
            seen += read
        time.sleep(seconds)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        child.stderr.close()


def test_killed_in_each_step_it_is_completed_by_the_next_run(lab):
    # Slow, since only real nodes show what a kill leaves behind.
    name = "raykit-test-cut"
    lab.raykit("kind", "down", "--name", name)
    try:
        kill_after(lab, name, "docker, kind, Helm", 2)  # containers asked for
        kill_after(lab, name, "docker, kind, Helm", 7)  # kubeadm at work
        kill_after(lab, name, f"✓ kind cluster {name}", 2)  # CRDs, Helm and the image at work
        kill_after(lab, name, f"✓ kind cluster {name}", 7)
        kill_after(lab, name, "applied", 1)  # the head is starting
        lab.raykit("kind", "up", "--name", name)
        rows = lab.json("status", "--context", f"kind-{name}")["clusters"]
        assert [(row["name"], row["state"]) for row in rows] == [("single-node", "ready")]
        docker("stop", "-t", "5", f"{name}-worker2")
        resumed = lab.raykit("kind", "up", "--name", name)
        assert "are stopped: they are started" in resumed.stderr
    finally:
        lab.raykit("kind", "down", "--name", name)
        lab.raykit("kind", "up")  # the current context is that of the session's cluster again


def test_down_leaves_no_container_and_no_context(lab):
    listed = lab.kubectl("config", "get-contexts", "-o", "name")
    assert "kind-raykit-test-cut" not in listed
    assert not docker("ps", "-aq", "-f", "name=^raykit-test-cut-")
