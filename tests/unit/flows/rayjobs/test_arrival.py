"""A RayJob on its way to its head: what every ending leaves in the cluster and in the record."""

import signal
import threading

import pytest

from raykit.flows.rayjobs.arrival import RayJobArrival
from raykit.flows.rayjobs.session import RayJobSession
from raykit.flows.session import Limits, run_to_end
from raykit.flows.steps.arrival import PAYLOAD_KEY
from raykit.kube.connection import connect
from raykit.measure.records import RunsFolder
from raykit.progress import Progress, Silent
from raykit.testing import FakeJob

pytestmark = pytest.mark.usefixtures("fast")
PAYLOAD = {"entrypoint": "echo", "submission_id": "job-1", "metadata": {PAYLOAD_KEY: "hash"}}
RAYJOB = {
    "apiVersion": "ray.io/v1",
    "kind": "RayJob",
    "metadata": {"name": "echo-1", "namespace": "n", "annotations": {"raykit.io/payload": "hash"}},
    "spec": {"entrypoint": "echo", "jobId": "job-1"},
}


class Details(Silent):
    """Calls a function at the first detail that is shown."""

    def __init__(self, act=lambda: None):
        self.act, self.texts = act, []

    def step_detail(self, text):
        self.texts.append(text)
        self.act()
        self.act = lambda: None


@pytest.fixture
def submit(api, kubeconfig, ray, tmp_path, make_record, monkeypatch):
    """Runs the session of a RayJob; the run, and whether the RayJob is still there."""
    monkeypatch.setattr("raykit.flows.steps.measuring.LATE_EVENTS_SECONDS", 0.0)
    for plural in ("pods", "events", "rayjobs", "rayclusters", "deployments"):
        api.keep(plural)
    kubeconfig(api.url)

    def submit(limits=Limits(), act=lambda: None, uploads=False):  # noqa: B008  (it is frozen)
        record = make_record(submission_id="job-1")
        progress = Progress(Details(act))
        arrival = RayJobArrival(
            connect(), RAYJOB, progress, api=ray.api(), timeout=limits.timeout, uploads=uploads
        )
        session = RayJobSession(arrival, record, RunsFolder(tmp_path / "runs"), progress)
        run = run_to_end(session, lambda: session.submit(PAYLOAD), limits)
        return run, bool(api.kept["rayjobs"])

    return submit


def arrives(ray, **fields):
    """The submitter's pod has submitted the job."""
    plain = {"status": "SUCCEEDED", "exit_code": 0, "metadata": {PAYLOAD_KEY: "hash"}}
    return lambda: ray.jobs.update({"job-1": FakeJob("job-1", **(plain | fields))})


def interrupt():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def gives_up(api):
    """KubeRay gives the RayJob up before its job was submitted."""

    def act():
        (job,) = api.kept["rayjobs"].values()
        job["status"] = {"jobDeploymentStatus": "Failed", "message": "no pod", "reason": "Late"}

    return act


def test_a_job_that_arrives_is_followed_like_any_other(ray, submit):
    run, stays = submit(act=arrives(ray, log=b"hello\n"))
    assert (run.exit_code, run.record.status, stays) == (0, "SUCCEEDED", True)
    assert run.record.log["source"] == "file"


def test_a_rayjob_that_cannot_get_there_is_deleted_with_the_reason(api, submit):
    run, stays = submit(act=gives_up(api))
    assert (run.exit_code, run.record.status, stays) == (5, "NOT_SUBMITTED", False)
    assert "failed before its job was submitted" in run.error.what
    assert run.error.evidence[0] == "Late: no pod"


@pytest.mark.parametrize(
    ("limits", "uploads", "status", "stays", "words"),
    [
        (Limits(), False, "UNFINISHED", True, "goes on"),
        (Limits(stop_on_interrupt=True), False, "NOT_SUBMITTED", False, "before the job was"),
        (Limits(), True, "NOT_SUBMITTED", False, "before the job was submitted"),
    ],
)
def test_an_interrupt_on_the_way_leaves_only_a_rayjob_that_can_go_on_alone(
    submit, limits, uploads, status, stays, words
):
    run, stayed = submit(limits, interrupt, uploads)
    assert (run.exit_code, run.record.status, stayed) == (130, status, stays)
    assert words in run.error.what


def test_a_time_out_on_the_way_leaves_the_rayjob(submit):
    run, stays = submit(Limits(timeout=0.3))
    assert (run.exit_code, run.record.status, stays) == (22, "UNFINISHED", True)
    assert "is still PENDING after 0.3 s" in run.error.what


def test_another_job_of_that_id_on_the_head_is_a_conflict_and_makes_no_rayjob(ray, submit):
    arrives(ray, metadata={PAYLOAD_KEY: "of another"})()
    run, stays = submit()
    assert (run.exit_code, stays) == (8, False)


def test_a_job_that_the_head_has_already_is_attached_to(ray, submit):
    arrives(ray, log=b"x\n")()
    run, _ = submit()
    assert (run.exit_code, run.record.status) == (0, "SUCCEEDED")
