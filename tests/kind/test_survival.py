"""A task survives its node: a worker pod that is preempted, a Kubernetes node that stops.

The answer stays right; what was lost and tried again is in the record, in the strip and in the
verdict.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.kind,
    pytest.mark.timeout(900),
    pytest.mark.skipif("RAYKIT_SOAK" not in os.environ, reason="takes some minutes: make soak"),
]

ROOT = Path(__file__).parents[2]
SECTION = "Pods and scheduling"
BUSY = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -c ray::fib"
# Tasks of several seconds, in a run longer than the 20 s after which Ray calls a silent node dead;
# those of fib would need more memory than these pods have.
TASKS = """
import time
import ray
ray.init()
@ray.remote
def fib(number):
    time.sleep(6)
    return number
print("sum", sum(ray.get([fib.remote(number) for number in range(16)])))
"""
FIB = ("--entrypoint", "--", "python", "-c", TASKS)


@pytest.fixture(scope="module")
def on(lab):
    """A head and two workers, on different Kubernetes nodes where there are two."""
    lab.raykit(
        "up", "-f", ROOT / "deploy/clusters/multi-node.yaml", "-n", "raykit", "--name", "hit"
    )
    yield ("--on", "raykit/hit")
    lab.raykit("down", "hit", "-n", "raykit", "--yes")


def pods(lab, kind):
    return lab.objects("pods", "-n", "raykit", "-l", f"ray.io/cluster=hit,ray.io/node-type={kind}")


def long_busy(lab):
    """The worker pod that is busy at three looks: a task of the warm-up ends before the third."""
    seen = [busy(lab) for _ in range(3)]
    names = {pod["metadata"]["name"] if pod else None for pod in seen}
    return seen[0] if len(names) == 1 else None


def busy(lab):
    """A worker pod in which a task of fib runs."""
    for pod in pods(lab, "worker"):
        words = ("exec", "-n", "raykit", pod["metadata"]["name"], "--", "sh", "-c", BUSY)
        if int(lab.kubectl(*words, check=False).strip() or 0):
            return pod
    return None


def disturbed(lab, text):
    """What raykit says of a run whose task was tried again; its record."""
    run = lab.json("runs", "show", "last")
    assert run["status"] == "SUCCEEDED"
    assert run["tasks"]["retried"] >= 1
    assert any(node["lost"] for node in run["tasks"]["ended"].values())
    assert "DISTURBED" in text
    assert re.search(r"tasks? (was|were) tried again", text.replace("\n", " "))
    assert "lost while the job ran" in text.replace("\n", " ")
    return run


def ready(lab, node):
    (found,) = [each for each in lab.objects("nodes") if each["metadata"]["name"] == node]
    states = {each["type"]: each["status"] for each in found["status"]["conditions"]}
    return states["Ready"] == "True"


def whole(lab):
    rows = lab.json("status", "-n", "raykit")["clusters"]
    return all(row["state"] == "ready" for row in rows if row["name"] == "hit")


def test_fib_survives_a_worker_pod_that_is_preempted(lab, on, faults, soon):
    watched = faults.start("submit", *on, *FIB)
    pod = soon(lambda: long_busy(lab), 120)
    watched.strike()
    lab.kubectl("delete", "pod", "-n", "raykit", pod["metadata"]["name"], "--wait=false")
    said = faults.end(watched, SECTION, "a worker pod is preempted while tasks run", code=0)
    assert "sum 120" in said.text
    disturbed(lab, said.text)
    soon(lambda: whole(lab), 120)


def test_fib_survives_a_kubernetes_node_that_stops(lab, on, faults, soon):
    (head,) = pods(lab, "head")
    watched = faults.start("submit", *on, *FIB)
    pod = soon(lambda: long_busy(lab), 120)
    node = pod["spec"]["nodeName"]
    if node == head["spec"]["nodeName"]:
        others = [each for each in pods(lab, "worker") if each["spec"]["nodeName"] != node]
        assert others, "both workers run beside the head"
        node = others[0]["spec"]["nodeName"]
    watched.strike()
    subprocess.run(["docker", "stop", "-t", "1", node], check=True, capture_output=True)
    try:
        said = faults.end(watched, SECTION, "a Kubernetes node stops while tasks run", code=0)
    finally:
        subprocess.run(["docker", "start", node], check=True, capture_output=True)
        soon(lambda: ready(lab, node), 180)
    assert "sum 120" in said.text
    disturbed(lab, said.text)
    soon(lambda: whole(lab), 300)
