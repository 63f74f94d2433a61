"""Every wait explains itself: what KubeRay or a pod waits for, and what ends the wait at once.

tests/kind/test_up.py has the reasons that pods show themselves.
"""

import contextlib
import json
import re

import pytest

from tests.kind import life

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

SECTION = "Pods and scheduling"
WORKERS = "workers: [{{name: few, replicas: {}, cpu: 100m, memory: 1Gi}}]"


@pytest.mark.parametrize(
    ("thing", "case"),
    [
        ("services", "a ResourceQuota refuses services"),
        ("secrets", "a ResourceQuota refuses secrets"),
    ],
)
def test_a_quota_on_what_kuberay_makes_beside_pods_ends_the_wait(
    lab, namespace, refused_up, spec, thing, case
):
    life.quota(lab, namespace, "none", f"{thing}=0")
    said = refused_up(case, spec("small"))
    assert f"exceeded quota: none, requested: {thing}=1" in said
    assert "describe resourcequota" in said


def test_a_limit_range_that_refuses_pods_is_quoted(lab, namespace, refused_up, spec):
    item = """
apiVersion: v1
kind: LimitRange
metadata: {name: tight}
spec: {limits: [{type: Container, max: {memory: 256Mi}}]}
"""
    lab.kubectl("apply", "-n", namespace, "-f", "-", stdin=item)
    said = refused_up("a LimitRange refuses the pods", spec("small"))
    assert "admission forbids them" in said
    assert "maximum memory usage per Container is 256Mi" in said
    assert "describe limitrange" in said


@contextlib.contextmanager
def scaled_to_nothing(lab, soon, namespace, name):
    """A Deployment of the Kubernetes cluster without replicas, and again as it was."""
    target = ("-n", namespace, f"deployment/{name}")
    before = json.loads(lab.kubectl("get", *target, "-o", "json"))["spec"]
    labels = ",".join(f"{key}={text}" for key, text in before["selector"]["matchLabels"].items())
    lab.kubectl("scale", *target, "--replicas=0")
    try:
        # A pod that is ending may still do its work.
        soon(lambda: lab.objects("pods", "-n", namespace, "-l", labels) == [], 300)
        yield
    finally:
        lab.kubectl("scale", *target, f"--replicas={before['replicas']}")
        lab.kubectl("rollout", "status", *target, "--timeout=300s")


def test_an_operator_that_was_scaled_to_0_ends_the_wait(lab, refused_up, spec, soon):
    with scaled_to_nothing(lab, soon, "ray-system", "kuberay-operator"):
        said = refused_up("the operator is scaled to 0", spec("small"))
    assert "KubeRay's operator has no replica: somebody scaled it to 0" in said
    assert "scale deployment/kuberay-operator --replicas=1" in said


def test_a_worker_that_cannot_resolve_the_head_is_explained_while_it_waits(
    lab, namespace, refused_up, spec, soon
):
    case = "DNS is down for a worker (wait-gcs-ready), up --timeout 60"
    # The 60 s are for the worker: how long a head takes to start is the machine's affair.
    lab.raykit("up", "-f", spec("deaf", WORKERS.format(0), taskCpus=0), "-n", namespace)
    with scaled_to_nothing(lab, soon, "kube-system", "coredns"):
        said = refused_up(case, spec("deaf", WORKERS.format(1), taskCpus=0), "--timeout", "60")
    notes, _, error = said.partition("error: ")
    assert "waiting: group few, 0 of 1 ready: pod deaf-" in notes
    assert "does not reach the head, which is ready" in notes
    assert ": the workers of deaf" in error
    assert "does a NetworkPolicy close DNS" in error
    assert "k8s-app=kube-dns" in error


def test_a_job_that_no_ray_node_can_take_says_what_it_needs(lab, namespace, faults, spec, soon):
    """Both jobs wait at the same time, since each waits until its time-out."""
    lab.raykit("up", "-f", spec("narrow"), "-n", namespace)
    on = ("--on", f"{namespace}/narrow")
    words = ("submit", "--entrypoint", *on, "--timeout", "25", "--id")
    code = "f = ray.remote(num_cpus=8)(lambda: 1).remote(); print('asked'); ray.get(f)"
    code = ("python", "-uc", f"import ray; ray.init(); {code}")
    # The time-out is not to begin before the task waits.
    lab.raykit("submit", "--entrypoint", *on, "--no-follow", "--id", "wide-task", "--", *code)
    soon(lambda: "asked" in lab.raykit("logs", "wide-task", *on).stdout.splitlines())
    driver = faults.start(*words, "wide-driver", "--entrypoint-num-cpus", "100", "--", "true")
    task = faults.start(*words, "wide-task", "--", *code)
    needs = "its driver needs 100 CPU (the largest Ray node has 1 CPU)"
    case = "no Ray node can take a job's driver, submit --timeout 25"
    faults.end(driver, SECTION, case, code=22, says=(f"the job is PENDING: {re.escape(needs)}",))
    assert f"the job is PENDING: {needs}" in lab.json("runs", "show", "wide-driver")["notes"]
    needs = "waits until a larger Ray node joins: it needs 8 CPU (the largest Ray node has 1 CPU)"
    case = "no Ray node can take a task, submit --timeout 25"
    faults.end(task, SECTION, case, code=22, says=(rf"\S+ {re.escape(needs)}",))
    assert any(needs in note for note in lab.json("runs", "show", "wide-task")["notes"])
