"""`raykit runs import --from-cluster`: what an API server knows of RayJobs becomes records."""

import base64
import json
import os

import pytest

from raykit.measure.records import RunsFolder

UID = "6b7e0000-0000-4000-8000-000000000001"
LOG = """2026-11-26 10:00:05,000 INFO cli.py:39 -- Job submission server address: http://x:8265
Running entrypoint for job single-node-fib-x7: python /opt/raykit/jobs fib --size 9
{"raykit": 1, "event": "start", "job": "fib", "time": 1795687210.5, "arguments": {"size": 9}}
{"raykit": 1, "event": "span", "name": "tasks", "arm": "tasks", "start": 1795687211, "seconds": 2.5}
Sequence size: 9, Remote execution time: 2.50
{"raykit": 1, "event": "result", "task_cpus": 2, "work": {"size": 9, "tasks": 4}, "data": {}}
2026-11-26 10:00:20,000 SUCC cli.py:67 -- Job 'single-node-fib-x7' succeeded
"""
SECRET = "token-of-the-cluster"


def ray_job(name="fib-14e6bb59", uid=UID, mode="K8sJobMode", **status):
    plain = {
        "jobId": f"{name}-x7",
        "jobStatus": "SUCCEEDED",
        "jobDeploymentStatus": "Complete",
        "rayClusterName": "single-node",
        "message": "Job finished successfully.",
        "startTime": "2026-11-26T10:00:01Z",
        "endTime": "2026-11-26T10:00:21Z",
        "rayJobInfo": {"startTime": "2026-11-26T10:00:06Z", "endTime": "2026-11-26T10:00:18Z"},
    }
    return {
        "kind": "RayJob",
        "metadata": {
            "name": name,
            "namespace": "dev",
            "uid": uid,
            "creationTimestamp": "2026-11-26T10:00:00Z",
        },
        "spec": {
            "entrypoint": "python /opt/raykit/jobs fib --size 9 --name 'a b'",
            "submissionMode": mode,
            "clusterSelector": {"ray.io/cluster": "single-node"},
        },
        "status": plain | status,
    }


def submitter(job="fib-14e6bb59", name="fib-14e6bb59-abcde"):
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "dev",
            "labels": {"job-name": job},
            "creationTimestamp": "2026-11-26T10:00:02Z",
        },
        "spec": {"containers": [{"name": "istio-proxy"}, {"name": "ray-job-submitter"}]},
    }


def cluster(created="2026-11-26T09:00:00Z"):
    template = {"spec": {"containers": [{"name": "ray-head", "image": "raykit:1"}]}}
    return {
        "kind": "RayCluster",
        "metadata": {"name": "single-node", "namespace": "dev", "creationTimestamp": created},
        "spec": {
            "rayVersion": "2.60.0",
            "authOptions": {"mode": "token"},
            "headGroupSpec": {"template": template},
        },
    }


def secret():
    value = base64.b64encode(SECRET.encode()).decode()
    return {
        "kind": "Secret",
        "metadata": {"name": "single-node", "namespace": "dev"},
        "data": {"auth_token": value},
    }


