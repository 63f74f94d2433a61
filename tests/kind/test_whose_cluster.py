"""Two namespaces, clusters of others, and edits of a running cluster, on a real API server."""

import os
import subprocess
import time

import pytest

from raykit.errors import ConflictError
from raykit.flows.clusters import applying
from raykit.flows.clusters.applying import Plan
from raykit.kube.connection import connect
from raykit.kuberay.raycluster import Cluster
from tests.kind import life

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

RAY_IMAGE = "rayproject/ray:2.60.0-py311"
BY_HAND = """
apiVersion: ray.io/v1
kind: RayCluster
metadata: {name: by-hand}
spec:
  rayVersion: 2.60.0
  headGroupSpec:
    rayStartParams: {num-cpus: "1"}
    template:
      spec:
        containers:
        - name: my-ray
          image: %s
          resources: {requests: {cpu: 100m, memory: 1Gi}, limits: {memory: 2Gi}}
          securityContext:
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
            runAsNonRoot: true
            seccompProfile: {type: RuntimeDefault}
"""


@pytest.fixture
def colleagues(lab):
    """Another namespace, with a cluster of a name that ours may have too."""
    name = f"t-colleague-{os.urandom(2).hex()}"
    lab.kubectl("create", "namespace", name)
    yield name
    lab.kubectl("delete", "raycluster", "--all", "-n", name, "--wait=false")
    lab.kubectl("delete", "namespace", name, "--wait=false")


def clusters(lab, namespace):
    return [item["metadata"]["name"] for item in lab.objects("rayclusters", "-n", namespace)]


def applied(lab, path, namespace):
    rendered = lab.raykit("render", "-f", path, "--namespace", namespace).stdout
    lab.kubectl("apply", "-n", namespace, "-f", "-", stdin=rendered)


def test_a_colleagues_cluster_of_the_same_name_is_neither_deleted_nor_taken(
    lab, namespace, colleagues, spec
):
    path = spec("same", "suspend: true")
    applied(lab, path, colleagues)
    for words in (("same",), ("-f", path), ("same", "-n", namespace)):
        refused = lab.raykit("down", *words, "--yes", code=4).stderr
        assert f"{lab.context}:{colleagues}/same" in refused
    lab.raykit("submit", "fib", "-n", namespace, code=4)
    assert clusters(lab, colleagues) == ["same"]
    applied(lab, path, namespace)
    lab.raykit("down", f"{lab.context}:{namespace}/same")
    assert (clusters(lab, namespace), clusters(lab, colleagues)) == ([], ["same"])


def test_any_raycluster_runs_jobs_by_name_and_only_its_maker_deletes_it(lab, namespace):
    lab.kubectl("apply", "-n", namespace, "-f", "-", stdin=BY_HAND % RAY_IMAGE)
    lab.kubectl(
        *("wait", "raycluster/by-hand", "-n", namespace),
        *("--for=condition=HeadPodReady", "--timeout=300s"),
    )
    for on in ("by-hand", f"{namespace}/by-hand", f"{lab.context}:{namespace}/by-hand"):
        words = ("submit", "--entrypoint", "--on", on, "--", "echo", "here")
        done = lab.raykit(*words)
        assert "here" in done.stdout.splitlines()
        assert f"running on {lab.context}:{namespace}/by-hand (--on)" in done.stderr
    on = f"{namespace}/by-hand"
    jobs = lab.json("ps", "--on", on)
    assert [job["status"] for job in jobs] == ["SUCCEEDED"] * 3
    log = lab.raykit("logs", jobs[0]["submission_id"], "--on", on).stdout
    assert "here" in log.splitlines()
    lab.raykit("stop", jobs[0]["submission_id"], "--on", on)
    (row,) = lab.json("status", "--on", on)["clusters"]
    assert (row["state"], row["made_by"], row["reasons"]) == ("ready", None, [])
    assert "bring_up" not in lab.json("runs", "show", "last")["cluster"]
    assert "raykit did not make" in lab.raykit("down", on, "--yes", code=8).stderr
    assert clusters(lab, namespace) == ["by-hand"]


def test_an_edit_says_what_restarts_and_asks_while_a_job_runs(lab, namespace, spec):
    path = spec("edited")
    lab.raykit("up", "-f", path, "-n", namespace)
    on = f"{namespace}/edited"
    words = ("submit", "--entrypoint", "--on", on, "--id", "long", "--no-follow")
    lab.raykit(*words, "--", "sleep", "600")
    assert "nothing to change" in lab.raykit("up", "-f", path, "-n", namespace).stderr
    (before,) = lab.objects("pods", "-n", namespace)
    spec("edited", env="{MODE: slow}")
    refused = lab.raykit("up", "-f", path, "-n", namespace, code=2).stderr
    assert "env[MODE]: added" in refused
    assert "its pod restarts: edited-head" in refused
    assert "1 job runs there and may be lost: long" in refused
    (still,) = lab.objects("pods", "-n", namespace)
    assert still["metadata"]["uid"] == before["metadata"]["uid"]
    edited = time.time()
    lab.raykit("up", "-f", path, "-n", namespace, "--yes")
    (after,) = [
        pod
        for pod in lab.objects("pods", "-n", namespace)
        if "deletionTimestamp" not in pod["metadata"]
    ]
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    lab.raykit("submit", "--entrypoint", "--on", on, "--", "true")
    came_up = lab.json("runs", "show", "last")["cluster"]["bring_up"]
    assert [phase["name"] for phase in came_up] == ["applied", "scheduled", "image", "head-ready"]
    # Kubernetes knows the second alone.
    since_edit = time.time() - edited + 1
    assert sum(phase["seconds"] for phase in came_up) <= since_edit, "counted from the last apply"


