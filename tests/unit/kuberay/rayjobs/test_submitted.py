"""Why a head does not have a RayJob's job yet, from what the API server knows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.errors import ConflictError, MissingError
from raykit.kube.connection import connect
from raykit.kuberay.machines import MachinesReader
from raykit.kuberay.rayjobs import submitted
from raykit.kuberay.rayjobs.rayjob import RayJob

PAYLOAD, RUN = "raykit.io/payload", "raykit.io/run"


@pytest.fixture
def connection(api, kubeconfig):
    for plural in ("pods", "events", "rayjobs", "rayclusters", "nodes", "workloads"):
        api.keep(plural)
    kubeconfig(api.url)
    return connect()


def ray_job(payload="hash", spec=None, run="our-run", **status):
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {
            "name": "fib-1",
            "namespace": "n",
            "uid": "uid-1",
            "annotations": {PAYLOAD: payload, RUN: run},
            "labels": {"kueue.x-k8s.io/queue-name": "team"},
        },
        "spec": {"entrypoint": "echo", "submissionMode": "K8sJobMode"} | (spec or {}),
        "status": status,
    }


def submitter(phase="Pending", conditions=(), **status):
    return {
        "metadata": {"name": "fib-1-x", "namespace": "n", "labels": {"job-name": "fib-1"}},
        "spec": {"containers": [{"name": "ray-job-submitter", "image": "ray:1"}]},
        "status": {"phase": phase, "conditions": list(conditions), **status},
    }


RUNNING = {"jobDeploymentStatus": "Running", "rayClusterName": "c"}
READY = {"type": "Ready", "status": "True"}


@pytest.fixture
def findings(api, connection):
    def look(item, *pods):
        api.keep("pods", *pods)
        job = RayJob(connection, "fib-1", "n", item)
        return submitted.findings(job, MachinesReader(connection))

    return look


def test_running_with_an_empty_status_is_explained_from_the_submitters_pod(findings):
    waiting = {"reason": "ErrImageNeverPull", "message": "not there"}
    state = {"name": "ray-job-submitter", "state": {"waiting": waiting}}
    (finding,) = findings(ray_job(**RUNNING), submitter(containerStatuses=[state]))
    assert finding.what == "image ray:1 cannot be had (ErrImageNeverPull)"
    assert finding.patience == 0


@pytest.mark.parametrize(("since", "patience"), [(0, 0), (1795478401, 18)])
def test_what_a_submitter_lacked_before_somebody_waited_may_be_there_by_now(
    api, connection, since, patience
):
    """`raykit attach`, after the image was loaded."""
    waiting = {"reason": "ErrImageNeverPull", "message": "not there"}
    state = {"name": "ray-job-submitter", "state": {"waiting": waiting}}
    pod = submitter(containerStatuses=[state])
    pod["metadata"] |= {"uid": "uid-pod", "creationTimestamp": "2026-11-24T00:00:00Z"}
    event = {
        "metadata": {"name": "e", "namespace": "n"},
        "reason": "ErrImageNeverPull",
        "lastTimestamp": "2026-11-24T00:00:00Z",
        "involvedObject": {"uid": "uid-pod"},
    }
    api.keep("pods", pod)
    api.say("/api/v1/namespaces/n/events", {"items": [event]})
    job = RayJob(connection, "fib-1", "n", ray_job(**RUNNING))
    (finding,) = submitted.findings(job, MachinesReader(connection), since)
    assert finding.patience == patience


def test_a_submitter_that_starts_is_named_with_its_phase(findings):
    (finding,) = findings(ray_job(**RUNNING), submitter())
    assert finding.what == "its submitter's pod fib-1-x is Pending"
    assert finding.patience is None


def test_a_submitter_that_runs_is_quoted(api, findings):
    api.say("/api/v1/namespaces/n/pods/fib-1-x/log", "raykit: waiting until x is uploaded")
    (finding,) = findings(ray_job(**RUNNING), submitter("Running", [READY]))
    assert finding.what.startswith("its submitter's pod fib-1-x runs: ")
    assert "waiting until x is uploaded" in finding.what


def test_a_submitter_that_the_api_server_refuses_ends_the_wait(api, findings):
    api.keep(
        "events",
        {
            "metadata": {"name": "e", "namespace": "n"},
            "type": "Warning",
            "reason": "FailedCreate",
            "message": "pods is forbidden: exceeded quota: q",
            "involvedObject": {"kind": "Job", "name": "fib-1"},
        },
    )
    api.answers["/api/v1/namespaces/n/events"] = (200, {"items": list(api.kept["events"].values())})
    (finding,) = findings(ray_job(**RUNNING))
    assert finding.what.endswith("is refused: the namespace's quota is exceeded")
    assert 0 < finding.patience <= 20


@pytest.mark.parametrize(("made", "counts"), [("00:00:59", False), ("00:01:00", True)])
def test_the_submitters_pod_of_an_earlier_attempt_is_none(findings, made, counts):
    """It ran out of memory, and is there until Kubernetes has collected it."""
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    old = submitter("Failed", containerStatuses=[{"name": "ray-job-submitter", "state": ended}])
    old["metadata"]["creationTimestamp"] = f"2026-11-24T{made}Z"
    (finding,) = findings(ray_job(**RUNNING, startTime="2026-11-24T00:01:00Z"), old)
    assert finding.key == ("crash:fib-1-x" if counts else "no-submitter")


@pytest.mark.parametrize(("seen", "counts"), [("00:00:59", False), ("00:01:00", True)])
def test_what_the_submitter_of_an_earlier_attempt_met_is_no_reason(api, findings, seen, counts):
    """Kueue took its place away and gave it another: each attempt has a Job of the same name."""
    refusal = {
        "metadata": {"name": "e", "namespace": "n"},
        "type": "Warning",
        "reason": "FailedCreate",
        "message": "pods is forbidden: exceeded quota: q",
        "lastTimestamp": f"2026-11-24T{seen}Z",
        "involvedObject": {"kind": "Job", "name": "fib-1", "uid": "uid-of-its-job"},
    }
    api.say("/api/v1/namespaces/n/events", {"items": [refusal]})
    (finding,) = findings(ray_job(**RUNNING, startTime="2026-11-24T00:01:00Z"))
    assert finding.key == ("submitter-refused" if counts else "no-submitter")


@pytest.mark.parametrize(
    ("status", "what"),
    [
        ("ValidationFailed", "KubeRay refuses the RayJob"),
        ("Failed", "the RayJob failed before its job was submitted"),
    ],
)
def test_a_rayjob_that_kuberay_gave_up_ends_the_wait_with_its_reason(findings, status, what):
    item = ray_job(jobDeploymentStatus=status, reason="DeadlineExceeded", message="too late")
    (finding,) = findings(item)
    assert (finding.what, finding.patience) == (what, 0)
    assert finding.evidence == ("DeadlineExceeded: too late",)


def test_a_suspended_rayjob_is_queued(findings):
    (finding,) = findings(ray_job(spec={"suspend": True}, jobDeploymentStatus="Suspended"))
    assert finding.what == "QUEUED in team: Kueue has not looked at it yet"


def test_a_rayjob_is_created_once_and_found_again(api, connection):
    made, is_ours = submitted.create(connection, ray_job())
    again, is_still_ours = submitted.create(connection, ray_job())
    assert made.name == again.name == "fib-1"
    assert is_ours
    assert is_still_ours
    posts = [asked for asked in api.asked if asked[0] == "POST"]
    assert len(posts) == 2  # the first one only asks whether KubeRay knows every field


def test_another_job_under_the_same_name_is_a_conflict(api, connection):
    api.keep("rayjobs", ray_job("of another"))
    with pytest.raises(ConflictError, match="exists already, with another job"):
        submitted.create(connection, ray_job())


def test_the_same_job_of_another_run_is_found_and_not_ours(api, connection):
    api.keep("rayjobs", ray_job(run="their-run"))
    found, is_ours = submitted.create(connection, ray_job())
    assert (found.name, is_ours) == ("fib-1", False)


def test_a_field_that_this_kuberay_drops_is_named_before_anything_is_made(api, connection):
    stored = ray_job()
    api.say("/apis/ray.io/v1/namespaces/n/rayjobs", stored, 201)
    sent = ray_job(spec={"preRunningDeadlineSeconds": 9})
    with pytest.raises(MissingError) as refused:
        submitted.create(connection, sent)
    assert refused.value.evidence == ("its CRD has no spec.preRunningDeadlineSeconds",)
    assert api.kept["rayjobs"] == {}


@pytest.mark.parametrize(
    ("sent", "stored", "paths"),
    [
        ({"a": [{"b": 1, "new": 2}]}, {"a": [{"b": 1}]}, ["spec.a[0].new"]),
        ({"a": [[{"new": 2}]]}, {"a": [[{}]]}, ["spec.a[0][0].new"]),
        ({"a": [{"b": {}, "c": [], "d": None}]}, {"a": [{}]}, []),
        ({"a": [{"name": "ours"}]}, {"a": [{"image": "mesh"}, {"name": "ours"}]}, []),
        ({"a": 0, "b": False, "c": ""}, {}, ["spec.a", "spec.b", "spec.c"]),
        ({"a": [1]}, {"a": "odd"}, []),
    ],
)
def test_fields_are_missed_in_lists_too_unless_admission_added_items(sent, stored, paths):
    assert sorted(submitted.dropped(sent, stored, "spec")) == paths


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(ANY_JSON, ANY_JSON)
def test_what_is_stored_as_it_was_sent_lacks_nothing_and_no_answer_breaks_it(sent, other):
    assert list(submitted.dropped(sent, sent, "spec")) == []
    assert all(path.startswith("spec") for path in submitted.dropped(sent, other, "spec"))


def test_a_rayjob_that_is_being_deleted_is_gone(api, connection):
    item = ray_job(**RUNNING)
    job = RayJob(connection, "fib-1", "n", item)
    api.keep("rayjobs", item)
    assert submitted.read(job).name == "fib-1"
    ending = {**item, "metadata": {**item["metadata"], "deletionTimestamp": "2026-11-26T10:00:00Z"}}
    api.keep("rayjobs", ending)
    assert submitted.read(job) is None
