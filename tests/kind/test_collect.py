"""Evidence of a real cluster of three nodes: by hand, before down, and after a failure."""

import base64
import json
import tarfile
from pathlib import Path

import pytest

from tests.conftest import patient

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
GATHERS_ALL = patient(
    "raykit.flows.keeping.collecting.BY_ITSELF_SECONDS",
    "raykit.flows.keeping.collecting.BY_HAND_SECONDS",
    "raykit.flows.keeping.gathering.REACH_SECONDS",
    "raykit.kuberay.evidence.cluster.STEP_SECONDS",
    "raykit.submission.evidence.head.SILENCE_SECONDS",
    "raykit.submission.evidence.head.ANSWER_SECONDS",
    "raykit.submission.evidence.head.STEP_SECONDS",
)


def unpacked(path):
    with tarfile.open(path) as tar:
        return {
            member.name.removeprefix("raykit-evidence/"): tar.extractfile(member).read()
            for member in tar.getmembers()
        }


def test_evidence_has_all_three_nodes_and_is_read_when_the_cluster_is_gone(lab, namespace):
    lab.raykit("up", "-f", ROOT / "deploy/clusters/multi-node.yaml", "-n", namespace)
    on = ("--on", f"{namespace}/multi-node")
    shown = lab.raykit("submit", "fib", *on, "-o", "json", "--", "--size", "2000").stdout
    run = json.loads(shown)["data"]
    failed = lab.raykit("submit", *on, "--entrypoint", "--", "sh", "-c", "exit 3", code=20)
    assert "evidence kept" in failed.stderr
    done = lab.json("collect", *on, program=GATHERS_ALL)
    files = unpacked(done["path"])
    raylets = [name for name in files if name.endswith("/raylet.out")]
    assert len(raylets) == 3, done["missing"]
    pods = {pod["metadata"]["name"] for pod in json.loads(files["kubernetes/pods.json"])}
    assert len(pods) == 3
    assert {name.split("/")[1] for name in files if name.startswith("pods/")} == pods
    assert json.loads(files["kubernetes/raycluster.json"])["kind"] == "RayCluster"
    assert json.loads(files["kubernetes/events.json"])
    assert json.loads(files["kubernetes/observed.json"])["operator_version"] == "1.6.2"
    assert len(json.loads(files["kubernetes/nodes.json"])) >= 1
    rows = json.loads(files[f"jobs/{run['submission_id']}/tasks.json"])
    assert rows["data"]["result"]["result"]
    assert json.loads(files[f"jobs/{run['submission_id']}/timeline.json"])
    # A command that is no Ray program has no tasks, and that is said.
    (no_tasks,) = done["missing"]
    assert no_tasks.endswith("its driver has not joined Ray")
    (secret,) = [
        each["data"]["auth_token"]
        for each in lab.objects("secrets", "-n", namespace)
        if "auth_token" in each["data"]
    ]
    token = base64.b64decode(secret)
    assert token
    assert [name for name, content in files.items() if token in content] == []
    down = lab.raykit("down", "multi-node", "-n", namespace, "--no-collect")
    assert "evidence kept" not in down.stderr
    shown = lab.raykit("runs", "show", run["id"], "--evidence").stdout
    assert done["id"] in shown
    assert "kubernetes/raycluster.json" in shown


def test_a_cluster_that_does_not_come_up_leaves_evidence_and_so_does_down(lab, namespace, spec):
    path = spec("nowhere", "image: localhost:1/nowhere:1.0")
    words = ("-f", path, "-n", namespace)
    refused = lab.raykit("up", *words, code=5, program=GATHERS_ALL).stderr
    down = lab.raykit("down", *words, program=GATHERS_ALL).stderr
    for said in (refused, down):
        (kept,) = [line for line in said.splitlines() if line.startswith("evidence kept: ")]
        name = kept.split()[-1]
        events = lab.raykit("runs", "show", name, "--file", "events.json").stdout
        assert "localhost:1/nowhere:1.0" in events
        assert "the head: its pod is not ready" in lab.json("runs", "show", name)["missing"]
