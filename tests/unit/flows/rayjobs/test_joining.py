"""`raykit attach`, `logs` and `stop` for a RayJob that has no head yet, or none any more."""

import pytest

from raykit.measure.records import RunsFolder

LOG = """2026-11-26 10:00:05,000 INFO cli.py:39 -- Job submission server address: http://x:8265
{"raykit": 1, "event": "start", "job": "fib", "time": 1795687210.5, "arguments": {"size": 9}}
{"raykit": 1, "event": "result", "task_cpus": 2, "work": {"size": 9}, "data": {}}
"""


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYKIT_RUNS", str(tmp_path / "runs"))
    return RunsFolder(tmp_path / "runs")


@pytest.fixture
def rayjob(api, kubeconfig, runs, make_record):
    """A run that was left UNFINISHED, and its RayJob in some state."""
    for plural in ("pods", "events", "rayjobs", "rayclusters"):
        api.keep(plural)
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
