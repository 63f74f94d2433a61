"""`raykit attach`, `logs` and `stop` for a RayJob that has no head yet, or none any more."""

import contextlib
import json

import pytest

from raykit.endpoint import Ended, Endpoint

LOG = """2026-11-26 10:00:05,000 INFO cli.py:39 -- Job submission server address: http://x:8265
{"raykit": 1, "event": "start", "job": "fib", "time": 1795687210.5, "arguments": {"size": 9}}
{"raykit": 1, "event": "result", "task_cpus": 2, "work": {"size": 9}, "data": {}}
"""


@pytest.fixture
def rayjob(api, kubeconfig, runs, make_record):
    """A run that was left UNFINISHED, and its RayJob in some state."""
    for plural in ("pods", "events", "rayjobs", "rayclusters"):
        api.keep(plural)
    api.say("/apis/ray.io/v1", {"resources": [{"name": "rayclusters"}]})
    kubeconfig(api.url)

    def make(uid="uid-1", job_id="job-1", run="run-1", **status):
        """uid: what the record says of the RayJob. job_id, run: the RayJob's."""
        target = {"kind": "kubernetes", "context": "kind-here", "namespace": "n", "rayjob": "fib-1"}
        target |= {"rayjob_uid": uid} if uid else {}
        runs.write(make_record(id="run-1", submission_id="job-1", target=target))
        metadata = {"name": "fib-1", "namespace": "n", "uid": "uid-1"}
        metadata |= {"annotations": {"raykit.io/run": run}}
        spec = {"entrypoint": "python", "jobId": job_id, "submissionMode": "K8sJobMode"}
        api.keep("rayjobs", {"metadata": metadata, "spec": spec, "status": status})

    return make


def test_stop_deletes_a_rayjob_that_waits_for_its_cluster(api, raykit, rayjob):
    rayjob(jobDeploymentStatus="Suspended")
    code, out, _ = raykit("stop", "run-1")
    assert (code, out) == (0, "job-1: NOT_SUBMITTED\n")
    assert api.kept["rayjobs"] == {}


@pytest.mark.parametrize("command", ["stop", "attach", "logs"])
@pytest.mark.parametrize(
    "other",
    [{"uid": "uid-of-ours"}, {"uid": None, "job_id": "job-2"}, {"uid": None, "run": "their-run"}],
)
def test_another_rayjob_under_the_name_of_a_run_is_neither_followed_nor_deleted(
    api, raykit, rayjob, command, other
):
    rayjob(jobDeploymentStatus="Suspended", **other)
    code, _, said = raykit(command, "run-1")
    assert (code, len(api.kept["rayjobs"])) == (6, 1)
    assert "is gone" in said
    assert "another RayJob has its name now: uid-1" in said


def test_a_rayjob_that_was_replaced_since_it_was_read_is_not_deleted(
    api, raykit, rayjob, monkeypatch
):
    rayjob(jobDeploymentStatus="Suspended")
    answer = api.answer

    def replace(method, path, query, body):
        if method == "DELETE":
            (job,) = api.kept["rayjobs"].values()
            job["metadata"]["uid"] = "another"
        return answer(method, path, query, body)

    monkeypatch.setattr(api, "answer", replace)
    assert raykit("stop", "run-1")[0] == 0
    assert len(api.kept["rayjobs"]) == 1


def test_stop_deletes_a_rayjob_whose_creation_was_never_answered(api, raykit, rayjob):
    rayjob(uid=None, jobDeploymentStatus="Suspended")
    assert raykit("stop", "run-1")[0] == 0
    assert api.kept["rayjobs"] == {}


def test_logs_of_a_rayjob_without_a_cluster_say_so(raykit, rayjob):
    rayjob(jobDeploymentStatus="Suspended")
    code, _, said = raykit("logs", "run-1")
    assert code == 6
    assert "the RayJob n/fib-1 has no cluster yet" in said
    assert "raykit status says what it waits for" in said


def test_a_rayjob_that_is_gone_is_an_error(api, raykit, rayjob):
    rayjob()
    api.kept["rayjobs"].clear()
    code, _, said = raykit("attach", "run-1")
    assert (code, "the RayJob n/fib-1 of the run run-1 is gone" in said) == (6, True)


