"""Jobs on a real cluster: the line that the README promises, both jobs on every shape, compare."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.kind import life

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
SHAPES = ROOT / "deploy" / "clusters"
FIB = ("fib", "--", "--size", "20000", "--repeat", "2")


WAITS = """
import time
import ray

@ray.remote(num_cpus=1)
def wait():
    time.sleep(1)

ray.get([wait.remote() for _ in range(24)])
print("done")
"""


def records(lab):
    return {row["id"]: row for row in lab.json("runs")}


def record(lab, run="last"):
    return lab.json("runs", "show", run)


@pytest.fixture
def shapes(lab):
    """Shapes beside the single-node cluster; what a test left up is taken down."""
    made = []

    def up(shape, name, *words):
        made.append(name)
        lab.raykit("up", "-f", SHAPES / f"{shape}.yaml", "-n", "raykit", "--name", name, *words)

    def down(name):
        lab.raykit("down", name, "-n", "raykit")
        made.remove(name)

    yield up, down
    for name in made:
        lab.raykit("down", name, "-n", "raykit")


def test_make_kind_up_and_submit_fib_work_in_a_fresh_shell(lab):
    done = subprocess.run(
        ["bash", "-c", "make kind-up && raykit submit fib -- --size 20000"],
        cwd=ROOT,
        env=lab.env,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert "Sequence size: 20000, Local execution time: " in done.stdout
    assert "Sequence size: 20000, Remote execution time: " in done.stdout
    assert f"running on {lab.context}:raykit/single-node" in done.stderr


def test_while_tasks_wait_for_a_cpu_rays_autoscaler_writes_nothing_into_the_log(lab, tmp_path):
    """It looks every 5 s, and called tasks infeasible that only waited for one of two CPUs."""
    job = tmp_path / "waits.py"
    job.write_text(WAITS, "utf-8")
    log = lab.raykit("submit", job).stdout
    assert "done" in log
    assert not re.search(r"\((raylet|autoscaler)|infeasible|fulfill", log)


def test_a_record_on_kubernetes_names_nodes_image_limits_and_how_the_cluster_came_up(lab):
    lab.raykit("submit", *FIB)
    found = record(lab)
    assert found["status"] == "SUCCEEDED"
    assert found["target"]["route"] == "service proxy"
    assert found["cluster"]["machines"] == 1
    assert found["cluster"]["pods"][0]["image_digest"].startswith("sha256:")
    assert found["cluster"]["pods"][0]["limits"]["memory"] == "2560Mi"
    assert found["cluster"]["nodes"][0]["boot_id"]
    came_up = [phase["name"] for phase in found["cluster"]["bring_up"]]
    assert came_up == ["applied", "scheduled", "image", "head-ready"]
    names = [phase["name"] for phase in found["phases"]]
    assert names == ["reach", "submit", "driver-start", "first-task", "run", "end-seen"]
    assert found["results"][0]["data"]["local_ran_as"] == "one Ray task"
    log = Path(lab.env["RAYKIT_RUNS"]) / found["id"] / "driver.log"
    assert len(log.read_bytes()) == found["log"]["bytes"]
    assert found["log"]["source"] == "file"


def test_both_jobs_run_on_every_shape_and_runs_can_be_compared(lab, shapes):
    (up, down), fib, answers = shapes, {}, set()
    plan = [
        ("single-node", None, ()),
        ("multi-node", "multi-node", ()),
        ("scaled-1", "scaled", ()),
        ("scaled-2", "scaled", ("--replicas", "2")),
    ]
    for name, shape, words in plan:
        if shape:
            up(shape, name, *words)
        lab.raykit("submit", "fib", "--on", name, *FIB[1:])
        fib[name] = record(lab)
        lab.raykit("submit", "gsod", "--on", name)
        found = record(lab)
        assert found["tasks"]["count"] >= 2
        counts = [row["hits"] for row in found["results"][0]["data"]["years"]]
        answers.add(tuple(counts))
        if shape:
            down(name)
    assert answers == {(108, 18)}
    offered = {name: found["results"][0]["data"]["p"] for name, found in fib.items()}
    assert offered == {"single-node": 2, "multi-node": 2, "scaled-1": 1, "scaled-2": 2}
    assert len(fib["multi-node"]["tasks"]["nodes"]) == 3
    compared = lab.json("compare", *(found["id"] for found in fib.values()))
    assert compared["baseline"] == fib["single-node"]["id"]
    assert "SAME_MACHINE" in {doubt["name"] for doubt in compared["doubts"]}
    assert "UNLIKE_IMAGE" not in {doubt["name"] for doubt in compared["doubts"]}
    assert {arm["name"] for arm in compared["arms"]} == {"local", "tasks"}
    shown = lab.raykit("compare", *(found["id"] for found in fib.values())).stdout
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_several_clusters_are_listed_and_none_is_chosen(lab, namespace, spec):
    for name in ("first", "second"):
        rendered = lab.raykit("render", "-f", spec(name), "--namespace", namespace).stdout
        lab.kubectl("apply", "-n", namespace, "-f", "-", stdin=rendered)
    refused = lab.raykit("submit", *FIB[:1], "-n", namespace, *FIB[1:], code=2).stderr
    assert f"{lab.context}:{namespace}/first" in refused
    assert f"{lab.context}:{namespace}/second" in refused


def test_a_context_that_cannot_be_reached_is_an_error_and_never_local(lab, tmp_path):
    config = tmp_path / "kubeconfig"
    dead = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "dead",
            "contexts": [{"name": "dead", "context": {"cluster": "dead", "user": "me"}}],
            "clusters": [{"name": "dead", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "me", "user": {"token": "x"}}],
        }
    )
    config.write_text(dead)
    env = {**lab.env, "KUBECONFIG": str(config)}
    done = subprocess.run(["raykit", "submit", "fib"], env=env, capture_output=True, text=True)
    assert done.returncode == 5, done.stderr
    assert "dead" in done.stderr


def test_ctrl_c_leaves_the_job_running_and_attach_completes_its_record(lab, tmp_path, soon):
    words = ["raykit", "submit", "--entrypoint", "--on", "single-node", "--"]
    # It goes on until the test tells it to end.
    end = f"/tmp/end-{os.urandom(4).hex()}"
    script = f"echo line 1; until [ -e {end} ]; do sleep 0.2; done; echo line 2; echo line 3"
    with (tmp_path / "out").open("w") as out:
        child = subprocess.Popen(
            [*words, "bash", "-c", script], env=lab.env, stdout=out, stderr=out
        )
        soon(lambda: "line 1" in (tmp_path / "out").read_text())
        os.kill(child.pid, signal.SIGINT)
        assert child.wait(300) == 130, (tmp_path / "out").read_text()
    run = record(lab)
    assert run["status"] == "UNFINISHED"
    head = life.head(lab, "raykit", "single-node")
    life.on_head(lab, "raykit", head, "touch", end)
    attached = lab.raykit("attach", run["submission_id"]).stdout
    assert attached.splitlines() == ["line 1", "line 2", "line 3"]
    assert record(lab, run["id"])["status"] == "SUCCEEDED"
