"""`raykit submit --as rayjob` on a real KubeRay: the same record and endings as any submission."""

import contextlib
import dataclasses
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kind import life
from tests.kind.life import heads, replaced

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

JOB = """import os, sys, ray
from mine import answer
ray.init()
print("task:", ray.get(ray.remote(answer).remote()), sys.argv[1:], os.environ["ODD"])
"""
ODD = "`id` $(id) \\ 'q' \"d\""
"""Values that a shell would change; `$NAME` is missing, because Ray itself expands it."""
DOCUMENTED = (Path(__file__).parents[2] / "docs" / "rayjob.md").read_text("utf-8")
PYTHON = """import sys, raykit
run = raykit.submit(["true"], as_="rayjob", on=sys.argv[1])
print(run.exit_code, run.record.status)
"""
SLEEP = ("--entrypoint", "--", "python", "-uc", "import time; print('sleeping'); time.sleep(600)")


@pytest.fixture
def mine(lab, tmp_path):
    """The lab with a folder of runs of this test alone."""
    return dataclasses.replace(lab, env=lab.env | {"RAYKIT_RUNS": str(tmp_path / "runs")})


@pytest.fixture
def script(tmp_path):
    """A job of the user's with a module beside it."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "job.py").write_text(JOB)
    (folder / "mine.py").write_text("def answer():\n    return 6 * 7\n")
    return folder / "job.py"


@pytest.fixture
def on(mine, namespace, spec):
    """`--on` for a RayCluster that is up."""
    mine.raykit("up", "-f", spec("there"), "-n", namespace, "--yes")
    return ("--as", "rayjob", "--on", f"{namespace}/there")


def rayjobs(lab, namespace):
    return lab.objects("rayjobs", "-n", namespace)


def status(job):
    """What KubeRay says of a RayJob; empty before it has looked at it."""
    return job.get("status") or {}


def last(lab):
    return lab.json("runs", "show", "last")


@contextlib.contextmanager
def following(lab, *words):
    """raykit, which follows a job that has begun to sleep."""
    child = subprocess.Popen(
        ["raykit", "submit", *map(str, words)],
        env=lab.env,
        cwd=lab.env["HOME_OF_TESTS"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert any("sleeping" in line for line in child.stdout), child.communicate()[1]
        yield child
    finally:
        child.kill()
        child.communicate()  # closes its pipes


def test_a_job_on_a_cluster_that_is_up_takes_its_code_along_and_is_recorded(
    mine, namespace, on, script, soon
):
    words = ("submit", script, *on, "--env", f"ODD={ODD}", "--metadata", "team=a b")
    shown = mine.raykit(*words, "--", "--fast", "a b").stdout
    assert f"task: 42 ['--fast', 'a b'] {ODD}" in shown
    record = last(mine)
    assert (record["status"], record["exit_code"]) == ("SUCCEEDED", 0)
    assert (record["log"]["source"], record["tasks"]["count"]) == ("file", 1)
    (job,) = rayjobs(mine, namespace)
    assert record["target"]["rayjob"] == job["metadata"]["name"]
    assert job["spec"]["jobId"] == record["submission_id"]
    listed = mine.json("ps", "--on", f"{namespace}/there")
    assert [row["submission_id"] for row in listed] == [record["submission_id"]]
    assert listed[0]["metadata"]["team"] == "a b"
    soon(lambda: rayjobs(mine, namespace)[0]["status"]["jobDeploymentStatus"] == "Complete")
    words = ("runs", "import", "--from-cluster", "--context", mine.context, "-n", namespace)
    assert [row["outcome"] for row in mine.json(*words)] == ["here already"]


def test_from_python_it_is_the_same_and_ended_rayjobs_of_ones_own_are_deleted_as_documented(
    mine, namespace, on, tmp_path, soon
):
    colleague = mine.env | {"RAYKIT_RUNS": str(tmp_path / "theirs")}
    for env in (mine.env, colleague):
        program = (sys.executable, "-c", PYTHON, f"{namespace}/there")
        done = subprocess.run(program, env=env, capture_output=True, text=True, timeout=500)
        assert done.stdout == "0 SUCCEEDED\n", done.stderr
    mine.raykit("submit", "--no-follow", *on, *SLEEP)
    ours, theirs, running = sorted(
        rayjobs(mine, namespace), key=lambda job: job["metadata"]["creationTimestamp"]
    )
    soon(lambda: sum("endTime" in status(job) for job in rayjobs(mine, namespace)) == 2)

    (command,) = re.findall(r"```sh\n(ended=.*?)```", DOCUMENTED, re.S)
    words = ("bash", "-c", command.replace("NAMESPACE", namespace))
    done = subprocess.run(words, env=mine.env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    left = {job["metadata"]["name"] for job in rayjobs(mine, namespace)}
    assert left == {theirs["metadata"]["name"], running["metadata"]["name"]}, ours
    mine.raykit("stop", "last")


def test_endings_have_the_exit_codes_of_any_submission(mine, namespace, on, soon):
    # The deadline counts from the RayJob's creation: the other jobs end meanwhile.
    with following(mine, *on, "--id", "over", "--deadline", "60", *SLEEP) as over:
        others_end(mine, on)
        assert over.wait(300) == 21
        assert "DeadlineExceeded" in over.stderr.read()
    assert mine.json("runs", "show", "over")["status"] == "STOPPED"


def others_end(mine, on):
    """A job that fails, one that is left when its time is over, and one that is interrupted."""
    mine.raykit("submit", *on, "--entrypoint", "--", "sh", "-c", "exit 3", code=20)
    assert last(mine)["driver_exit_code"] == 3

    mine.raykit("submit", *on, "--timeout", "6", *SLEEP, code=22)
    late = last(mine)["submission_id"]
    # On a busy machine the job has not reached its head by then.
    assert mine.json("stop", late)["status"] in {"STOPPED", "NOT_SUBMITTED"}

    with following(mine, *on, *SLEEP) as child:
        child.send_signal(signal.SIGINT)
        assert child.wait(300) == 130
        assert "goes on" in child.stderr.read()
    assert last(mine)["status"] == "UNFINISHED"
    mine.raykit("stop", "last")
    assert "was stopped" in mine.raykit("attach", "last", code=21).stderr
    assert last(mine)["status"] == "STOPPED"


def test_a_job_whose_head_dies_has_failed_and_runs_no_second_time(mine, namespace, on, soon):
    before = heads(mine, namespace, "there")
    with following(mine, *on, *SLEEP) as child:
        head = ("pod", "-n", namespace, "-l", "ray.io/node-type=head")
        mine.kubectl("delete", *head, "--wait=false", "--grace-period=0", "--force")
        assert child.wait(300) == 20
        assert "the head was lost" in child.stderr.read()

    def ended():
        (job,) = rayjobs(mine, namespace)
        return job["status"]["jobDeploymentStatus"] == "Failed"

    soon(ended, 300)
    soon(lambda: replaced(mine, namespace, "there", before), 300)
    assert mine.json("ps", "--on", f"{namespace}/there") == []
    pods = mine.objects("pods", "-n", namespace, "-l", "job-name")
    assert len(pods) == 1


def test_a_submitter_that_is_refused_or_cannot_start_ends_the_wait_and_leaves_nothing(
    mine, namespace, on, soon
):
    life.quota(mine, namespace, "full", "pods=1")
    refused = mine.raykit("submit", *on, *SLEEP, code=5)
    assert "its submitter's pod is refused: the namespace's quota is exceeded" in refused.stderr
    soon(lambda: rayjobs(mine, namespace) == [])
    assert last(mine)["status"] == "NOT_SUBMITTED"


def test_a_job_with_a_cluster_of_its_own_takes_its_code_along_and_ends_it(
    mine, namespace, spec, script, soon
):
    own = ("--as", "rayjob", "-f", spec("own"), "-n", namespace, "--yes", "--ttl", "3")
    shown = mine.raykit("submit", script, *own, "--env", f"ODD={ODD}", "--", "x").stdout
    assert f"task: 42 ['x'] {ODD}" in shown
    record = last(mine)
    assert (record["status"], record["exit_code"]) == ("SUCCEEDED", 0)
    assert record["cluster"]["pods"]
    assert {"create", "head-ready", "submit"} <= {phase["name"] for phase in record["phases"]}
    soon(lambda: mine.objects("rayclusters", "-n", namespace) == [])


def test_a_job_of_the_image_starts_without_raykit_and_is_attached_to(mine, namespace, spec, soon):
    own = ("--as", "rayjob", "-f", spec("own"), "-n", namespace, "--yes", "--ttl", "0")
    small = ("--", "--size", "2000", "--repeat", "2", "--tasks", "4")
    mine.raykit("submit", "fib", *own, "--no-follow", *small)
    assert last(mine)["status"] == "UNFINISHED"
    attached = mine.raykit("attach", "last")
    assert "Remote execution time" in attached.stdout
    assert last(mine)["status"] == "SUCCEEDED"

    mine.raykit("submit", "fib", *own, "--no-follow", *small)

    def gone():
        jobs = [job for job in rayjobs(mine, namespace) if status(job).get("endTime")]
        return len(jobs) == 2 and not mine.objects("rayclusters", "-n", namespace)

    soon(gone, 300)
    assert "KubeRay says: Complete, SUCCEEDED" in mine.raykit("stop", "last").stderr
    assert mine.json("stop", "last")["status"] == "SUCCEEDED"
    assert "Remote execution time" in mine.raykit("logs", "last").stdout
    late = mine.raykit("attach", "last")
    assert "reading what is left of it" in late.stderr
    record = last(mine)
    assert (record["status"], record["log"]["kept"]) == ("SUCCEEDED", "kept")
    assert record["results"][0]["work"]["size"] == 2000

    mine.kubectl("delete", "rayjobs", "--all", "-n", namespace)
    assert mine.json("stop", "last")["status"] == "SUCCEEDED"
    assert "Remote execution time" in mine.raykit("logs", "last").stdout


def test_a_cluster_of_its_own_that_has_no_room_is_explained_and_nothing_stays(
    mine, namespace, spec, soon
):
    path = spec("huge", memory="900Gi")
    own = ("--as", "rayjob", "-f", path, "-n", namespace, "--yes")
    refused = mine.raykit("submit", "fib", *own, code=5)
    assert "no Kubernetes node takes pod" in refused.stderr
    soon(lambda: rayjobs(mine, namespace) == [])

    late = mine.raykit("submit", "fib", *own, "--timeout", "3", "-o", "json", code=22)
    assert "PENDING" in json.loads(late.stdout)["error"]["what"]
    mine.raykit("stop", "last")
    soon(lambda: rayjobs(mine, namespace) == [])