def test_after_its_cluster_the_record_is_completed_from_what_is_left(api, raykit, rayjob, runs):
    rayjob(
        jobDeploymentStatus="Complete",
        jobStatus="SUCCEEDED",
        jobId="job-1",
        rayClusterName="gone",
        endTime="2026-11-26T10:00:21Z",
    )
    pod = {"name": "fib-1-x", "namespace": "n", "labels": {"job-name": "fib-1"}}
    api.keep("pods", {"metadata": pod, "spec": {"containers": [{"name": "ray-job-submitter"}]}})
    api.say("/api/v1/namespaces/n/pods/fib-1-x/log", LOG)
    code, _, said = raykit("attach", "run-1")
    assert code == 0
    assert "reading what is left of it" in said
    assert "✗" not in said
    record = runs.read("run-1")
    assert (record.status, record.exit_code, record.log["kept"]) == ("SUCCEEDED", 0, "kept")
    assert record.results[0]["work"] == {"size": 9}
    assert record.notes[0] == "its cluster had ended; KubeRay says: Complete, SUCCEEDED"


def test_a_deadline_that_ended_the_cluster_too_is_a_stop(raykit, rayjob, runs):
    rayjob(
        jobDeploymentStatus="Failed",
        jobStatus="RUNNING",
        reason="DeadlineExceeded",
        message="too late",
        rayClusterName="gone",
    )
    code, _, said = raykit("attach", "run-1")
    assert (code, "DeadlineExceeded: too late" in said) == (21, True)
    assert runs.read("run-1").status == "STOPPED"


OVER = {
    "jobDeploymentStatus": "Complete",
    "jobStatus": "SUCCEEDED",
    "jobId": "job-1",
    "rayClusterName": "gone",
    "endTime": "2026-11-26T10:00:21Z",
}


@pytest.fixture
def submitter(api):
    """The pod that submitted the job, which KubeRay keeps as long as the RayJob."""
    pod = {"name": "fib-1-x", "namespace": "n", "labels": {"job-name": "fib-1"}}
    api.keep("pods", {"metadata": pod, "spec": {"containers": [{"name": "ray-job-submitter"}]}})
    api.say("/api/v1/namespaces/n/pods/fib-1-x/log", LOG)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({}, "SUCCEEDED"),
        ({"jobDeploymentStatus": "Failed", "jobStatus": "FAILED"}, "FAILED"),
        ({"jobDeploymentStatus": "Failed", "jobStatus": "RUNNING"}, "FAILED"),
        (
            {"jobDeploymentStatus": "Failed", "jobStatus": "RUNNING", "reason": "DeadlineExceeded"},
            "STOPPED",
        ),
        ({"jobDeploymentStatus": "Failed", "jobStatus": ""}, "NOT_SUBMITTED"),
        ({"jobDeploymentStatus": "ValidationFailed", "jobStatus": ""}, "NOT_SUBMITTED"),
    ],
)
def test_stop_says_how_a_rayjob_ended_whose_cluster_is_gone_and_deletes_nothing(
    api, raykit, rayjob, status, word
):
    rayjob(**OVER | status)
    code, out, said = raykit("stop", "run-1")
    assert (code, out) == (0, f"job-1: {word}\n")
    assert "the RayJob fib-1 has ended, and KubeRay says: " in said
    assert len(api.kept["rayjobs"]) == 1
    code, out, _ = raykit("stop", "run-1", "-o", "json")
    assert (code, json.loads(out)["data"]["status"]) == (0, word)


@pytest.mark.parametrize("follow", [(), ("-f",)])
def test_the_log_of_a_rayjob_whose_cluster_is_gone_is_that_of_its_submitter(
    raykit, rayjob, submitter, follow
):
    rayjob(**OVER)
    code, out, said = raykit("logs", "run-1", *follow)
    assert (code, out) == (0, LOG)
    assert "KubeRay says: Complete, SUCCEEDED" in said
    assert "raykit attach run-1 completes its record" in said


def test_without_the_submitters_pod_the_log_is_the_saved_one_or_an_error_with_the_outcome(
    raykit, rayjob, runs
):
    rayjob(**OVER)
    code, _, said = raykit("logs", "run-1")
    assert code == 6
    assert "the log of the RayJob fib-1 of the run run-1 is gone" in said
    assert "KubeRay says: Complete, SUCCEEDED; the submitter pod is gone" in said
    assert "next: raykit attach run-1 completes its record" in said

    (runs.folder("run-1") / "driver.log").write_bytes(b"so far\n")
    code, out, said = raykit("logs", "run-1")
    assert (code, out) == (0, "so far\n")
    assert "this is the log saved as far as it was read, in " in " ".join(said.split())


@pytest.mark.parametrize("has_cluster", [False, True])
@pytest.mark.parametrize("command", ["attach", "logs", "stop"])
def test_a_rayjob_that_is_gone_with_its_cluster_says_what_was_last_seen_and_what_to_run(
    api, raykit, rayjob, runs, command, has_cluster
):
    rayjob()
    api.kept["rayjobs"].clear()
    record = runs.read("run-1")
    record.target |= {"cluster": "fib-1-abcde"} if has_cluster else {}
    runs.write(record)
    code, _, said = raykit(command, "run-1")
    thing = "the cluster kind-here:n/fib-1-abcde" if has_cluster else "the RayJob n/fib-1"
    assert code == 6
    assert f"{thing} of the run run-1 is gone" in said
    assert "status when last seen: UNFINISHED" in said
    assert "next: raykit runs show run-1 has what was recorded" in said


