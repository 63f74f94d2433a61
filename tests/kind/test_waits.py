"""Every wait explains itself: what KubeRay or a pod waits for, and what ends the wait at once.

tests/kind/test_up.py has the reasons that pods show themselves.
"""

import contextlib
import time

import pytest

pytestmark = [pytest.mark.kind, pytest.mark.timeout(420)]

PAIR = "workers: [{name: few, replicas: 1, cpu: 100m, memory: 1Gi}]"


def refused_up(lab, spec, namespace, *more):
    """What `raykit up` says where a cluster does not become ready."""
    done = lab.raykit("up", "-f", spec, "-n", namespace, *more, code=5, timeout=150)
    assert "next: " in done.stderr
    return done.stderr


@pytest.mark.parametrize("thing", ["services", "secrets"])
def test_a_quota_on_what_kuberay_makes_beside_pods_ends_the_wait(lab, namespace, spec, thing):
    lab.kubectl("create", "quota", "none", f"--hard={thing}=0", "-n", namespace)
    said = refused_up(lab, spec("small"), namespace)
    assert f"exceeded quota: none, requested: {thing}=1" in said
    assert "describe resourcequota" in said


def test_a_limit_range_that_refuses_pods_is_quoted(lab, namespace, spec):
    limits = {"type": "Container", "max": {"memory": "256Mi"}}
    item = f"""
apiVersion: v1
kind: LimitRange
metadata: {{name: tight}}
spec: {{limits: [{{type: {limits["type"]}, max: {{memory: {limits["max"]["memory"]}}}}}]}}
"""
    lab.kubectl("apply", "-n", namespace, "-f", "-", stdin=item)
    said = refused_up(lab, spec("small"), namespace)
    assert "admission forbids them" in said
    assert "maximum memory usage per Container is 256Mi" in said
    assert "describe limitrange" in said


@contextlib.contextmanager
def scaled_to_nothing(lab, namespace, name):
    """A Deployment of the Kubernetes cluster without replicas, and again as it was."""
    target = ("-n", namespace, f"deployment/{name}")
    before = lab.kubectl("get", *target, "-o", "jsonpath={.spec.replicas}")
    lab.kubectl("scale", *target, "--replicas=0")
    lab.kubectl("wait", *target, "--for=jsonpath={.spec.replicas}=0")
    try:
        yield
    finally:
        lab.kubectl("scale", *target, f"--replicas={before}")
        lab.kubectl("rollout", "status", *target, "--timeout=120s")


def test_an_operator_that_was_scaled_to_0_ends_the_wait(lab, namespace, spec):
    with scaled_to_nothing(lab, "ray-system", "kuberay-operator"):
        said = refused_up(lab, spec("small"), namespace)
    assert "KubeRay's operator has no replica: somebody scaled it to 0" in said
    assert "scale deployment/kuberay-operator --replicas=1" in said


def test_a_worker_that_cannot_resolve_the_head_is_explained_while_it_waits(lab, namespace, spec):
    with scaled_to_nothing(lab, "kube-system", "coredns"):
        said = refused_up(lab, spec("deaf", PAIR, taskCpus=0), namespace, "--timeout", "90")
    notes, _, error = said.partition("error: ")
    assert "waiting: group few, 0 of 1 ready: pod deaf-" in notes
    assert "does not reach the head, which is ready" in notes
    assert "the workers of deaf was not ready within" in error or "cannot become ready" in error
    assert "does a NetworkPolicy close DNS" in error
    assert "k8s-app=kube-dns" in error


def test_a_job_that_no_ray_node_can_take_says_what_it_needs(lab, namespace, spec):
    lab.raykit("up", "-f", spec("narrow"), "-n", namespace)
    on = ("--entrypoint", "--on", f"{namespace}/narrow")
    late = lab.raykit(
        *("submit", *on, "--entrypoint-num-cpus", "100", "--timeout", "25", "--", "true"), code=22
    ).stderr
    assert "the job is PENDING: its driver needs 100 CPU (the largest Ray node has 1 CPU)" in late
    code = "import ray; ray.init(); f = ray.remote(num_cpus=8)(lambda: 1); ray.get(f.remote())"
    began = time.monotonic()
    late = lab.raykit("submit", *on, "--timeout", "60", "--", "python", "-c", code, code=22).stderr
    assert "waits until a larger Ray node joins: it needs 8 CPU" in late, time.monotonic() - began
    lab.raykit("down", f"{namespace}/narrow", "--yes")