def test_two_ups_at_once_wait_for_each_other(lab, namespace, spec):
    path = spec("twice")
    words = ["raykit", "up", "-f", str(path), "-n", namespace]
    children = [
        subprocess.Popen(words, env=lab.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    ]
    said = [child.communicate(timeout=300)[0].decode() for child in children]
    assert [child.returncode for child in children] == [0, 0], said
    assert sum("nothing to change" in each for each in said) == 1


SCALED = (
    "autoscaling: {enabled: true, idleTimeoutSeconds: 3600}\n"
    "workers: [{name: w, maxReplicas: 1, cpu: 100m, memory: 1Gi}]"
)
ASKS_FOR_A_WORKER = "import ray; ray.init(); print(ray.get(ray.remote(lambda: 6 * 7).remote()))"


@pytest.fixture
def scaling(spec):
    """The spec of a cluster whose tasks all need workers of the autoscaler."""
    path = spec("scaling", SCALED)
    path.write_text(path.read_text().replace("taskCpus: 1", "taskCpus: 0"))
    return path


def test_an_edit_leaves_the_workers_that_the_autoscaler_started(lab, namespace, scaling):
    lab.raykit("up", "-f", scaling, "-n", namespace)
    words = ("--entrypoint", "--on", f"{namespace}/scaling", "--", "python", "-c")
    assert "42" in lab.raykit("submit", *words, ASKS_FOR_A_WORKER).stdout
    scaling.write_text(scaling.read_text().replace("maxReplicas: 1", "maxReplicas: 2"))
    said = lab.raykit("up", "-f", scaling, "-n", namespace, "--yes").stderr
    assert "workers[w].maxReplicas: 1 -> 2" in said
    assert "running pods stay" in said
    (cluster,) = lab.objects("rayclusters", "-n", namespace)
    (group,) = cluster["spec"]["workerGroupSpecs"]
    assert (group["replicas"], group["maxReplicas"]) == (1, 2)
    lab.raykit("down", "-f", scaling, "-n", namespace, "--yes")


def test_down_of_an_autoscaled_cluster_does_not_wait_for_the_autoscaler(lab, namespace, spec):
    patch = "{spec: {terminationGracePeriodSeconds: 600}}"
    path = spec("patient", SCALED, taskCpus=0, patch=patch)
    lab.raykit("up", "-f", path, "-n", namespace)
    words = ["kubectl", "--context", lab.context, "get", "pods", "-n", namespace, "--watch"]
    words += ["-o", 'jsonpath={.status.containerStatuses[*].state}{"\\n"}']
    with subprocess.Popen(words, env=lab.env, stdout=subprocess.PIPE, text=True) as watch:
        states = watch.stdout.readline()
        lab.raykit("down", "-f", path, "-n", namespace)
        watch.terminate()
        states += watch.stdout.read()
    # Its container ignores SIGTERM: that it ended would be known after 600 s.
    assert "running" in states
    assert "terminated" not in states


def test_a_name_like_kinds_is_no_leave_to_change_something(lab, namespace, spec):
    lab.kubectl("config", "rename-context", lab.context, "kind-somebodys")
    try:
        words = ("-n", namespace, "--context", "kind-somebodys")
        refused = lab.raykit("up", "-f", spec("small", f"image: {RAY_IMAGE}"), *words, code=2)
        assert "raykit did not make the cluster of this context" in refused.stderr
    finally:
        lab.kubectl("config", "rename-context", "kind-somebodys", lab.context)


def test_a_change_reaches_only_the_very_cluster_that_was_read(
    lab, namespace, spec, soon, monkeypatch
):
    """`scale` and `up` apply with the uid of what they read; the API server compares it."""
    monkeypatch.setenv("KUBECONFIG", lab.env["KUBECONFIG"])
    path = spec("very", "suspend: true")
    (item,) = life.rendered(lab, path, namespace, "RayCluster")
    with connect(lab.context) as connection:
        read = Cluster(connection, "very", namespace, connection.apply(item))
        applying.apply(connection, Plan([item], uid=read.item["metadata"]["uid"]))
        with pytest.raises(ConflictError, match="was deleted meanwhile"):
            applying.apply(connection, Plan([item], uid="00000000-0000-4000-8000-000000000000"))
        connection.delete("RayCluster", "very", namespace)
        soon(lambda: connection.get("RayCluster", "very", namespace) is None)
        with pytest.raises(ConflictError, match="was deleted meanwhile"):
            applying.apply(connection, Plan([item], uid=read.item["metadata"]["uid"]))
        assert connection.get("RayCluster", "very", namespace) is None