def test_a_complete_run_whose_rayjob_is_gone_has_the_outcome_of_its_record(
    api, raykit, rayjob, runs
):
    rayjob()
    api.kept["rayjobs"].clear()
    record = runs.read("run-1")
    record.status = "STOPPED"
    runs.write(record)
    (runs.folder("run-1") / "driver.log").write_bytes(b"all\n")
    assert raykit("stop", "run-1")[:2] == (0, "job-1: STOPPED\n")
    assert raykit("logs", "run-1")[:2] == (0, "all\n")
    assert raykit("attach", "run-1")[0] == 21


@pytest.fixture
def cluster(api, ray, monkeypatch):
    """The RayCluster on which the RayJob ran is there, with the fake head."""
    labels = {"ray.io/cluster": "there", "ray.io/node-type": "head"}
    made = "2026-11-26T09:00:00Z"
    metadata = {"name": "there", "namespace": "n", "uid": "uid-there", "creationTimestamp": made}
    spec = {"headGroupSpec": {"template": {"spec": {"containers": []}}}}
    api.keep("rayclusters", {"metadata": metadata, "spec": spec})
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    pod = {"name": "there-head", "namespace": "n", "labels": labels, "uid": "u"}
    api.keep("pods", {"metadata": pod, "spec": {"containers": []}, "status": ready})

    @contextlib.contextmanager
    def reach(*_):
        yield Endpoint(ray.url, ended=lambda: Ended("it is gone", deleted=True))

    monkeypatch.setattr("raykit.kuberay.reach.reach", reach)
    monkeypatch.setattr("raykit.flows.rayjobs.joining.reach", reach)
    monkeypatch.setattr("raykit.flows.rayjobs.arrival.reach", reach)
    monkeypatch.setattr("raykit.flows.steps.measuring.LATE_EVENTS_SECONDS", 0.0)


@pytest.mark.usefixtures("cluster", "submitter")
def test_a_head_that_has_lost_the_job_leaves_the_last_word_to_kuberay(raykit, rayjob, runs):
    rayjob(**OVER | {"rayClusterName": "there"})
    assert raykit("stop", "run-1")[:2] == (0, "job-1: SUCCEEDED\n")
    assert raykit("logs", "run-1")[:2] == (0, LOG)
    assert raykit("attach", "run-1")[0] == 0
    assert runs.read("run-1").status == "SUCCEEDED"


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED"])
def test_the_head_is_asked_where_somebody_deleted_the_rayjob_and_its_cluster_is_there(
    api, ray, raykit, rayjob, runs, status
):
    """On a cluster that outlives the job, the head knows how a job ended whose RayJob is gone."""
    rayjob()
    api.kept["rayjobs"].clear()
    record = runs.read("run-1")
    record.target |= {"cluster": "there"}
    runs.write(record)
    ray.job(id="job-1", status=status, log=b"hello\n")
    assert raykit("logs", "run-1")[:2] == (0, "hello\n")
    ended = "STOPPED" if status == "RUNNING" else status
    assert raykit("stop", "run-1")[:2] == (0, f"job-1: {ended}\n")
    assert raykit("attach", "run-1")[0] == (21 if ended == "STOPPED" else 0)
    assert runs.read("run-1").status == ended


@pytest.mark.usefixtures("cluster", "fast")
def test_a_followed_log_that_ends_with_its_cluster_says_how_to_learn_the_outcome(
    ray, raykit, rayjob, runs
):
    rayjob(jobDeploymentStatus="Running", jobStatus="RUNNING", rayClusterName="there")
    job = ray.job(id="job-1")
    job.steps = [lambda: None, lambda: ray.drop.add("/api/")]
    code, _, said = raykit("logs", "-f", "run-1")
    assert (code, "the cluster was deleted while the job job-1 was followed" in said) == (6, True)
    assert "next: raykit attach run-1 says how it ended" in said


@pytest.mark.parametrize("command", ["attach", "logs", "stop"])
def test_where_an_imported_rayjob_ran_is_another_machines_word(api, raykit, rayjob, runs, command):
    rayjob(jobDeploymentStatus="Suspended")
    (runs.folder("run-1") / "imported").touch()
    code, _, said = raykit(command, "run-1")
    assert (code, "was imported" in said) == (2, True)
    assert (api.asked, len(api.kept["rayjobs"])) == ([], 1)
