"""What a spec brings along beside the cluster, and the chart, on a real cluster."""

import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

CHART = Path(__file__).parents[2] / "charts" / "raykit"
JOBS = """jobs:
- {name: echo, entrypoint: [python, -c, "print('it''s', 6 * 7)"], env: {MINE: "1"}}
disruptionBudget: true
networkPolicy: {enabled: true, apiServer: [0.0.0.0/0]}"""


def jobs_of(lab, namespace):
    return lab.objects("rayjobs", "-n", namespace)


def settled(lab, namespace, soon, count=1):
    """The RayJobs of a namespace, once so many have ended."""

    def ended():
        found = jobs_of(lab, namespace)
        states = [(each.get("status") or {}).get("jobStatus") for each in found]
        return found if len([s for s in states if s in {"SUCCEEDED", "FAILED"}]) >= count else None

    return soon(ended, 300)


def test_a_job_of_a_spec_runs_once_for_each_content(lab, namespace, spec, soon):
    path = spec("with-job", JOBS)
    lab.raykit("up", "-f", path, "-n", namespace, "--yes")
    (job,) = settled(lab, namespace, soon)
    assert job["status"]["jobStatus"] == "SUCCEEDED", json.dumps(job["status"])
    name = job["metadata"]["name"]
    pods = lab.objects("pods", "-n", namespace, "-l", f"job-name={name}")
    log = ("logs", "-n", namespace, pods[0]["metadata"]["name"])
    soon(lambda: "its 42" in lab.kubectl(*log))
    assert lab.objects("poddisruptionbudgets", "-n", namespace)
    assert len(lab.objects("networkpolicies", "-n", namespace)) == 2

    rendered = lab.raykit("render", "-f", path, "--namespace", namespace).stdout
    lab.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=rendered)
    assert [each["metadata"]["name"] for each in jobs_of(lab, namespace)] == [name]


def test_what_is_rendered_is_applied_again_without_a_change(lab, namespace, spec):
    path = spec("still")
    rendered = lab.raykit("render", "-f", path, "--namespace", namespace).stdout
    versions = set()
    for _ in range(3):
        lab.kubectl("apply", "--server-side", "-f", "-", stdin=rendered)
        (held,) = lab.objects("rayclusters", "-n", namespace)
        versions.add(held["metadata"]["generation"])
    assert versions == {1}


def test_the_chart_brings_up_a_cluster_that_raykit_finds(lab, namespace, soon, tmp_path):
    import subprocess

    image = lab.json("image", "build")["image"]
    values = tmp_path / "values.yaml"
    values.write_text(
        f"image: {image}\nhead: {{taskCpus: 1, cpu: 100m, memory: 1536Mi}}\n"
        "jobs: [{name: echo, entrypoint: [echo, hello]}]\n"
    )

    def helm(*words):
        done = subprocess.run(
            ["helm", "--kube-context", lab.context, "-n", namespace, *map(str, words)],
            env=lab.env,
            capture_output=True,
            text=True,
            timeout=500,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    notes = helm("install", "by-helm", CHART, "-f", values)
    assert f"raykit submit fib --on {namespace}/by-helm" in notes
    assert "Succeeded" in helm("test", "by-helm", "--timeout", "480s")
    words = ("submit", "--entrypoint", "--on", f"{namespace}/by-helm", "--", "echo", "found")
    assert "found" in lab.raykit(*words).stdout
    (job,) = settled(lab, namespace, soon)
    assert job["status"]["jobStatus"] == "SUCCEEDED"
    helm("upgrade", "by-helm", CHART, "-f", values)
    assert len(jobs_of(lab, namespace)) == 1
    helm("uninstall", "by-helm")
    soon(lambda: not lab.objects("rayclusters,rayjobs", "-n", namespace), 300)
