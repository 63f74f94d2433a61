"""A cluster that runs is scaled, made again and ended, and idle ones end by themselves."""

import os
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from raykit.containers import image, kind
from raykit.progress import Progress

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
CLI_IMAGE = "raykit-cli:test"
IN_THE_IMAGE = ("Dockerfile", "LICENSE", "README.md", "cli", "deploy", "jobs", "pyproject.toml")
DETACHED = """
import ray

@ray.remote
class Cache:
    def ready(self):
        return "cached"

ray.init()
print(ray.get(Cache.options(name="cache", lifetime="detached").remote().ready.remote()))
"""


def pods(lab, namespace, group=None):
    """Names of the pods that are not ending, by uid."""
    words = ("-l", f"ray.io/group={group}") if group else ()
    return {
        pod["metadata"]["uid"]: pod["metadata"]["name"]
        for pod in lab.objects("pods", "-n", namespace, *words)
        if "deletionTimestamp" not in pod["metadata"]
    }


def sleeper(lab, on, name):
    words = ("submit", "--entrypoint", "--on", on, "--id", name, "--no-follow")
    lab.raykit(*words, "--", "sleep", "600")


def test_a_cluster_is_scaled_made_again_and_ended_and_jobs_are_asked_about(
    lab, namespace, spec, soon
):
    workers = "workers: [{name: few, replicas: 1, cpu: 100m, memory: 1Gi}]"
    path, on = spec("life", workers, taskCpus=0), f"{namespace}/life"
    lab.raykit("up", "-f", path, "-n", namespace)
    assert "life is ready with few=2" in lab.raykit("scale", on, "few=2").stdout
    assert len(pods(lab, namespace, "few")) == 2
    sleeper(lab, on, "long")
    refused = lab.raykit("scale", on, "few=0", code=2).stderr
    assert "workers[few].replicas: 2 -> 0" in refused
    assert "2 of 3 pods end" in refused
    assert "1 job runs there and may be lost: long" in refused
    assert len(pods(lab, namespace, "few")) == 2
    lab.raykit("scale", on, "few=0", "--yes")
    assert pods(lab, namespace, "few") == {}
    soon(lambda: [job["status"] for job in lab.json("ps", "--on", on)] == ["RUNNING"])
    said = lab.raykit("up", "-f", path, "-n", namespace).stderr
    assert "workers[few].replicas: 0 -> 1" in said
    assert "running pods stay" in said
    before = pods(lab, namespace)
    refused = lab.raykit("up", "-f", path, "-n", namespace, "--recreate", code=2).stderr
    assert "it is deleted and made again (--recreate)" in refused
    assert "1 job runs there and may be lost: long" in refused
    assert pods(lab, namespace) == before
    lab.raykit("up", "-f", path, "-n", namespace, "--recreate", "--yes")
    after = pods(lab, namespace)
    assert len(after) == 2
    assert not set(after) & set(before)
    sleeper(lab, on, "again")
    refused = lab.raykit("down", on, code=2).stderr
    assert "1 job runs there and may be lost: again" in refused
    assert "next: run it again with --yes" in refused
    lab.raykit("down", on, "--yes")
    assert lab.objects("rayclusters", "-n", namespace) == []


def test_what_kubectl_applied_is_not_scaled(lab, namespace, spec):
    workers = "suspend: true\nworkers: [{name: few, replicas: 1, cpu: 100m, memory: 1Gi}]"
    path = spec("theirs", workers, taskCpus=0)
    rendered = lab.raykit("render", "-f", path, "--namespace", namespace).stdout
    lab.kubectl("apply", "--server-side", "-f", "-", stdin=rendered)
    refused = lab.raykit("scale", f"{namespace}/theirs", "few=2", code=8).stderr
    assert "were not applied by raykit alone" in refused
    assert "field manager: kubectl" in refused


@pytest.fixture(scope="module")
def cli_image(lab):
    """The image of cli/Dockerfile in the nodes; built on Ray's image, the one with Python here."""
    archive = subprocess.run(
        ["git", "archive", "HEAD", *IN_THE_IMAGE], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    words = ["docker", "build", "--quiet", "--file", "cli/Dockerfile", "--tag", CLI_IMAGE]
    words += ["--build-arg", "BASE=rayproject/ray:2.60.0-py311"]
    words += ["--build-arg", "PIP_INDEX_URL"] if "PIP_INDEX_URL" in os.environ else []
    built = subprocess.run([*words, "-"], input=archive.stdout, capture_output=True)
    assert built.returncode == 0, built.stderr.decode()
    image.load(lab.name, kind.workers(kind.nodes(lab.name)), CLI_IMAGE, Progress())
    return CLI_IMAGE


def test_a_cronjob_ends_the_idle_cluster_and_leaves_the_one_with_an_actor(
    lab, namespace, spec, cli_image
):
    for name in ("idle", "used"):
        lab.raykit("up", "-f", spec(name), "-n", namespace)
    words = ("--entrypoint", "--", "python", "-c")
    lab.raykit("submit", "--on", f"{namespace}/idle", *words, "import ray; ray.init()")
    lab.raykit("submit", "--on", f"{namespace}/used", *words, DETACHED)
    rows = lab.json("down", "--idle", "1d", "-n", namespace)["clusters"]
    assert [row["reason"] for row in rows] == ["not idle for long enough", "busy: 1 actor: cache"]
    assert rows[0]["idle_seconds"] < 600
    rows = lab.json("down", "--idle", "0s", "--dry-run", "-n", namespace)["clusters"]
    assert [row["state"] for row in rows] == ["idle", "kept"]
    words = ("down", "--idle", "0s", "-n", namespace, "--render-cronjob", cli_image)
    # Its own schedule, of which a moment may come now, would be a second one that ends clusters.
    rendered = [item for item in yaml.safe_load_all(lab.raykit(*words).stdout) if item]
    (cronjob,) = [item for item in rendered if item["kind"] == "CronJob"]
    cronjob["spec"]["suspend"] = True
    lab.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(rendered))
    lab.kubectl("create", "job", "--from=cronjob/raykit-idle", "now", "-n", namespace)
    deadline = time.monotonic() + 240
    while not (status := lab.objects("jobs", "-n", namespace)[0].get("status", {})).get(
        "succeeded"
    ):
        log = lab.kubectl("logs", "job/now", "-n", namespace, check=False)
        assert not status.get("failed"), log
        assert time.monotonic() < deadline, log
        time.sleep(1)
    log = lab.kubectl("logs", "job/now", "-n", namespace)
    assert "1 of 2 ended" in log
    assert "busy: 1 actor: cache" in log
    (left,) = lab.objects("rayclusters", "-n", namespace)
    assert left["metadata"]["name"] == "used"
    account = f"--as=system:serviceaccount:{namespace}:raykit-idle"
    for verb, thing in (("create", "rayclusters"), ("patch", "rayclusters"), ("list", "secrets")):
        may = lab.kubectl("auth", "can-i", verb, thing, "-n", namespace, account, check=False)
        assert may.strip() == "no"