@pytest.fixture
def server(api, kubeconfig, tmp_path, monkeypatch):
    kubeconfig(api.url, context="prod")
    monkeypatch.setenv("RAYKIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    api.say("/apis/ray.io/v1", {"resources": [{"name": "rayclusters"}, {"name": "rayjobs"}]})
    api.keep("rayjobs", ray_job())
    api.keep("pods", submitter())
    api.keep("rayclusters", cluster())
    api.keep("secrets", secret())
    api.keep("nodes")
    api.says_log = lambda text, pod="fib-14e6bb59-abcde": api.say(
        f"/api/v1/namespaces/dev/pods/{pod}/log", text
    )
    api.says_log(LOG)
    return api


@pytest.fixture
def imported(raykit, tmp_path):
    """`imported()`: the rows of the command, and the one record that it left, if any."""

    def run(*words, code=0):
        exit_code, out, err = raykit(
            "runs", "import", "--from-cluster", "-n", "dev", *words, "-o", "json"
        )
        assert exit_code == code, err
        envelope = json.loads(out)
        runs = RunsFolder(tmp_path / "runs")
        records = [runs.load(run) for run in runs.ids()]
        return envelope["data"] or envelope["error"], records

    return run


def test_a_rayjob_that_has_ended_becomes_a_record(server, imported, tmp_path):
    (row,), (record,) = imported()
    assert (row["outcome"], row["log"], row["run"]) == ("new", "kept", record.id)
    assert record.id.startswith("20261126-100000-fib-")
    assert record.submission_id == "fib-14e6bb59-x7"
    assert record.job["name"] == "fib"
    assert record.job["arguments"] == ["--size", "9", "--name", "a b"]
    assert (record.status, record.exit_code, record.cause) == ("SUCCEEDED", 0, None)
    assert record.versions["ray"] == "2.60.0"
    assert (record.target["kind"], record.target["rayjob"]) == ("kubernetes", "fib-14e6bb59")
    assert [(phase.name, phase.seconds, phase.resolution) for phase in record.phases] == [
        ("submit", 6.0, 1.0),
        ("job", 12.0, 1.0),
    ]
    assert record.ended - record.started == 18.0
    assert [span["seconds"] for span in record.spans] == [2.5]
    assert record.results[0]["task_cpus"] == 2
    assert record.start["job"] == "fib"
    assert record.log["source"] == "submitter pod"
    assert (tmp_path / "runs" / record.id / "driver.log").read_text() == LOG
    assert len((tmp_path / "runs" / record.id / "events.jsonl").read_text().splitlines()) == 3
    assert record.notes == ["its cluster was looked at after its end"]


def test_importing_twice_makes_no_second_record(server, imported):
    imported()
    (row,), (record,) = imported()
    assert (row["outcome"], row["run"]) == ("here already", record.id)
    assert sum(path.endswith("/log") for _, path, _ in server.asked) == 1


def test_a_job_that_was_attached_to_before_gets_no_second_record(server, imported, make_record):
    runs = RunsFolder.chosen(os.environ)
    runs.write(make_record(submission_id="fib-14e6bb59-x7", status="SUCCEEDED"))
    (row,), (record,) = imported()
    assert (row["outcome"], row["run"]) == ("here already", record.id)


def test_rayjobs_that_share_a_fixed_id_are_jobs_of_their_own(server, imported):
    first = ray_job()
    imported()
    again = ray_job()
    again["metadata"] |= {"uid": "another", "creationTimestamp": "2026-11-27T10:00:00Z"}
    assert again["status"]["jobId"] == first["status"]["jobId"]
    server.keep("rayjobs", again)
    (row,), records = imported()
    assert (row["outcome"], len(records)) == ("new", 2)


@pytest.mark.parametrize(
    "state", ["", "Initializing", "Running", "Waiting", "Suspended", "Retrying"]
)
def test_a_rayjob_that_has_not_ended_is_left_alone(server, imported, state):
    server.keep("rayjobs", ray_job(jobDeploymentStatus=state, jobStatus="RUNNING"))
    (row,), records = imported()
    assert (row["outcome"], row["run"], records) == ("has not ended", None, [])


def test_a_failed_job_keeps_its_reason_and_its_exit_code(server, imported):
    message = "Job entrypoint command failed with exit code 3, last available logs: …"
    failed = {"jobStatus": "FAILED", "jobDeploymentStatus": "Failed", "reason": "AppFailed"}
    server.keep("rayjobs", ray_job(**failed, message=message))
    _, (record,) = imported()
    assert (record.status, record.exit_code, record.driver_exit_code) == ("FAILED", 20, 3)
    assert record.message == f"AppFailed: {message}"
    assert record.cause == "driver"


def test_no_status_is_invented_where_ray_gave_none(server, imported):
    deadline = {
        "jobDeploymentStatus": "Failed",
        "reason": "DeadlineExceeded",
        "jobStatus": "RUNNING",
    }
    server.keep("rayjobs", ray_job(**deadline, message="too slow", rayJobInfo=None))
    _, (record,) = imported()
    assert (record.status, record.exit_code) == ("UNFINISHED", None)
    assert "Ray gave no final status; KubeRay says: Failed, RUNNING" in record.notes
    assert record.message == "DeadlineExceeded: too slow"


def test_a_job_that_kuberay_refused_was_never_submitted(server, imported):
    refused = {"jobDeploymentStatus": "ValidationFailed", "jobStatus": "", "jobId": ""}
    server.keep("rayjobs", ray_job(**refused, rayClusterName="", rayJobInfo=None, endTime=None))
    server.kept["pods"].clear()
    _, (record,) = imported()
    assert (record.status, record.ended, record.phases) == ("NOT_SUBMITTED", None, [])


@pytest.mark.parametrize("gone", ["pod", "log"])
def test_a_log_that_is_gone_is_recorded_as_lost(server, imported, raykit, gone):
    if gone == "pod":
        server.kept["pods"].clear()
    else:
        server.refuse("/api/v1/namespaces/dev/pods/fib-14e6bb59-abcde/log", 404, "not found")
    (row,), (record,) = imported()
    assert row["log"] == "lost"
    assert record.log == {"source": "none", "kept": "lost"}
    assert "its log is lost: the submitter pod is gone" in record.notes
    assert (record.status, record.exit_code, record.spans) == ("SUCCEEDED", 0, [])
    assert raykit("runs", "show", "last")[0] == 0
    assert raykit("runs", "show", "last", "--log")[0] == 7


def test_a_mode_without_a_submitter_pod_says_so(server, imported):
    server.keep("rayjobs", ray_job(mode="HTTPMode"))
    _, (record,) = imported()
    assert "its log is lost: HTTPMode leaves none in a pod of its own" in record.notes


def test_a_log_without_its_beginning_is_marked(server, imported):
    server.says_log(LOG.partition("\n")[2])
    _, (record,) = imported()
    assert "a part of its log may be lost: a kubelet keeps the last 10 MiB" in record.notes


def test_the_clusters_token_is_redacted_from_the_log(server, imported, tmp_path):
    server.says_log(LOG + f"my token is {SECRET}\n")
    _, (record,) = imported()
    for path in (tmp_path / "runs" / record.id).iterdir():
        assert SECRET not in path.read_text()
    assert "my token is [redacted]" in (tmp_path / "runs" / record.id / "driver.log").read_text()


def test_who_may_not_read_secrets_and_nodes_still_imports(server, imported):
    for path in ("/api/v1/namespaces/dev/secrets/single-node", "/api/v1/nodes"):
        server.refuse(path, 403, "no")
    (row,), _ = imported()
    assert row["outcome"] == "new"


def test_who_may_not_read_logs_learns_which_rule_is_missing_and_nothing_is_left(
    server, imported, tmp_path
):
    server.refuse(
        "/api/v1/namespaces/dev/pods/fib-14e6bb59-abcde/log",
        403,
        'pods "fib-14e6bb59-abcde" is forbidden: User "eve" cannot get resource "pods/log" in API '
        'group "" in the namespace "dev"',
    )
    error, records = imported(code=4)
    assert 'resources: ["pods/log"], verbs: ["get"]' in " ".join(error["evidence"])
    assert records == []
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_cluster_that_was_made_after_the_job_is_another_one(server, imported):
    server.keep("rayclusters", cluster(created="2026-11-26T11:00:00Z"))
    _, (record,) = imported()
    assert record.cluster == {}
    assert "ray" not in record.versions


def test_an_entrypoint_of_somebody_else_is_named_after_its_rayjob(server, imported):
    job = ray_job()
    job["spec"]["entrypoint"] = "bash -c 'echo unclosed"
    server.keep("rayjobs", job)
    _, (record,) = imported()
    assert (record.job["name"], record.job["arguments"]) == ("fib-14e6bb59", [])
    assert record.job["entrypoint"] == ["bash -c 'echo unclosed"]


def test_two_rayjobs_of_one_second_are_two_records_and_can_be_compared(server, imported, raykit):
    server.keep("rayjobs", ray_job("fib-2", UID.replace("1", "2")))
    server.keep("pods", submitter("fib-2", "fib-2-xyz"))
    server.says_log(LOG, "fib-2-xyz")
    rows, records = imported()
    assert len(rows) == len({record.id for record in records}) == 2
    code, out, err = raykit("compare", *(record.id for record in records))
    assert (code, err) == (0, "")
    assert out.startswith("B took 1.00 of A's time")


def test_the_table_names_each_rayjob(server, raykit):
    code, out, _ = raykit("runs", "import", "--from-cluster", "-n", "dev")
    assert code == 0
    header, row = out.splitlines()
    assert header.split() == ["RAYJOB", "STATE", "LOG", "RUN"]
    name, state, log, run, what = row.split()
    assert (name, state, log, what) == ("fib-14e6bb59", "SUCCEEDED", "kept", "new")
    assert run.startswith("20261126-100000-fib-")
    assert len(row) <= 80


def test_a_namespace_without_rayjobs_says_so(server, raykit):
    server.kept["rayjobs"].clear()
    assert raykit("runs", "import", "--from-cluster", "-n", "dev")[1] == "no RayJobs there\n"


@pytest.mark.parametrize(
    "words",
    [(), ("file.tgz", "--from-cluster"), ("file.tgz", "-n", "dev"), ("--from-cluster", "-n", "Ä")],
)
def test_words_that_mean_two_things_or_nothing_are_refused(server, raykit, words):
    assert raykit("runs", "import", *words)[0] == 2


def test_a_cluster_without_kuberay_is_refused(server, raykit):
    server.say("/apis/ray.io/v1", {"kind": "Status", "code": 404, "message": "not found"}, 404)
    assert raykit("runs", "import", "--from-cluster", "-n", "dev")[0] == 4
