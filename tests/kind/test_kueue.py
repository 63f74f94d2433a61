"""Real Kueue: clusters and RayJobs wait for their turn, and raykit says where they stand."""

import dataclasses
import json
import os
import re
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kind import life

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

TOOL = life.SHARED / "kueue"
CACHE = Path(os.environ.get("KINDLAB_CACHE") or Path.home() / ".cache" / "kindlab") / "kueue"
GATE = "--feature-gates=ElasticJobsViaWorkloadSlices=true"
QUEUES = """apiVersion: kueue.x-k8s.io/v1beta2
kind: ResourceFlavor
metadata: {{name: {name}}}
---
apiVersion: kueue.x-k8s.io/v1beta2
kind: ClusterQueue
metadata: {{name: {name}}}
spec:
  namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}
  preemption: {{withinClusterQueue: LowerPriority}}
  resourceGroups:
  - coveredResources: [cpu, memory]
    flavors:
    - name: {name}
      resources:
      - {{name: cpu, nominalQuota: "8"}}
      - {{name: memory, nominalQuota: {memory}}}
---
apiVersion: kueue.x-k8s.io/v1beta2
kind: LocalQueue
metadata: {{name: team, namespace: {name}}}
spec: {{clusterQueue: {name}}}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {{name: urgent}}
value: 1000
"""
SECTION = "Pods and scheduling"
NO_ROOM = "insufficient unused quota for memory"
GOES_ON = "echo began; until [ -e /tmp/end ]; do date; sleep 1; done; echo done"
"""A job that ends only once `let_end` has told it to, and prints all the time until then."""


@pytest.fixture(scope="module")
def kueue(lab):
    """Kueue in the test cluster while the tests of this file run."""
    life.require(TOOL, "Kueue", "RAYKIT_REQUIRE_KUEUE")
    subprocess.run([TOOL, "install", lab.name], env=lab.env, check=True, timeout=500)
    deployment = ("-n", "kueue-system", "deployment/kueue-controller-manager")
    added = [{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": GATE}]
    lab.kubectl("patch", *deployment, "--type=json", "-p", json.dumps(added))
    lab.kubectl("rollout", "status", *deployment, "--timeout=300s")
    yield
    for kind in ("workloads", "localqueues", "clusterqueues", "resourceflavors"):
        lab.kubectl("delete", f"{kind}.kueue.x-k8s.io", "--all", "-A", "--timeout=60s", check=False)
    manifest = str(CACHE / "all.yaml")
    lab.kubectl("delete", "-f", manifest, "--ignore-not-found", "--wait=false", check=False)


@pytest.fixture
def mine(kueue, lab, tmp_path):
    """The lab with a folder of runs of this test alone."""
    return dataclasses.replace(lab, env=lab.env | {"RAYKIT_RUNS": str(tmp_path / "runs")})


@pytest.fixture
def queue(mine, namespace, soon):
    """`queue("2Gi")`: a queue `team` of the test's namespace with so much memory."""

    def make(memory):
        text = QUEUES.format(name=namespace, memory=memory)
        # Each of Kueue's webhooks takes a moment after a start: until all four objects are there.
        words = ("apply", "--server-side", "-f", "-")
        soon(lambda: mine.kubectl(*words, stdin=text, check=False).count("applied") == 4, 300)
        mine.kubectl(
            "wait", "--for=condition=Active", f"clusterqueue/{namespace}", "--timeout=300s"
        )

    return make


@contextmanager
def running(lab, *words):
    """raykit, which goes on while the test does; its output so far is in a file."""
    path = Path(lab.env["RAYKIT_RUNS"]).parent / f"said-{os.urandom(2).hex()}"
    with path.open("w") as said:
        child = subprocess.Popen(
            ["raykit", *map(str, words)],
            env=lab.env,
            cwd=lab.env["HOME_OF_TESTS"],
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        yield child, path
    finally:
        child.kill()
        child.wait()


def row(lab, namespace, name):
    """The status of one cluster."""
    rows = lab.json("status", "--context", lab.context, "-n", namespace)["clusters"]
    return next((row for row in rows if row["name"] == name), None)


def is_queued(lab, namespace, name):
    found = row(lab, namespace, name)
    return found and found["state"] == "queued" and found


def let_end(lab, namespace, but):
    """Whether the job on the head of a namespace was told to end. but: the head of an earlier
    start, which may still be there."""
    head = life.head(lab, namespace)
    if head in (None, but):
        return False
    words = ("sh", "-c", "touch /tmp/end && echo told")
    return "told" in life.on_head(lab, namespace, head, *words, check=False)


def test_a_cluster_without_room_in_its_queue_waits_says_so_and_comes_up(
    mine, namespace, queue, spec, soon
):
    queue("4Gi")
    place = ("-n", namespace, "--yes")
    workers = "queue: team\nworkers: [{name: w, cpu: 100m, memory: 1Gi}]"
    mine.raykit("up", "-f", spec("first", workers, taskCpus=0), *place)
    assert row(mine, namespace, "first")["workers_ready"] == 1

    path = spec("second", "queue: team", memory="2Gi")
    with running(mine, "up", "-f", path, *place) as (child, said):
        soon(lambda: is_queued(mine, namespace, "second"))
        path = spec("third", "queue: team", memory="2Gi")
        with running(mine, "up", "-f", path, *place, "--timeout", "20") as (late, _):
            third = soon(
                lambda: (
                    (found := is_queued(mine, namespace, "third"))
                    and "place 2 of 2" in found["reasons"][0]["what"]
                    and found
                )
            )
            # Longer than its time-out, which does not count while it is queued.
            time.sleep(25)
            assert late.poll() is None
        assert third["reasons"][0]["what"].startswith("QUEUED in team, place 2 of 2: ")
        second = row(mine, namespace, "second")["reasons"][0]["what"]
        assert re.match(rf"QUEUED in team, place 1 of 2: .*{NO_ROOM}", second)
        soon(lambda: "QUEUED in team" in said.read_text())
        assert child.poll() is None
        mine.raykit("down", "third", "-n", namespace, "--yes")
        mine.raykit("down", "first", "-n", namespace, "--yes")
        assert child.wait(300) == 0, said.read_text()
    assert row(mine, namespace, "second")["state"] == "ready"
    mine.raykit("up", "-f", spec("second", "queue: team", memory="2Gi"), *place)


def test_a_queue_that_does_not_exist_ends_the_wait_with_its_name(queue, refused_up, spec):
    queue("4Gi")
    said = refused_up("the queue of a cluster does not exist", spec("lost", "queue: nobody"))
    assert "LocalQueue nobody doesn't exist" in said
    assert "get localqueues" in said
    assert "also: " not in said, "doctor would say the same of the queue, and no more"


def checked(lab, path, namespace, code):
    data = lab.json("doctor", "-f", path, "-n", namespace, code=code)
    return next(check for check in data["checks"] if check["name"] == "queue")


def test_doctor_says_what_is_wrong_with_the_queue_of_a_spec(mine, namespace, queue, spec):
    queue("4Gi")
    path = spec("small", "queue: team")
    assert checked(mine, path, namespace, 0)["what"] == "Kueue runs and admits from team"
    absent = checked(mine, spec("lost", "queue: nobody"), namespace, 4)
    assert absent["what"] == f"there is no LocalQueue nobody in namespace {namespace}"
    assert absent["evidence"] == ["there is team"]

    where = ("-n", "kueue-system", "configmap", "kueue-manager-config")
    before = mine.kubectl("get", *where, "-o", "json")
    mine.kubectl("replace", "-f", "-", stdin=before.replace("ray.io/raycluster", "batch/job"))
    try:
        assert "ray.io/raycluster" in checked(mine, path, namespace, 4)["what"]
    finally:
        item = json.loads(before)
        del item["metadata"]["resourceVersion"]
        mine.kubectl("replace", "-f", "-", stdin=json.dumps(item))

    held = json.dumps({"spec": {"stopPolicy": "Hold"}})
    mine.kubectl("patch", "clusterqueue", namespace, "--type=merge", "-p", held)
    stopped = f"clusterqueue/{namespace}"
    mine.kubectl("wait", "--for=condition=Active=False", stopped, "--timeout=300s")
    found = checked(mine, path, namespace, 5)
    assert found["what"] == f"the ClusterQueue {namespace} is not active"
    assert found["next"].endswith(f"describe clusterqueue {namespace}")


def test_a_rayjob_waits_in_its_queue_and_runs_when_it_is_admitted(
    mine, namespace, queue, spec, faults
):
    queue("3Gi")
    place = ("-n", namespace, "--yes")
    mine.raykit("up", "-f", spec("holder", "queue: team", memory="2Gi"), *place)
    own = ("--as", "rayjob", "-f", spec("own", "queue: team"), *place, "--timeout", "400")
    small = ("--", "--size", "2000", "--repeat", "2", "--tasks", "4")
    watched = faults.start("submit", "fib", *own, *small, env=mine.env)
    watched.until("waiting: QUEUED in team, place 1 of 1: ")
    mine.raykit("down", "holder", "-n", namespace, "--yes")
    case = "a RayJob has no room in its queue, for a while"
    says = (f"waiting: QUEUED in team, place 1 of 1: .*?{NO_ROOM}",)
    faults.end(watched, SECTION, case, code=0, says=says)
    assert mine.json("runs", "show", "last")["status"] == "SUCCEEDED"


def test_a_preempted_rayjob_is_queued_again_and_followed_to_the_end_of_its_next_start(
    mine, namespace, queue, spec, faults, soon
):
    queue("3Gi")
    place = ("-n", namespace, "--yes")
    own = ("--as", "rayjob", "-f", spec("own", "queue: team"), *place)
    job = ("bash", "-c", GOES_ON)
    watched = faults.start("submit", "--entrypoint", *own, "--", *job, env=mine.env)
    watched.until("began")
    first = life.head(mine, namespace)
    watched.strike()
    urgent = spec("urgent", "queue: team", memory="2Gi", priorityClass="urgent")
    mine.raykit("up", "-f", urgent, *place)
    watched.until("Preempted")
    mine.raykit("down", "urgent", "-n", namespace, "--yes")
    soon(lambda: let_end(mine, namespace, but=first))
    says = (r"its cluster was taken away \(.*?\): KubeRay starts the job again",)
    case = "Kueue preempts a RayJob while it is followed"
    said = faults.end(watched, SECTION, case, code=0, says=says)
    assert "Preempted" in said.unbroken
    assert "done" in said.text
    record = mine.json("runs", "show", "last")
    assert record["status"] == "SUCCEEDED"
    assert any("KubeRay starts the job again" in note for note in record["notes"])


def test_a_rayjob_that_is_preempted_while_nobody_follows_gets_its_code_from_attach(
    mine, namespace, queue, spec, tmp_path, soon
):
    queue("3Gi")
    place = ("-n", namespace, "--yes")
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "job.py").write_text(
        f"import subprocess; subprocess.run(['bash', '-c', '{GOES_ON}'])"
    )
    own = ("--as", "rayjob", "-f", spec("own", "queue: team"), *place)
    with running(mine, "submit", folder / "job.py", *own) as (child, said):
        soon(lambda: "began" in said.read_text())
        first = life.head(mine, namespace)
        child.kill()
        child.wait()
    urgent = spec("urgent", "queue: team", memory="2Gi", priorityClass="urgent")
    mine.raykit("up", "-f", urgent, *place)
    mine.raykit("down", "urgent", "-n", namespace, "--yes")
    with running(mine, "attach", "last") as (child, said):
        soon(lambda: let_end(mine, namespace, but=first))
        assert child.wait(300) == 0, said.read_text()
    assert "upload code/" in said.read_text()
    assert "began" in said.read_text()
    assert mine.json("runs", "show", "last")["status"] == "SUCCEEDED"


def test_a_rayjob_with_an_autoscaled_cluster_gets_more_quota_while_it_runs(
    mine, namespace, queue, spec
):
    queue("6Gi")
    more = (
        "queue: team\nautoscaling: {enabled: true, idleTimeoutSeconds: 3600}\n"
        "workers: [{name: w, cpu: 100m, memory: 1Gi, taskCpus: 1, maxReplicas: 1}]"
    )
    own = ("--as", "rayjob", "-f", spec("grows", more, taskCpus=0), "-n", namespace, "--yes")
    task = "import ray; ray.init(); print('on a', ray.get(ray.remote(lambda: 'worker').remote()))"
    words = (*own, "--timeout", "400", "--entrypoint", "--", "python", "-c", task)
    assert "on a worker" in mine.raykit("submit", *words).stdout
    workloads = mine.objects("workloads.kueue.x-k8s.io", "-n", namespace)
    sets = [pods for workload in workloads for pods in workload["spec"]["podSets"]]
    assert ("w", 1) in {(pods["name"], pods["count"]) for pods in sets}


def test_an_autoscaled_cluster_gets_more_quota_while_it_runs(mine, namespace, queue, spec, soon):
    queue("6Gi")
    more = (
        "queue: team\nautoscaling: {enabled: true, idleTimeoutSeconds: 3600}\n"
        "workers: [{name: w, cpu: 100m, memory: 1Gi, taskCpus: 1, maxReplicas: 1}]"
    )
    path = spec("grows", more, taskCpus=0)
    mine.raykit("up", "-f", path, "-n", namespace, "--yes")
    words = ("--entrypoint", "--on", f"{namespace}/grows", "--timeout", "400", "--")
    task = "import ray; ray.init(); print('on a', ray.get(ray.remote(lambda: 'worker').remote()))"
    assert "on a worker" in mine.raykit("submit", *words, "python", "-c", task).stdout
    workloads = mine.objects("workloads.kueue.x-k8s.io", "-n", namespace)
    sets = [pods for workload in workloads for pods in workload["spec"]["podSets"]]
    assert ("w", 1) in {(pods["name"], pods["count"]) for pods in sets}
